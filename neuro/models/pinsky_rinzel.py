"""Pinsky and Rinzel's CA3 pyramidal cell: a soma that spikes and a dendrite that bursts."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.models._membrane import Membrane
from neuro.units import Quantity, mV, pA

_PATCH = Membrane(area=1e-4)  # cm², so that 1 µA/cm² is 100 pA; engineering choice

PINSKY_RINZEL = NeuronModel(
    name="pinsky_rinzel",
    # v is the soma, which takes `I` and its synapses; v_d is the dendrite, which takes `I_d`. The
    # cell bursts by itself, below 1 Hz; the paper's networks silence it with I_s = -0.5 µA/cm².
    # Potentials are the paper's less 60 mV. fall_c is the rate alpha_c + beta_c, and the paper's
    # two branches of alpha_c meet where rise_c reaches it.
    equations="""
        dv/dt = (g_Na*m_inf**2*h*(E_Na - v) + g_KDR*n*(E_K - v) + g_L*(E_L - v)
                 + (g_c*(v_d - v) + I)/p) / C                                   : volt
        dv_d/dt = (g_Ca*s**2*(E_Ca - v_d) + (g_KC*c*clip(Ca/250, 0, 1) + g_AHP*q)*(E_K - v_d)
                   + g_L*(E_L - v_d) + (g_c*(v - v_d) + I_d)/(1 - p)) / C       : volt
        dh/dt = alpha_h*(1 - h) - beta_h*h                                      : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n                                      : 1
        ds/dt = alpha_s*(1 - s) - beta_s*s                                      : 1
        dc/dt = clip(rise_c, 0, fall_c)/ms - fall_c/ms*c                        : 1
        dq/dt = alpha_q*(1 - q) - 0.001/ms*q                                    : 1
        dCa/dt = 0.13/ms*g_Ca*s**2*(E_Ca - v_d)/I_Ca - 0.075/ms*Ca              : 1
        m_inf = alpha_m / (alpha_m + beta_m)                                    : 1
        alpha_m = 1.28/exprel(-(v + 46.9*mV)/(4*mV))/ms                         : Hz
        beta_m = 1.4/exprel((v + 19.9*mV)/(5*mV))/ms                            : Hz
        alpha_h = 0.128*exp(-(v + 43*mV)/(18*mV))/ms                            : Hz
        beta_h = 4/(1 + exp(-(v + 20*mV)/(5*mV)))/ms                            : Hz
        alpha_n = 0.08/exprel(-(v + 24.9*mV)/(5*mV))/ms                         : Hz
        beta_n = 0.25*exp(-(v + 40*mV)/(40*mV))/ms                              : Hz
        alpha_s = 1.6/(1 + exp(-0.072*(v_d - 5*mV)/mV))/ms                      : Hz
        beta_s = 0.1/exprel((v_d + 8.9*mV)/(5*mV))/ms                           : Hz
        rise_c = exp((v_d + 50*mV)/(11*mV) - (v_d + 53.5*mV)/(27*mV))/18.975    : 1
        fall_c = 2*exp(-(v_d + 53.5*mV)/(27*mV))                                : 1
        alpha_q = clip(0.00002*Ca, 0, 0.01)/ms                                  : Hz
    """,
    threshold="v > V_spike",
    refractory="v > V_spike",  # one spike for each upward crossing
    parameters={
        "C": _PATCH.c(3), "g_L": _PATCH.g(0.1), "g_Na": _PATCH.g(30), "g_KDR": _PATCH.g(15),
        "g_Ca": _PATCH.g(10), "g_KC": _PATCH.g(15), "g_AHP": _PATCH.g(0.8), "g_c": _PATCH.g(2.1),
        "E_L": mV(-60), "E_Na": mV(60), "E_K": mV(-75), "E_Ca": mV(80),
        "p": Quantity(0.5),  # the soma's share of the membrane
        "I_d": pA(0),
        "I_Ca": _PATCH.i(1),  # 1 µA/cm², in which the paper states what calcium brings in
        "V_spike": mV(-20),  # where a spike is counted; engineering choice
    },
    initial={
        "v": mV(-64.6), "v_d": mV(-64.5), "h": Quantity(0.999), "n": Quantity(0.001),
        "s": Quantity(0.009), "c": Quantity(0.007), "q": Quantity(0.01), "Ca": Quantity(0.2),
    },
    # Sodium activation follows the membrane at once, which exponential Euler would hold for a step.
    method="rk4",
    source="Pinsky & Rinzel 1994, J Comput Neurosci 1:39",
)  # fmt: skip
