"""Song, Miller & Abbott 2000 in Brian2, as in its own example: Poisson inputs onto one cell."""

from __future__ import annotations

from typing import Any

import brian2
import numpy as np
from _brian2 import run_model
from _side import side
from brian2 import Hz, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, ms, mV

CELL = """
dv/dt = (ge*(E_e - v) + E_L - v)/tau_m : volt
dge/dt = -ge/tau_e : 1
"""
SYNAPSE = """
w : 1
dApre/dt = -Apre/tau_pre : 1 (event-driven)
dApost/dt = -Apost/tau_post : 1 (event-driven)
"""
ON_PRE = """
ge += w
Apre += dA_pre
w = clip(w + Apost, 0, w_max)
"""
ON_POST = """
Apost += dA_post
w = clip(w + Apre, 0, w_max)
"""
RATE = 15 * Hz


def stdp(
    *,
    n_inputs: int,
    seconds: float,
    repeats: int = 1,
    target: str = "standalone",
    threads: int = 1,
) -> dict[str, Any]:
    """Final weights over their maximum, rates (Hz) of cell and inputs, and the seconds it took."""
    w_max = 0.01 * 1000 / n_inputs  # the same drive, however many inputs share it
    values = {
        "tau_m": 10 * ms, "tau_e": 5 * ms, "tau_pre": 20 * ms, "tau_post": 20 * ms,
        "E_e": 0 * mV, "E_L": -74 * mV, "V_th": -54 * mV, "V_r": -60 * mV,
        "w_max": w_max, "dA_pre": 0.01 * w_max, "dA_post": -0.01 * 1.05 * w_max,
    }  # fmt: skip

    def make() -> tuple[list[Any], Any]:
        inputs = PoissonGroup(n_inputs, rates=RATE)
        cell = NeuronGroup(1, CELL, threshold="v > V_th", reset="v = V_r", method="euler",
                           namespace=values)  # fmt: skip
        cell.v = values["V_r"]
        synapse = Synapses(inputs, cell, SYNAPSE, on_pre=ON_PRE, on_post=ON_POST,
                           delay={"pre": 0.1 * ms}, namespace=values)  # fmt: skip
        synapse.connect()
        synapse.w = "rand()*w_max"
        heard, fired = SpikeMonitor(inputs), SpikeMonitor(cell)

        def read() -> dict[str, Any]:
            return {
                "cell": float(fired.num_spikes) / seconds,
                "inputs": float(heard.num_spikes) / (n_inputs * seconds),
                "weights": np.round(np.asarray(synapse.w) / w_max, 5).tolist(),
            }

        return [inputs, cell, synapse, heard, fired], read

    return run_model(make, target=target, seconds=seconds, repeats=repeats, threads=threads)


if __name__ == "__main__":
    brian2.start_scope()
    side(stdp)
