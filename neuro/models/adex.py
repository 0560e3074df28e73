"""Adaptive exponential integrate-and-fire neuron."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import ms, mV, nS, pA, pF

ADEX = NeuronModel(
    name="adex",
    equations="""
        dv/dt = (g_L*(E_L - v) + g_L*D_T*exp((v - V_T)/D_T) - w + I) / C : volt (unless refractory)
        dw/dt = (a*(v - E_L) - w) / tau_w                                : amp
    """,
    threshold="v > V_cut",
    reset="v = V_r; w += b",
    refractory="t_ref",
    parameters={
        "C": pF(281), "g_L": nS(30), "E_L": mV(-70.6), "V_T": mV(-50.4), "D_T": mV(2),
        "tau_w": ms(144), "a": nS(4), "b": pA(80.5), "V_r": mV(-70.6), "t_ref": ms(0),
        "V_cut": mV(0),  # where the diverging upswing is cut; numerical, not biological
    },
    initial={"v": "E_L"},
    # The upswing overflows the trial steps of a Runge-Kutta method; one Euler step cannot.
    method="euler",
    source="Brette & Gerstner 2005, J Neurophysiol 94:3637",
)  # fmt: skip
