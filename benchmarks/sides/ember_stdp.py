"""Song, Miller & Abbott 2000 in Ember: Poisson inputs onto one cell, with plastic synapses."""

from __future__ import annotations

from typing import Any

import numpy as np
from _side import side

import neuro
from neuro.model import NeuronModel
from neuro.models.poisson import POISSON
from neuro.network import Network, Population, Projection, Record, Uniform
from neuro.synapses.stdp import STDP_ADDITIVE
from neuro.units import Hz, Quantity, ms, mV, nS, pF
from neuro.wiring import AllToAll

DT_MS = 0.1

# As in Brian2's example, whose conductances are in units of the leak: here the leak is 10 nS.
CELL = NeuronModel(
    name="song_cell",
    equations="dv/dt = (g_L*(E_L - v) + I)/C : volt",
    threshold="v > V_th",
    reset="v = V_r",
    parameters={"C": pF(100), "g_L": nS(10), "E_L": mV(-74), "V_th": mV(-54), "V_r": mV(-60)},
    initial={"v": "V_r"},
    method="euler",  # as in the example
    source="Song, Miller & Abbott 2000, Nat Neurosci 3:919",
)


def stdp(
    *, n_inputs: int, seconds: float, repeats: int = 1, threads: int = 1, backend: str = "numba"
) -> dict[str, Any]:
    """Final weights over their maximum, rates (Hz) of cell and inputs, and the seconds it took."""
    w_max = 0.1 * 1000 / n_inputs
    network = Network(
        name="stdp",
        populations=(
            Population("inputs", POISSON, n_inputs, {"rate": Hz(15)}),
            Population("cell", CELL, 1),
        ),
        projections=(
            Projection(
                "synapses", "inputs", "cell", STDP_ADDITIVE, AllToAll(),
                Uniform(nS(0), nS(w_max)), ms(DT_MS),
                {"w_max": nS(w_max), "A_plus": Quantity(0.01), "A_minus": Quantity(0.0105)},
            ),
        ),
    )  # fmt: skip
    duration_ms = 1000 * seconds
    # Frames are taken before a step: one step more has one at the end.
    weights = Record("synapses", "w", every_ms=duration_ms)
    run_s, compile_s, build_s, results = [], [], [], []
    for seed in range(1, repeats + 1):
        recording = neuro.simulate(
            network, duration_ms=duration_ms + DT_MS, dt_ms=DT_MS, seed=seed, threads=threads,
            backend=backend, record=[weights],
        )  # fmt: skip
        run_s.append(recording.timings["simulate"])
        compile_s.append(recording.timings["compile"])
        build_s.append(recording.timings["build"])
        results.append(
            {
                "cell": recording.spikes["cell"].rate_hz,
                "inputs": recording.spikes["inputs"].rate_hz,
                "weights": np.round(recording.traces["synapses.w"].data[-1] / w_max, 5).tolist(),
            }
        )
    return {"run_s": run_s, "compile_s": compile_s, "build_s": build_s, "results": results}


if __name__ == "__main__":
    side(stdp)
