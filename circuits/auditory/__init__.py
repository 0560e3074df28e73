"""Circuits of the ear's brainstem."""

from __future__ import annotations

from circuits.auditory.bushy import spherical_bushy

__all__ = ["spherical_bushy"]
