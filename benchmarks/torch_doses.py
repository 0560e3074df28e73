"""256 doses of a modulator in one batch of the `norse` back end, against as many separate runs.

A thousand integrate-and-fire cells that keep themselves active release noradrenaline, which closes
on their leak and their recurrent excitation; its tonic level differs from run to run. Building is
left out on both sides, and so are the first runs. Of the separate runs some are timed, spread
evenly over the doses, and their median is multiplied; `--separate 256` runs them all. Every spike
of each of them must be the one of its row in the batch.

    python benchmarks/torch_doses.py [--quick] [--save] [--repeats 3] [--separate 16]
"""

from __future__ import annotations

import sys
import time

import numpy as np
from _common import Failed, median, options
from _machine import ROOT, load
from _result import Agreement, Goal, Result, Row, finish

sys.path.insert(0, str(ROOT))

import neuro
from neuro import Network, Population, Projection, Uniform
from neuro.models import LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.recording import Recording
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, mV, nM, nS, pA, pF
from neuro.wiring import Pairwise

DT_MS = 0.1
INPUTS = 80  # of a cell, on average
HIGHEST_NM = 100.0  # engineering choice: twice the concentration that half closes the receptor


def network(n_cells: int, tonic_nM: float) -> Network:
    """CUBA (Brette et al. 2007) with a modulator; its strengths are engineering choices."""
    cell = {"C": pF(200), "g_L": nS(10), "V_th": mV(-50), "V_r": mV(-60), "E_L": mV(-49),
            "t_ref": ms(5)}  # fmt: skip
    start = {"v": Uniform(mV(-60), mV(-50))}
    sizes = {"e": n_cells * 4 // 5, "i": n_cells // 5}
    weights = {"e": pA(16.2), "i": pA(-90)}
    return Network(
        "doses",
        tuple(Population(name, LIF, n, cell, start) for name, n in sizes.items()),
        projections=tuple(
            Projection(pre + post, pre, post, EXPONENTIAL_CURRENT, Pairwise(INPUTS / n_cells),
                       weights[pre], ms(1.5))
            for pre in sizes for post in sizes
        ),
        transmitters=(Transmitter("na", "e", nM(10), ms(100), ms(5), nM(tonic_nM)),),
        receptors=(Receptor("beta", "na", nM(50), 1.5),),
        effects=(Effect("beta", "e", "g_L", 1.3), Effect("beta", "ee", "weight", 0.5)),
    )  # fmt: skip


def separate(n_cells: int, tonic_nM: float, duration_ms: float) -> Recording:
    """One run on the back end `norse`, as `ember run` makes it."""
    made = network(n_cells, tonic_nM)
    return neuro.simulate(made, duration_ms=duration_ms, dt_ms=DT_MS, seed=1, backend="norse")


def require_same(alone: Recording, row: Recording, dose: float) -> None:
    """Every spike of a row is that of its separate run.

    Raises:
        Failed: if one is not.
    """
    for name, spikes in alone.spikes.items():
        other = row.spikes[name]
        if not (np.array_equal(spikes.times_ms, other.times_ms)
                and np.array_equal(spikes.units, other.units)):  # fmt: skip
            raise Failed(
                f"{dose:g} nM: population `{name}` does not spike in the batch as it does alone "
                f"({len(other.times_ms)} spikes and {len(spikes.times_ms)})"
            )


def main() -> None:
    """Compare, and print."""
    parser = options(__doc__)
    parser.add_argument("--separate", type=int, default=16, help="separate runs that are timed")
    chosen = parser.parse_args()
    before = load()
    import torch

    from neuro.backends.norse.engine import run_rows
    from neuro.backends.norse.making import torch_network

    n_cells, rows, duration_ms = (200, 16, 20.0) if chosen.quick else (1000, 256, 100.0)
    doses = np.linspace(0.0, HIGHEST_NM, rows)
    picked = np.unique(np.linspace(0, rows - 1, min(rows, chosen.separate)).round().astype(int))
    model = torch_network(network(n_cells, 0.0), dt_ms=DT_MS, seed=1)
    alone_s: list[float] = []
    batch_s: list[float] = []
    separate(n_cells, doses[0], duration_ms)
    run_rows(model, duration_ms=duration_ms / 4, settings={"na.baseline": doses})
    alone: dict[int, Recording] = {}
    batch: list[Recording] = []
    for repeat in range(chosen.repeats):
        for k in picked[repeat :: chosen.repeats]:
            alone[int(k)] = separate(n_cells, doses[k], duration_ms)
            alone_s.append(alone[int(k)].timings["simulate"])
        started = time.perf_counter()
        batch = run_rows(model, duration_ms=duration_ms, settings={"na.baseline": doses})
        batch_s.append(time.perf_counter() - started)
    for k, recording in alone.items():
        require_same(recording, batch[k], doses[k])
    rates = [batch[k].spikes["e"].rate_hz for k in (0, rows - 1)]
    if not abs(rates[0] - rates[1]) > 0.1 * rates[0]:
        raise Failed(f"the doses make no difference: {rates[0]:.3g} and {rates[1]:.3g} Hz")

    result = Result("torch_doses", f"{rows} doses of a modulator in one batch")
    for name in ("e", "i"):
        counts = [sum(len(each[k].spikes[name].times_ms) for k in alone) for each in (batch, alone)]
        result.agreements.append(Agreement(f"spikes of `{name}` in those runs", *counts, 0.0))
    result.rows.append(
        Row(f"{rows} settings of {n_cells:,} cells, {duration_ms:g} ms", median(batch_s), "s",
            rows * median(alone_s), f"{rows} separate runs", () if chosen.quick else (Goal(10),))
    )  # fmt: skip
    result.notes += [
        f"{len(alone)} of the {rows} separate runs were run and timed, {median(alone_s):.3g} s "
        f"each at the median; every spike of theirs is that of their row in the batch",
        f"PyTorch has {torch.get_num_threads()} threads on both sides, as it chooses by itself",
        f"noradrenaline from 0 to {HIGHEST_NM:g} nM takes the excitatory cells from "
        f"{rates[0]:.1f} to {rates[1]:.1f} Hz",
    ]
    result.data = {"separate_s": alone_s, "batch_s": batch_s}
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
