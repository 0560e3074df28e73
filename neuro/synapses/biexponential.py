"""Bi-exponential synapses: each spike adds a current or a conductance whose peak is `w`."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import ms, mV, nS, pA

__all__ = ["BIEXPONENTIAL_CONDUCTANCE", "BIEXPONENTIAL_CURRENT", "KINETICS"]

# Two variables that decay by themselves are exact under every integrator but Runge-Kutta; one that
# feeds the other would, with a rise of 0.2 ms, be far off at a step of 0.1 ms.
KINETICS = """
    dfall/dt = -fall/tau_decay                                                       : {unit}
    drise/dt = -rise/tau_rise                                                        : {unit}
    t_peak = tau_rise*tau_decay/(tau_decay - tau_rise)*log(tau_decay/tau_rise)       : second
    scale = 1/(exp(-t_peak/tau_decay) - exp(-t_peak/tau_rise))                       : 1
"""

BIEXPONENTIAL_CURRENT = SynapseModel(
    name="biexponential_current",
    equations=KINETICS.format(unit="amp") + "I_syn = scale*(fall - rise) : amp",
    current="I_syn",
    on_pre="fall += w; rise += w",
    weight=pA(50),
    parameters={"tau_rise": ms(0.2), "tau_decay": ms(1.7)},
    source="Roth & van Rossum 2009, Computational Modeling Methods for Neuroscientists, ch. 6; "
    "times of AMPA, Häusser & Roth 1997, J Physiol 501:77",
)

BIEXPONENTIAL_CONDUCTANCE = SynapseModel(
    name="biexponential_conductance",
    equations=KINETICS.format(unit="siemens")
    + """
        g = scale*(fall - rise)     : siemens
        I_syn = g*(E_rev - v)       : amp
    """,
    current="I_syn",
    on_pre="fall += w; rise += w",
    weight=nS(1),
    parameters={"tau_rise": ms(0.2), "tau_decay": ms(1.7), "E_rev": mV(0)},
    source=BIEXPONENTIAL_CURRENT.source,
)
