"""How many numbers a reasoner holds, reckoned from its settings before any memory is asked for."""

from __future__ import annotations

from bridges.reasoning.settings import ReasonerSettings, swiglu_width
from neuro.errors import ConfigError
from neuro.memory import available_bytes

__all__ = ["held", "require_room"]

_BYTES = 4  # of a float32
_ADDRESSABLE = 2**60
"""Bytes: beyond, PyTorch cannot even say how large a tensor is."""


def held(settings: ReasonerSettings) -> int:
    """Numbers in all parameters and buffers of a reasoner, its prefix and its tables included.

    >>> from bridges.reasoning.settings import TRM_MLP
    >>> held(TRM_MLP) - TRM_MLP.slots * TRM_MLP.hidden - 2 * TRM_MLP.hidden  # prefix, two starts
    5028866
    """
    hidden, positions = settings.hidden, settings.positions_total
    inputs = (
        (settings.vocabulary if settings.length else 0)
        + settings.sensory
        + (2 if settings.length and settings.sensory else 0)
        + (positions if settings.positions == "learned" else 0)
        + (settings.puzzle_ids or settings.slots)
    )
    networks = 2 if settings.kind == "hrm" else 1
    rotation = 2 * positions * settings.width_of_head if settings.positions == "rope" else 0
    block = _mixer(settings) + _swiglu(settings, hidden)
    heads = (settings.vocabulary + 2) * hidden + 2
    starts = (1 if settings.kind == "transformer" or settings.single_z else 2) * hidden
    return inputs * hidden + networks * (settings.layers * block + rotation) + heads + starts


def _mixer(settings: ReasonerSettings) -> int:
    if settings.mixer == "mlp":
        return _swiglu(settings, settings.positions_total)
    features = settings.hidden**2
    return 4 * features if settings.mixer == "attention" else 2 * features + 9 * settings.hidden


def _swiglu(settings: ReasonerSettings, width: int) -> int:
    return 3 * width * swiglu_width(width, settings.expansion, settings.multiple)


def require_room(settings: ReasonerSettings, *, allocated: bool) -> None:
    """Refuse a reasoner that this machine cannot hold.

    Args:
        allocated: Whether its weights will lie in memory; else they are only counted.

    Raises:
        ConfigError: if its weights alone need more memory than is free, or than can be addressed.
    """
    numbers = held(settings)
    needed = _BYTES * numbers
    free = available_bytes() if allocated else None
    if needed > min(_ADDRESSABLE if free is None else free, _ADDRESSABLE):
        room = f"{_ADDRESSABLE:.1e} that can be addressed" if free is None else f"{free:.1e} free"
        raise ConfigError(
            f"a reasoner must fit into memory, found {numbers:.2g} weights, {needed:.1e} bytes, "
            f"and {room}; lower `hidden` ({settings.hidden}), `layers` ({settings.layers}) or "
            f"`expansion` ({settings.expansion})"
        )
