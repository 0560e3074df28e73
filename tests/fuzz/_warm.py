"""Imported by a server before it forks: what every run pays once, such as pint and LLVM.

The model here is like no other, so that no task finds its own program in memory.
"""

from __future__ import annotations

from neuro import Network, NeuronModel, Population, simulate
from neuro.units import ms, parse_quantity
from sims.config.experiment import run_schema

parse_quantity("1 furlong")  # a unit that only pint knows
_MODEL = NeuronModel(
    "warm",
    "dwarm/dt = (1.5 - warm)/tau_warm : 1",
    threshold="warm > 1",
    reset="warm = 0",
    parameters={"tau_warm": ms(7)},
)
simulate(Network("warm", (Population("warm", _MODEL, 2),)), duration_ms=3)
run_schema()
