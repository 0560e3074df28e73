"""Poisson neuron: spikes at a rate, without memory."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import Hz

POISSON = NeuronModel(
    name="poisson",
    equations="",
    threshold="rand() < rate*dt",  # at most one spike a step: keep rate*dt well below 1
    parameters={"rate": Hz(10)},
    source="Dayan & Abbott 2001, Theoretical Neuroscience, ch. 1",
)
