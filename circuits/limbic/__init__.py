"""Circuits that decide what matters: the amygdala and the nuclei it calls on."""

from __future__ import annotations

from circuits.limbic.amygdala import amygdala
from circuits.limbic.locus_coeruleus import locus_coeruleus

__all__ = ["amygdala", "locus_coeruleus"]
