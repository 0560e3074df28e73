"""Spike counts: what is left of spikes when their timing within a bin is thrown away."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features._steps import in_bins
from bridges.features.bins import binned
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["counts", "counts_of"]


@quantities
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


@quantities
def counts_of(raster: Tensor, *, bin_ms: float, dt_ms: float) -> Tensor:
    """The same of a raster, with gradients.

    Args:
        raster: `(n_steps, …, n)`, as a network in torch gives it out.
        bin_ms, dt_ms: Width of a bin and length of a step.

    Returns:
        `(n_bins, …, n)`.

    Raises:
        ConfigError: if the raster is no whole number of bins, or not floating point.
    """
    return in_bins(raster, bin_ms=bin_ms, dt_ms=dt_ms).sum(1)
