"""Neuron models, one a file. A model is data; `MODELS` finds it by name.

Spikes that come from outside, such as an encoder's, need no model: they are a
`neuro.network.Source`. Whether a membrane takes currents or conductances is its synapses' affair.
"""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.models.adex import ADEX
from neuro.models.gif import GIF
from neuro.models.hodgkin_huxley import HODGKIN_HUXLEY
from neuro.models.izhikevich import IZHIKEVICH
from neuro.models.leaky_integrator import LEAKY_INTEGRATOR
from neuro.models.lif import LIF
from neuro.models.pinsky_rinzel import PINSKY_RINZEL
from neuro.models.poisson import POISSON
from neuro.models.quadratic_if import QUADRATIC_IF
from neuro.models.rothman_manis import ROTHMAN_MANIS, rothman_manis
from neuro.models.traub_miles import TRAUB_MILES, TRAUB_MILES_PING
from neuro.models.wang_buzsaki import WANG_BUZSAKI
from neuro.registry import Registry

__all__ = [
    "ADEX", "GIF", "HODGKIN_HUXLEY", "IZHIKEVICH", "LEAKY_INTEGRATOR", "LIF", "MODELS",
    "PINSKY_RINZEL", "POISSON", "QUADRATIC_IF", "ROTHMAN_MANIS", "TRAUB_MILES",
    "TRAUB_MILES_PING", "WANG_BUZSAKI", "rothman_manis",
]  # fmt: skip

MODELS: Registry[NeuronModel] = Registry("model")
for _model in (
    ADEX, GIF, HODGKIN_HUXLEY, IZHIKEVICH, LEAKY_INTEGRATOR, LIF, PINSKY_RINZEL, POISSON,
    QUADRATIC_IF, *ROTHMAN_MANIS, TRAUB_MILES, TRAUB_MILES_PING, WANG_BUZSAKI,
):  # fmt: skip
    MODELS.add(_model.name, _model)
