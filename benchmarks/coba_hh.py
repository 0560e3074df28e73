"""COBA-HH of Brette et al. 2007, 4,000 cells: Ember against Brian2's C++ standalone mode.

Hodgkin–Huxley cells of the Traub–Miles kind with exponential conductances; most of the time goes
to the exponentials of their gates. Compilation is left out on both sides.

    python benchmarks/coba_hh.py [--quick] [--save] [--repeats 5]
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
    result = Result("coba_hh", "COBA-HH network, Traub–Miles cells with conductance synapses")
    n_cells, seconds = (4000, 0.2) if chosen.quick else (4000, 2.0)
    compare(
        result,
        chosen,
        config="coba_hh",
        # The shipped config records two traces as well, which the peer does not.
        overrides=[f"circuits.coba_hh.n_cells={n_cells}", "record.traces=[]"],
        side="brian2_coba_hh",
        settings={"n_cells": n_cells},
        populations={"excitatory": ["excitatory"], "inhibitory": ["inhibitory"]},
        seconds=seconds,
        case=f"{n_cells:,} cells",
        goal=Goal(1, aim=3),
    )
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
