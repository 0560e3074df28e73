"""Traub and Miles's pyramidal cell, reduced to its spike-generating currents."""

from __future__ import annotations

from neuro.model import NeuronModel, variant
from neuro.models._membrane import Membrane
from neuro.units import Quantity, mV

_CORTICAL = Membrane(area=2e-4)  # 20,000 µm², the paper's
_PATCH = Membrane(area=1e-4)  # cm², so that 1 µA/cm² is 100 pA; engineering choice

TRAUB_MILES = NeuronModel(
    name="traub_miles",
    equations="""
        dv/dt = (g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I) / C : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m                       : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h                       : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n                       : 1
        alpha_m = 1.28/exprel((V_T + 13*mV - v)/(4*mV))/ms       : Hz
        beta_m = 1.4/exprel((v - V_T - 40*mV)/(5*mV))/ms         : Hz
        alpha_h = 0.128*exp((V_T + 17*mV - v)/(18*mV))/ms        : Hz
        beta_h = 4/(1 + exp((V_T + 40*mV - v)/(5*mV)))/ms        : Hz
        alpha_n = 0.16/exprel((V_T + 15*mV - v)/(5*mV))/ms       : Hz
        beta_n = 0.5*exp((V_T + 10*mV - v)/(40*mV))/ms           : Hz
    """,
    threshold="v > V_spike",
    refractory="v > V_spike",  # one spike for each upward crossing
    parameters={
        "C": _CORTICAL.c(1), "g_Na": _CORTICAL.g(100), "g_K": _CORTICAL.g(30),
        "g_L": _CORTICAL.g(0.05), "E_Na": mV(50), "E_K": mV(-90), "E_L": mV(-65), "V_T": mV(-63),
        "V_spike": mV(-40),
    },
    initial={"v": mV(-65), "m": Quantity(0), "h": Quantity(1), "n": Quantity(0)},
    source="Traub & Miles 1991, Neuronal Networks of the Hippocampus; as reduced in Brette et al. "
    "2007, J Comput Neurosci 23:349 (COBA-HH)",
)  # fmt: skip

TRAUB_MILES_PING = variant(
    TRAUB_MILES,
    name="traub_miles_ping",
    parameters={
        **TRAUB_MILES.parameters,
        "C": _PATCH.c(1), "g_Na": _PATCH.g(100), "g_K": _PATCH.g(80), "g_L": _PATCH.g(0.1),
        "E_K": mV(-100), "E_L": mV(-67), "V_T": mV(-67),
    },
    initial={"v": mV(-67), "m": Quantity(0), "h": Quantity(1), "n": Quantity(0)},
    source="Ermentrout & Kopell 1998, PNAS 95:1259; Olufsen et al. 2003, J Comput Neurosci 14:33",
)  # fmt: skip
