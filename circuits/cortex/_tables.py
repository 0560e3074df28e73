"""The local cortical microcircuit in numbers: the tables of Potjans & Diesmann 2014.

Cereb Cortex 24:785, tables 4 and 5 unless another source is named. Populations are in the
order of `POPULATIONS` throughout; rows are targets and columns sources.
"""

from __future__ import annotations

__all__ = [
    "CELLS", "EXTERNAL_INPUTS", "FULL_SCALE_RATES_HZ", "POPULATIONS", "PROBABILITIES", "START_MV",
    "THALAMIC_PROBABILITIES",
]  # fmt: skip

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")

CELLS = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
"""Under a square millimetre of cortex (Binzegger, Douglas & Martin 2004)."""

EXTERNAL_INPUTS = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
"""Inputs of each cell from outside, that fire at 8 Hz each."""

PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),
)
"""That a pair of cells is joined at least once."""

THALAMIC_PROBABILITIES = (0.0, 0.0, 0.0983, 0.0619, 0.0, 0.0, 0.0512, 0.0196)
"""The same, from a thalamic relay cell."""

START_MV = (
    (-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94),
    (-63.11, 4.94), (-61.66, 4.55), (-66.72, 5.46), (-61.43, 4.48),
)  # fmt: skip
"""Mean and standard deviation of the membrane at work, so that little of a run is a transient:
the optimised start values that NEST 3's microcircuit example gives (GPL code; numbers only)."""

FULL_SCALE_RATES_HZ = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
"""Stationary rates at full scale, the same source: what a smaller network lacks in mean input
follows from them, and they are what rates are compared with. One seed is not a verification."""
