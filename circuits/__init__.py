"""Wiring diagrams of nuclei and circuits. Importing this fills `CIRCUITS`."""

from __future__ import annotations

from circuits import auditory, cortex, hippocampus, limbic, nir, nociception, oscillation
from circuits.circuit import CIRCUITS, Circuit, Port, Sourced, assemble, circuit

__all__ = [
    "CIRCUITS", "Circuit", "Port", "Sourced", "assemble", "auditory", "circuit", "cortex",
    "hippocampus", "limbic", "nir", "nociception", "oscillation",
]  # fmt: skip
