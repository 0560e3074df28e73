"""Poisson neuron: spikes at a rate, without memory."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import Hz

POISSON = NeuronModel(
    name="poisson",
    equations="",
    threshold="rand() < rate*dt",  # at most one spike a step, so `build` refuses a large rate*dt
    parameters={"rate": Hz(10)},
    source="Dayan & Abbott 2001, Theoretical Neuroscience, ch. 1",
)
