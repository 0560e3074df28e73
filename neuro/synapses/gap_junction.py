"""Gap junction: a current in proportion to the difference of the two membrane potentials."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import nS

GAP_JUNCTION = SynapseModel(
    name="gap_junction",
    equations="I_gap : amp",
    current="I_gap",
    on_pre="",
    # One edge draws current into its target alone: a junction is an edge each way.
    edges="I_gap_post = w*(v_pre - v_post) : amp (summed)",
    weight=nS(0.5),  # engineering choice, of the order that Gibson et al. (1999) measured
    source="Galarreta & Hestrin 1999, Nature 402:72; Gibson et al. 1999, Nature 402:75",
)
"""Acts at every step, without delay, on cells that both have a `v` in volt."""
