"""Generalised integrate-and-fire neuron: adapts by current and threshold, and fires by chance."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import Hz, ms, mV, nS, pA, pF

GIF = NeuronModel(
    name="gif",
    equations="""
        dv/dt = (g_L*(E_L - v) - eta_1 - eta_2 + I) / C : volt (unless refractory)
        deta_1/dt = -eta_1/tau_eta_1                    : amp
        deta_2/dt = -eta_2/tau_eta_2                    : amp
        dgamma_1/dt = -gamma_1/tau_gamma_1              : volt
        dgamma_2/dt = -gamma_2/tau_gamma_2              : volt
        hazard = lambda_0*exp((v - V_T - gamma_1 - gamma_2)/Delta_V) : Hz
    """,
    # The chance of at least one event of the point process within the step.
    threshold="rand() < 1 - exp(-hazard*dt)",
    reset="""
        v = V_r
        eta_1 += q_eta_1
        eta_2 += q_eta_2
        gamma_1 += q_gamma_1
        gamma_2 += q_gamma_2
    """,
    refractory="t_ref",
    parameters={
        "C": pF(83.1), "g_L": nS(3.7), "E_L": mV(-67), "V_r": mV(-36.7), "t_ref": ms(4),
        "V_T": mV(-39.6), "Delta_V": mV(1.4), "lambda_0": Hz(1),
        "q_eta_1": pA(56.7), "tau_eta_1": ms(57.8), "q_eta_2": pA(-6.9), "tau_eta_2": ms(218.2),
        "q_gamma_1": mV(11.7), "tau_gamma_1": ms(53.8),
        "q_gamma_2": mV(1.8), "tau_gamma_2": ms(640),
    },
    initial={"v": "E_L"},
    # The kernels decay exactly; the membrane sees them as they were at the start of the step.
    method="exponential_euler",
    source="Mensi et al. 2012, J Neurophysiol 107:1756 (parameters of an excitatory cell); "
    "Pozzorini et al. 2015, PLoS Comput Biol 11:e1004275",
)  # fmt: skip
