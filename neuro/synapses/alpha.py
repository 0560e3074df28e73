"""Alpha synapses: each spike adds a current or a conductance that rises to `w` at `tau`."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import ms, mV, nS, pA

# w*t/tau*exp(1 - t/tau). The factor exp(1) stands in the equation and not in on_pre, so that a
# delivery is one addition.
ALPHA_CURRENT = SynapseModel(
    name="alpha_current",
    equations="""
        dI_syn/dt = (exp(1)*x - I_syn)/tau : amp
        dx/dt = -x/tau                     : amp
    """,
    current="I_syn",
    on_pre="x += w",
    weight=pA(50),
    parameters={"tau": ms(2)},
    source="Rall 1967, J Neurophysiol 30:1138",
)

ALPHA_CONDUCTANCE = SynapseModel(
    name="alpha_conductance",
    equations="""
        dg/dt = (exp(1)*x - g)/tau : siemens
        dx/dt = -x/tau             : siemens
        I_syn = g*(E_rev - v)      : amp
    """,
    current="I_syn",
    on_pre="x += w",
    weight=nS(1),
    parameters={"tau": ms(2), "E_rev": mV(0)},
    source="Rall 1967, J Neurophysiol 30:1138",
)
