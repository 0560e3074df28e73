"""COBA-HH of Brette et al. 2007 (Traub–Miles cells) in Brian2, as in its own example."""

from __future__ import annotations

from typing import Any

import brian2
from _brian2 import run_model
from _side import side
from brian2 import NeuronGroup, SpikeMonitor, Synapses, cm, ms, msiemens, mV, nS, uF, um

EQUATIONS = """
dv/dt = (g_L*(E_L - v) + ge*(E_e - v) + gi*(E_i - v)
         - g_Na*(m*m*m)*h*(v - E_Na) - g_K*(n*n*n*n)*(v - E_K))/C : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dge/dt = -ge/tau_e : siemens
dgi/dt = -gi/tau_i : siemens
alpha_m = 0.32/mV*4*mV/exprel((13*mV - v + V_T)/(4*mV))/ms : Hz
beta_m  = 0.28/mV*5*mV/exprel((v - V_T - 40*mV)/(5*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV - v + V_T)/(18*mV))/ms : Hz
beta_h  = 4./(1 + exp((40*mV - v + V_T)/(5*mV)))/ms : Hz
alpha_n = 0.032/mV*5*mV/exprel((15*mV - v + V_T)/(5*mV))/ms : Hz
beta_n  = .5*exp((10*mV - v + V_T)/(40*mV))/ms : Hz
"""
AREA = 20000 * um**2
VALUES = {
    "C": 1 * uF * cm**-2 * AREA, "g_L": 5e-5 * 1000 * msiemens * cm**-2 * AREA,
    "E_L": -60 * mV, "E_K": -90 * mV, "E_Na": 50 * mV, "V_T": -63 * mV,
    "g_Na": 100 * msiemens * cm**-2 * AREA, "g_K": 30 * msiemens * cm**-2 * AREA,
    "tau_e": 5 * ms, "tau_i": 10 * ms, "E_e": 0 * mV, "E_i": -80 * mV,
    "w_e": 6 * nS, "w_i": 67 * nS,
}  # fmt: skip
INPUTS = 80  # synapses on a cell, on average: 2 % of 4,000


def coba_hh(
    *, n_cells: int, seconds: float, repeats: int = 1, target: str = "standalone", threads: int = 1
) -> dict[str, Any]:
    """Mean rate (Hz) of excitatory and inhibitory cells, and the seconds it took."""

    def make() -> tuple[list[Any], Any]:
        n_excitatory = n_cells * 4 // 5
        cells = NeuronGroup(n_cells, EQUATIONS, threshold="v > -20*mV", refractory=3 * ms,
                            method="exponential_euler", namespace=VALUES)  # fmt: skip
        cells.v = "E_L + (randn()*5 - 5)*mV"
        cells.ge = "(randn()*1.5 + 4)*10*nS"
        cells.gi = "(randn()*12 + 20)*10*nS"
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
    side(coba_hh)
