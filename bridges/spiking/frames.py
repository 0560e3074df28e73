"""Spikes on a time grid, one frame a step, and the same frames with their timing destroyed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bridges.features.bins import binned
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["frames_of", "scrambled", "spikes_of"]


@quantities
def frames_of(spikes: Spikes, *, dt_ms: float) -> Tensor:
    """Which units spiked in which step.

    Args:
        spikes: Their window must be a whole number of steps.
        dt_ms: Length of a step.

    Returns:
        `(n_steps, n_units)` uint8 of 0 and 1: spikes of a unit that share a step count once, as
        a network of that step takes them.

    Raises:
        ConfigError: if the window is no whole number of steps.
    """
    sums = binned(spikes, bin_ms=dt_ms).add_up()
    return torch.from_numpy((sums > 0).astype(np.uint8))


@quantities
def spikes_of(frames: Tensor, *, dt_ms: float) -> Spikes:
    """Frames `(n_steps, n_units)` as spikes, each at the start of its step."""
    steps, units = np.nonzero(frames.numpy())
    return Spikes(steps * dt_ms, units, n_units=frames.shape[1], t_stop_ms=frames.shape[0] * dt_ms)


def scrambled(frames: Tensor, *, window: int, generator: torch.Generator) -> Tensor:
    """Each unit's spikes at random steps of the window they were in; what is slower survives.

    Windows are fixed in time (interval jitter: Amarasingham et al. 2012, J Neurophysiol 107:517).

    Args:
        frames: `(n_steps, …)`.
        window: Steps of a window; the last may be shorter. All steps at once leave counts alone.
        generator: Where the random order comes from.

    Raises:
        ConfigError: if a window is shorter than a step.

    Every unit has exactly as many spikes in every window as before, and no step has two of them.
    """
    if window < 1:
        raise ConfigError(f"a window must be one step or more, found {window}")
    parts = []
    for part in frames.split(window):
        order = torch.rand(part.shape, generator=generator).argsort(0)
        parts.append(part.gather(0, order))
    return torch.cat(parts)
