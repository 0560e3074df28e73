"""The engine: equations, networks, back ends, recordings. Imports no other room.

`model` what a neuron and a synapse are · `network` populations, projections, sources, drives ·
`wiring` connection rules · `modulation` transmitters, receptors, effects · `equations` text to
step program · `build` everything bound · `backends` that run it · `simulate` the way in ·
`recording` the way out · `measures` what to make of it · `ranges` what a field may be
"""

from __future__ import annotations

from neuro.model import NeuronModel, SynapseModel
from neuro.network import (
    Background,
    Drive,
    Network,
    Normal,
    Population,
    Projection,
    Record,
    Source,
    Uniform,
)
from neuro.recording import Recording
from neuro.signal import Signal
from neuro.simulate import prepare, simulate
from neuro.spikes import Spikes

__all__ = [
    "Background", "Drive", "Network", "NeuronModel", "Normal", "Population", "Projection",
    "Record", "Recording", "Signal", "Source", "Spikes", "SynapseModel", "Uniform", "prepare",
    "simulate",
]  # fmt: skip
