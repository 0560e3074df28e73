"""Synapse models, one idea a file. `SYNAPSES` finds a model by name."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.registry import Registry
from neuro.synapses.delta import DELTA
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT

__all__ = ["DELTA", "EXPONENTIAL_CONDUCTANCE", "EXPONENTIAL_CURRENT", "SYNAPSES"]

SYNAPSES: Registry[SynapseModel] = Registry("synapse")
for _model in (DELTA, EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT):
    SYNAPSES.add(_model.name, _model)
