"""Exponential synapses: each spike adds a current or a conductance that decays."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import ms, mV, nS, pA

EXPONENTIAL_CURRENT = SynapseModel(
    name="exponential_current",
    equations="dI_syn/dt = -I_syn/tau : amp",
    current="I_syn",
    on_pre="I_syn += w",
    weight=pA(50),
    parameters={"tau": ms(5)},
    source="Brette et al. 2007, J Comput Neurosci 23:349 (CUBA)",
)

EXPONENTIAL_CONDUCTANCE = SynapseModel(
    name="exponential_conductance",
    equations="""
        dg/dt = -g/tau          : siemens
        I_syn = g*(E_rev - v)   : amp
    """,
    current="I_syn",
    on_pre="g += w",
    weight=nS(1),
    parameters={"tau": ms(5), "E_rev": mV(0)},
    source="Brette et al. 2007, J Comput Neurosci 23:349 (COBA)",
)
