"""Reasoners before their training: how wide, and with which weights."""

from __future__ import annotations

from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import ReasonerSettings
from neuro.wiring import generator

__all__ = ["new_reasoner", "swiglu_multiple"]

_WIDE = 256
"""From here on SwiGLUs are rounded up to the published multiple, below to 16: engineering choice,
at which narrow models are not mostly rounding."""


def swiglu_multiple(hidden: int) -> int:
    """To what multiple the width of a SwiGLU is rounded up."""
    return 256 if hidden >= _WIDE else 16


def new_reasoner(settings: ReasonerSettings, *, seed: int) -> Reasoner:
    """An untrained reasoner; the same seed and settings give the same weights."""
    return build(settings, seed=int(generator(seed, "weights").integers(2**62)))
