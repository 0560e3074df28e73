"""CUBA of Brette et al. 2007, 4,000 and 40,000 cells: Ember against Brian2's C++ standalone mode.

Integrate-and-fire cells with exponential currents, 80 % excitatory, 80 inputs each at either
size. Compilation is left out on both sides: the binary, and Ember's kernel, are there before the
clock starts.

    python benchmarks/cuba.py [--quick] [--save] [--repeats 5]
"""

from __future__ import annotations

from _against_brian2 import compare
from _common import options
from _machine import load
from _result import Goal, Result, finish


def main() -> None:
    """Compare, and print."""
    chosen = options(__doc__, repeats=5).parse_args()
    before = load()
    result = Result("cuba", "CUBA network, current synapses")
    cases = ((4000, 0.3),) if chosen.quick else ((4000, 10.0), (40000, 2.0))
    for n_cells, seconds in cases:
        compare(
            result,
            chosen,
            config="cuba",
            overrides=[f"circuits.cuba.n_cells={n_cells}"],
            side="brian2_cuba",
            settings={"n_cells": n_cells},
            populations={"excitatory": ["excitatory"], "inhibitory": ["inhibitory"]},
            seconds=seconds,
            case=f"{n_cells:,} cells",
            goal=Goal(1, aim=4),
        )
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
