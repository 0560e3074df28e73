"""Leaky integrator: a membrane that never spikes, such as a readout or a graded cell."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import mV, nS, pF

LEAKY_INTEGRATOR = NeuronModel(
    name="leaky_integrator",
    equations="dv/dt = (g_L*(E_L - v) + I) / C : volt",
    parameters={"C": pF(250), "g_L": nS(16.7), "E_L": mV(-70)},
    initial={"v": "E_L"},
    source="Dayan & Abbott 2001, Theoretical Neuroscience, ch. 5",
)
