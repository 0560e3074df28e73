"""Cortical networks: the microcircuit under a square millimetre, and the field's benchmarks."""

from __future__ import annotations

from circuits.cortex.brunel import brunel
from circuits.cortex.microcircuit import microcircuit
from circuits.cortex.vogels_abbott import vogels_abbott

__all__ = ["brunel", "microcircuit", "vogels_abbott"]
