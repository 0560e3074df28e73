"""The emulator of Lava's fixed-point processes against lava-nc's own run on the CPU.

A network of integrate-and-fire cells that keep themselves active, 80 % excitatory, 80 inputs each,
as whole numbers: the very same processes on both sides, and every spike must be the same. Starting
is left out on both sides: Lava's processes have started, and the emulator is compiled, before the
clock starts. Lava runs without probes, with synapses as sparse or dense matrices, whichever is
asked for; its delays, which it does anew at every step, are a case of their own.

    python benchmarks/lava_emulator.py [--quick] [--save] [--repeats 3]

The first run makes an environment with lava-nc, for which a Python 3.10 is needed.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from _common import Failed, median, options
from _machine import ROOT, load
from _result import Agreement, Goal, Result, Row, finish

sys.path.insert(0, str(ROOT))

from neuro import Network, Population, Projection, Uniform
from neuro.backends.lava.emulator import emulate
from neuro.backends.lava.lava_nc import run_lava
from neuro.backends.lava.processes import FixedNetwork
from neuro.backends.lava.quantise import quantise
from neuro.backends.lava.runs import differences
from neuro.models import LIF
from neuro.simulate import prepare
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, mV, nS, pA, pF
from neuro.wiring import Pairwise

DT_MS = 0.5
INPUTS = 80  # of a cell, on average


def network(n_cells: int, kind: str) -> FixedNetwork:
    """CUBA with one synaptic time constant and no refractory period, as Loihi has it.

    Args:
        kind: Of Lava's processes of synapses.
    """
    cell = {"C": pF(200), "g_L": nS(10), "V_th": mV(-50), "V_r": mV(-60), "E_L": mV(-49),
            "t_ref": ms(0)}  # fmt: skip
    start = {"v": Uniform(mV(-60), mV(-50))}
    sizes = {"excitatory": n_cells * 4 // 5, "inhibitory": n_cells // 5}
    weights = {"excitatory": pA(16.2), "inhibitory": pA(-180)}
    made = Network(
        "cuba",
        tuple(Population(name, LIF, n, cell, start) for name, n in sizes.items()),
        projections=tuple(
            Projection(f"{pre} to {post}", pre, post, EXPONENTIAL_CURRENT,
                       Pairwise(INPUTS / n_cells), weights[pre], ms(DT_MS))
            for pre in sizes for post in sizes
        ),
    )  # fmt: skip
    found = quantise(prepare(made, seed=1, dt_ms=DT_MS, backend="lava"))
    delayed = "delay" in kind
    synapses = tuple(
        replace(part, kind=kind, delays=part.delays if delayed else 0 * part.delays)
        for part in found.synapses
    )
    return FixedNetwork("cuba", found.cells, synapses)


def compare(result: Result, n_cells: int, kind: str, n_steps: int, repeats: int) -> None:
    """Add a row of one network.

    Raises:
        Failed: if a spike differs.
    """
    made = network(n_cells, kind)
    nothing = [{}]
    lava = [run_lava([made], [n_steps], watched=nothing)[0] for _ in range(repeats)]
    # Milliseconds each, so many of them; Lava's run takes seconds.
    ours = [emulate(made, n_steps, watch=False) for _ in range(10 * repeats)]
    if wrong := differences(replace(ours[0], u={}, v={}), lava[0]):
        raise Failed(f"the two do not give the same spikes: {wrong[0]}")
    name = f"{n_cells:,} cells, {kind.replace('_', ', ')}"
    seconds = n_steps * DT_MS / 1000
    for cells in made.cells:
        rates = [run.spikes[cells.name][0].size / cells.n / seconds for run in (ours[0], lava[0])]
        result.agreements.append(Agreement(f"{name}: {cells.name} (Hz)", rates[0], rates[1], 0.0))
    # Lava's first step, in which it starts, is not among those that were timed.
    per_step = [median([run.run_s for run in ours]) / n_steps * 1e6,
                median([run.run_s for run in lava]) / (n_steps - 1) * 1e6]  # fmt: skip
    result.rows.append(Row(name, per_step[0], "µs a step", per_step[1], "lava-nc", (Goal(50),)))


def main() -> None:
    """Compare, and print."""
    chosen = options(__doc__).parse_args()
    before = load()
    result = Result("lava_emulator", "Loihi's arithmetic: emulator and lava-nc")
    emulate(network(100, "sparse"), 10, watch=False)  # compiles
    cases = [(1000, "sparse", 1000), (4000, "sparse", 400), (1000, "dense", 400),
             (1000, "delay_sparse", 200)]  # fmt: skip
    for n_cells, kind, n_steps in [(500, "sparse", 100)] if chosen.quick else cases:
        compare(result, n_cells, kind, n_steps, chosen.repeats)
    result.notes.append(f"steps of {DT_MS:g} ms; every spike of both sides is the same")
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
