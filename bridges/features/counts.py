"""Spike counts: what is left of spikes when their timing within a bin is thrown away."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features._bins import binned
from neuro.spikes import Spikes

__all__ = ["counts"]


def counts(spikes: Spikes, *, bin_ms: float, channels: ArrayLike | None = None) -> Tensor:
    """How many spikes each channel fired in each time bin.

    Args:
        spikes: Their window must be a whole number of bins.
        bin_ms: Width of a bin.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels)` float32.

    Raises:
        ConfigError: if the window is no whole number of bins, or `channels` does not fit.

    Every spike is counted once: the sum is the number of spikes.
    """
    sums = binned(spikes, bin_ms=bin_ms, channels=channels).add_up()
    return torch.from_numpy(sums).to(torch.float32)
