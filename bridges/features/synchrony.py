"""Synchronisation matrix: which channels fire together, however much they fire."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bridges.features._steps import checked_tau, decayed, in_bins
from bridges.features.bins import binned
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["synchrony", "synchrony_of"]


@quantities
def synchrony(
    spikes: Spikes, *, tau_ms: float, bin_ms: float, channels: ArrayLike | None = None
) -> Tensor:
    """How alike the spike trains of each two channels are within each bin, 0 to 1.

    The cosine between the trains after both were smoothed: pairs of spikes count
    `exp(-distance/tau)`, and the sum is divided by the geometric mean of what each train makes
    with itself (Schreiber et al. 2003, Neurocomputing 52-54:925, with the exponential of van
    Rossum 2001, Neural Comput 13:751). Busy independent channels are alike by chance: compare
    with `surrogate.untimed`, not with zero.

    Args:
        spikes: Their window must be a whole number of bins.
        tau_ms: How far apart is together.
        bin_ms: Width of a bin; spikes of different bins are not paired.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels, n_channels)` float32, symmetric; 1 on the diagonal, and 0 in the
        row and the column of a channel that is silent in the bin.

    Raises:
        ConfigError: if `tau_ms` is not positive, the window is no whole number of bins, or
            `channels` does not fit.
    """
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    checked_tau(tau_ms)
    pairs = np.zeros((place.n_bins, place.n_channels, place.n_channels))
    bounds = np.searchsorted(place.bins, np.arange(place.n_bins + 1))
    for found, (first, last) in zip(pairs, pairwise(bounds), strict=True):
        found[:] = _pairs(
            spikes.times_ms[first:last] / tau_ms, place.channels[first:last], place.n_channels
        )
    return _cosine(torch.from_numpy(pairs)).to(torch.float32)


@quantities
def synchrony_of(raster: Tensor, *, tau_ms: float, bin_ms: float, dt_ms: float) -> Tensor:
    """The same of a raster, with gradients.

    Args:
        raster: `(n_steps, …, n)`.

    Returns:
        `(n_bins, …, n, n)`.

    Raises:
        ConfigError: if `tau_ms` is not positive, or the raster no whole number of bins,
            or not floating point.
    """
    steps_first = in_bins(raster, bin_ms=bin_ms, dt_ms=dt_ms).transpose(0, 1)
    past = decayed(steps_first, tau_ms=checked_tau(tau_ms), dt_ms=dt_ms)
    one_way = torch.einsum("t...i,t...j->...ij", steps_first, past)
    together = torch.einsum("t...i,t...j->...ij", steps_first, steps_first)
    return _cosine(one_way + one_way.transpose(-1, -2) - together)  # one step is both ways at once


def _pairs(times: NDArray[np.float64], channels: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """`(n, n)` sums over pairs of spikes, each spike with itself as well; times in units of tau."""
    earlier, decayed_sum, last = np.zeros((n, n)), np.zeros(n), -np.inf
    for time, channel in zip(times, channels, strict=True):
        decayed_sum *= np.exp(last - time)
        earlier[channel] += decayed_sum
        decayed_sum[channel] += 1.0
        last = time
    both: NDArray[np.float64] = earlier + earlier.T
    both[np.diag_indices(n)] += np.bincount(channels, minlength=n)
    return both


def _cosine(pairs: Tensor) -> Tensor:
    own = pairs.diagonal(dim1=-2, dim2=-1)
    # The square root of 0 has no slope: a silent channel's is taken of 1, and not used.
    size = torch.sqrt(torch.where(own > 0, own, torch.ones_like(own)))
    return pairs / (size[..., :, None] * size[..., None, :])
