"""Hodgkin and Huxley's squid axon, in today's sign convention."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.models._membrane import Membrane
from neuro.units import Quantity, mV

_PATCH = Membrane(area=1e-4)  # cm², so that 1 µA/cm² is 100 pA; engineering choice

HODGKIN_HUXLEY = NeuronModel(
    name="hodgkin_huxley",
    # The paper's V is -(v + 65 mV). x/(exp(x) - 1) is 1/exprel(x), which has no 0/0.
    equations="""
        dv/dt = (g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I) / C : volt
        dm/dt = phi*(alpha_m*(1 - m) - beta_m*m)                                      : 1
        dh/dt = phi*(alpha_h*(1 - h) - beta_h*h)                                      : 1
        dn/dt = phi*(alpha_n*(1 - n) - beta_n*n)                                      : 1
        alpha_m = 1/exprel(-(v + 40*mV)/(10*mV))/ms      : Hz
        beta_m = 4*exp(-(v + 65*mV)/(18*mV))/ms          : Hz
        alpha_h = 0.07*exp(-(v + 65*mV)/(20*mV))/ms      : Hz
        beta_h = 1/(1 + exp(-(v + 35*mV)/(10*mV)))/ms    : Hz
        alpha_n = 0.1/exprel(-(v + 55*mV)/(10*mV))/ms    : Hz
        beta_n = 0.125*exp(-(v + 65*mV)/(80*mV))/ms      : Hz
    """,
    threshold="v > V_spike",
    refractory="v > V_spike",  # one spike for each upward crossing
    parameters={
        "C": _PATCH.c(1), "g_Na": _PATCH.g(120), "g_K": _PATCH.g(36), "g_L": _PATCH.g(0.3),
        "E_Na": mV(50), "E_K": mV(-77), "E_L": mV(-54.387),
        "phi": Quantity(1),  # 3**((T - 6.3 °C)/10 °C)
        "V_spike": mV(0),  # where a spike is counted; engineering choice
    },
    initial={"v": mV(-65), "m": Quantity(0.0529), "h": Quantity(0.5961), "n": Quantity(0.3177)},
    source="Hodgkin & Huxley 1952, J Physiol 117:500",
)  # fmt: skip
