"""Short-term plasticity: what a spike transmits depends on those shortly before it.

A spike uses the fraction `u` of the resources `x`, which recover with `tau_rec`; each spike
raises `u` towards 1 by the fraction `U`, and it falls back with `tau_facil`. The first spike
after rest transmits `U*w`.
"""

from __future__ import annotations

from neuro.model import SynapseModel, variant
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.units import Quantity, ms

_EQUATIONS = "Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821"
_SOURCE = f"{_EQUATIONS}; values: Maass, Natschläger & Markram 2002, Neural Comput 14:2531"
_RESOURCES = """
    dx/dt = (1 - x)/tau_rec : 1 (event-driven)
    du/dt = -u/tau_facil    : 1 (event-driven)
"""
# Mean values between pyramidal cells, and from pyramidal cells to interneurons.
_DEPRESSING = {"U": Quantity(0.5), "tau_rec": ms(1100), "tau_facil": ms(50)}
_FACILITATING = {"U": Quantity(0.05), "tau_rec": ms(125), "tau_facil": ms(1200)}


def _plastic(
    static: SynapseModel, kind: str, variable: str, unit: str, **values: Quantity
) -> SynapseModel:
    return variant(
        static,
        name=f"{kind}_{unit}",
        edges=_RESOURCES,
        on_pre=f"u += U*(1 - u); {variable} += w*u*x; x -= u*x",
        parameters={**static.parameters, **values},
        initial={"x": Quantity(1)},
        source=_SOURCE,
    )


DEPRESSING_CURRENT = _plastic(EXPONENTIAL_CURRENT, "depressing", "I_syn", "current", **_DEPRESSING)
DEPRESSING_CONDUCTANCE = _plastic(
    EXPONENTIAL_CONDUCTANCE, "depressing", "g", "conductance", **_DEPRESSING
)
FACILITATING_CURRENT = _plastic(
    EXPONENTIAL_CURRENT, "facilitating", "I_syn", "current", **_FACILITATING
)
FACILITATING_CONDUCTANCE = _plastic(
    EXPONENTIAL_CONDUCTANCE, "facilitating", "g", "conductance", **_FACILITATING
)
