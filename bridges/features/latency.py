"""First-spike latency: how soon after the start of each bin a channel fires.

The first spikes carry most of what a volley says about a touch or a sound before any rate could
be counted (Thorpe et al. 2001, Neural Networks 14:715; Johansson & Birznieks 2004, Nat Neurosci
7:170).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features._steps import in_bins
from bridges.features.bins import binned
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["latency", "latency_of"]


@quantities
def latency(spikes: Spikes, *, bin_ms: float, channels: ArrayLike | None = None) -> Tensor:
    """Time from the start of each bin to each channel's first spike in it.

    Args:
        spikes: Their window must be a whole number of bins.
        bin_ms: Width of a bin, and the latency of a channel that is silent in it.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels)` float32, ms.

    Raises:
        ConfigError: if the window is no whole number of bins, or `channels` does not fit.
    """
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    first = np.full((place.n_bins, place.n_channels), bin_ms)
    since = spikes.times_ms - spikes.t_start_ms - place.bins * bin_ms
    np.minimum.at(first, (place.bins, place.channels), np.maximum(since, 0.0))
    return torch.from_numpy(first).to(torch.float32)


@quantities
def latency_of(raster: Tensor, *, bin_ms: float, dt_ms: float) -> Tensor:
    """The same of a raster, with gradients into every step up to the first spike.

    It is the time survived without a spike: the sum over steps of `prod(1 - spike)` so far. For
    spikes of 0 and 1 that is the first one's time; smooth ones give its expectation.

    Args:
        raster: `(n_steps, …, n)`, values of 0 to 1.
        bin_ms, dt_ms: Width of a bin and length of a step.

    Returns:
        `(n_bins, …, n)`, ms.

    Raises:
        ConfigError: if the raster is no whole number of bins, or not floating point.
    """
    survived = torch.cumprod(1 - in_bins(raster, bin_ms=bin_ms, dt_ms=dt_ms), dim=1)
    return dt_ms * survived.sum(1)
