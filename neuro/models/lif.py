"""Leaky integrate-and-fire neuron."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import ms, mV, nS, pF

LIF = NeuronModel(
    name="lif",
    equations="dv/dt = (g_L*(E_L - v) + I) / C : volt (unless refractory)",
    threshold="v > V_th",
    reset="v = V_r",
    refractory="t_ref",
    parameters={
        "C": pF(250), "g_L": nS(16.7), "E_L": mV(-70), "V_th": mV(-50), "V_r": mV(-70),
        "t_ref": ms(2),
    },
    initial={"v": "E_L"},
    source="Lapicque 1907, J Physiol Pathol Gen 9:620; parameters of Vlachos et al. 2011",
)  # fmt: skip
