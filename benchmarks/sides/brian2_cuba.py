"""CUBA of Brette et al. 2007 in Brian2, as in its own example, with a delay of one step."""

from __future__ import annotations

from typing import Any

import brian2
from _brian2 import run_model
from _side import side
from brian2 import NeuronGroup, SpikeMonitor, Synapses, ms, mV

EQUATIONS = """
dv/dt  = (ge + gi - (v - E_L))/tau_m : volt (unless refractory)
dge/dt = -ge/tau_e : volt
dgi/dt = -gi/tau_i : volt
"""
VALUES = {
    "tau_m": 20 * ms, "tau_e": 5 * ms, "tau_i": 10 * ms, "E_L": -49 * mV, "V_th": -50 * mV,
    "V_r": -60 * mV, "w_e": 60 * 0.27 / 10 * mV, "w_i": -20 * 4.5 / 10 * mV,
}  # fmt: skip
INPUTS = 80  # synapses on a cell, on average: 2 % of 4,000


def cuba(
    *, n_cells: int, seconds: float, repeats: int = 1, target: str = "standalone", threads: int = 1
) -> dict[str, Any]:
    """Mean rate (Hz) of excitatory and inhibitory cells, and the seconds it took."""

    def make() -> tuple[list[Any], Any]:
        n_excitatory = n_cells * 4 // 5
        cells = NeuronGroup(n_cells, EQUATIONS, threshold="v > V_th", reset="v = V_r",
                            refractory=5 * ms, method="exact", namespace=VALUES)  # fmt: skip
        cells.v = "V_r + rand()*(V_th - V_r)"
        excitatory, inhibitory = cells[:n_excitatory], cells[n_excitatory:]
        synapses = []
        for source, on_pre in ((excitatory, "ge += w_e"), (inhibitory, "gi += w_i")):
            synapse = Synapses(source, cells, on_pre=on_pre, delay=0.1 * ms, namespace=VALUES)
            synapse.connect(p=INPUTS / n_cells)
            synapses.append(synapse)
        monitors = [SpikeMonitor(excitatory), SpikeMonitor(inhibitory)]

        def read() -> dict[str, float]:
            return {
                name: float(monitor.num_spikes) / (n * seconds)
                for name, monitor, n in zip(
                    ("excitatory", "inhibitory"), monitors,
                    (n_excitatory, n_cells - n_excitatory), strict=True,
                )
            }  # fmt: skip

        return [cells, *synapses, *monitors], read

    return run_model(make, target=target, seconds=seconds, repeats=repeats, threads=threads)


if __name__ == "__main__":
    brian2.start_scope()
    side(cuba)
