"""Neuron models, one a file. A model is data; `MODELS` finds it by name."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.models.adex import ADEX
from neuro.models.leaky_integrator import LEAKY_INTEGRATOR
from neuro.models.lif import LIF
from neuro.models.poisson import POISSON
from neuro.registry import Registry

__all__ = ["ADEX", "LEAKY_INTEGRATOR", "LIF", "MODELS", "POISSON"]

MODELS: Registry[NeuronModel] = Registry("model")
for _model in (ADEX, LEAKY_INTEGRATOR, LIF, POISSON):
    MODELS.add(_model.name, _model)
