"""Circuits of pain."""

from __future__ import annotations

from circuits.nociception.dorsal_horn import dorsal_horn

__all__ = ["dorsal_horn"]
