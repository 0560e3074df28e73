"""Quadratic integrate-and-fire neuron: the normal form of a type-I membrane."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import mV, nS, pF

QUADRATIC_IF = NeuronModel(
    name="quadratic_if",
    # At rest its slope is the leak -g_L; V_T is the unstable fixed point without input. Above
    # I = g_L*(V_T - E_L)/4 it fires, at a rate that grows with the root of what is above.
    equations="dv/dt = (g_L*(v - E_L)*(v - V_T)/(V_T - E_L) + I) / C : volt",
    threshold="v >= V_peak",
    reset="v = V_r",
    parameters={
        "C": pF(250), "g_L": nS(25),  # 10 ms as published; sizes: engineering choice
        "E_L": mV(-65), "V_T": mV(-50), "V_r": mV(-80), "V_peak": mV(20),
    },
    initial={"v": "E_L"},
    # The text has no exponential, so the trial steps of Runge-Kutta cost little and stay finite.
    method="rk4",
    source="Ermentrout & Kopell 1986, SIAM J Appl Math 46:233; Latham et al. 2000, "
    "J Neurophysiol 83:808",
)  # fmt: skip
