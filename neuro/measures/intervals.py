"""Interspike intervals and how irregular they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["interval_cv", "intervals"]


def intervals(spikes: Spikes) -> NDArray[np.float64]:
    """All intervals between successive spikes of the same unit, in ms, unit after unit."""
    order = np.argsort(spikes.units, kind="stable")
    times, units = spikes.times_ms[order], spikes.units[order]
    return np.asarray(np.diff(times)[np.diff(units) == 0])


@quantities
def interval_cv(spikes: Spikes, *, fewest: int = 3) -> NDArray[np.float64]:
    """`(n_units,)` coefficient of variation of each unit's intervals.

    0 for a clock, 1 for a Poisson process. NaN for a unit with fewer than `fewest` intervals.
    """
    result = np.full(spikes.n_units, np.nan)
    for unit in range(spikes.n_units):
        gaps = np.diff(spikes.of(unit))
        if gaps.size >= fewest:
            result[unit] = gaps.std() / gaps.mean()
    return result
