"""Interspike intervals: from each spike to the unit's next, and, all-order, to every later one.

All-order intervals, pooled over the fibres of a nerve, hold the pitch of a voice, as the delay at
which they pile up (Licklider 1951; Meddis & Hewitt 1991; Cariani & Delgutte 1996), and the less
they pile up at further multiples of it, the less steadily the voice repeats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bridges.features._steps import floating, in_bins, steps_of
from bridges.features.bins import binned
from neuro.bins import HAIR
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["excess_coincidence", "fine_counts", "interval_counts", "interval_counts_of"]


@quantities
def fine_counts(
    spikes: Spikes, *, dt_ms: float, channels: ArrayLike | None = None
) -> NDArray[np.float64]:
    """`(n_channels, n_frames)` spikes of each channel in frames of `dt_ms`.

    Raises:
        ConfigError: if the window is no whole number of frames, or `channels` does not fit.
    """
    return np.ascontiguousarray(binned(spikes, bin_ms=dt_ms, channels=channels).add_up().T)


def excess_coincidence(frames: ArrayLike, *, longest: int) -> NDArray[np.float64]:
    """Covariance of frames `lag` apart over that of neighbouring independent spikes.

    For each lag, the pairs of spikes of one channel that are that far apart, less the pairs
    expected from the channel's mean rate, summed over channels and divided by the number of
    spikes. Independent spikes of constant rate give 0; spikes that all repeat after the lag
    add 1 for each repetition. Compensated for the fewer pairs at longer lags.

    Args:
        frames: `(n_channels, n_frames)`, from `fine_counts`.
        longest: Last lag, in frames.

    Returns:
        `(longest + 1,)`; 0 everywhere if there are no spikes. Lag 0 pairs spikes with
        themselves too.

    Raises:
        ConfigError: if there are no more frames than `longest`.
    """
    frames = np.asarray(frames, dtype=np.float64)
    n = frames.shape[1]
    if n <= longest:
        raise ConfigError(f"intervals of {longest} frames need a longer window, found {n} frames")
    total = frames.sum()
    if total == 0:
        return np.zeros(longest + 1)
    spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), n=2 * n, axis=1)
    pairs = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=0), n=2 * n)[: longest + 1]
    return np.asarray(pairs / total * (n / (n - np.arange(longest + 1))))


@quantities
def interval_counts(
    spikes: Spikes,
    *,
    edges_ms: Sequence[float],
    bin_ms: float,
    channels: ArrayLike | None = None,
) -> Tensor:
    """How many intervals of each length end in each time bin.

    An interval is from a spike to the next of the same unit; those of a channel's units are
    pooled. It belongs to the bin in which it ends.

    Args:
        spikes: Their window must be a whole number of bins.
        edges_ms: Ascending lengths; class `k` holds `edges[k] <= interval < edges[k + 1]`, others
            are left out. The last may be infinite: its class has no upper end.
        bin_ms: Width of a time bin.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels, len(edges_ms) - 1)` float32.

    Raises:
        ConfigError: if the edges do not ascend, the window is no whole number of bins, or
            `channels` does not fit.
    """
    edges = _ascending(edges_ms)
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    order = np.lexsort((spikes.times_ms, spikes.units))
    units, times = spikes.units[order], spikes.times_ms[order]
    lengths = np.where(units[1:] == units[:-1], np.diff(times), np.inf)
    # A hair's breadth, as in `binned`: 0.3 ms measured between two times is seldom 0.3.
    longest = min(edges[np.isfinite(edges)][-1], spikes.duration_ms)
    classes = np.searchsorted(edges, lengths + HAIR * longest, side="right") - 1
    held = (classes >= 0) & (classes < edges.size - 1)
    ends = order[1:][held]
    found = np.zeros((place.n_bins, place.n_channels, edges.size - 1))
    np.add.at(found, (place.bins[ends], place.channels[ends], classes[held]), 1.0)
    return torch.from_numpy(found).to(torch.float32)


@quantities
def interval_counts_of(
    raster: Tensor, *, edges_ms: Sequence[float], bin_ms: float, dt_ms: float
) -> Tensor:
    """The same of a raster, with gradients into both spikes and into the silence between.

    Args:
        raster: `(n_steps, …, n)`, values of 0 to 1.
        edges_ms: Each a whole number of steps, the first 0 or one step or more, the last perhaps
            infinite.

    Returns:
        `(n_bins, …, n, len(edges_ms) - 1)`.

    Raises:
        ConfigError: if the edges do not ascend, a length is no whole number of steps, or the
            raster is not floating point.

    Takes as many passes over the raster, and keeps as many for the gradient, as the longest
    interval has steps, or with an infinite edge the raster.
    """
    edges = _ascending(edges_ms)
    lags = [
        0 if edge == 0 else steps_of("an edge of intervals", edge, dt_ms)
        for edge in edges[np.isfinite(edges)]
    ]
    if len(lags) < edges.size:
        lags.append(max(lags[-1] + 1, raster.shape[0]))
    silent = torch.ones_like(floating(raster))
    found = [torch.zeros_like(raster) for _ in lags[1:]]
    for lag in range(1, min(lags[-1], raster.shape[0])):
        earlier = torch.cat([torch.zeros_like(raster[:lag]), raster[:-lag]])
        if lag >= lags[0]:
            which = int(np.searchsorted(lags, lag, side="right")) - 1
            found[which] = found[which] + raster * silent * earlier
        silent = silent * (1 - earlier)
    ended = [in_bins(one, bin_ms=bin_ms, dt_ms=dt_ms).sum(1) for one in found]
    return torch.stack(ended, -1)


def _ascending(edges_ms: Sequence[float]) -> NDArray[np.float64]:
    edges = np.asarray(edges_ms, dtype=np.float64)
    if edges.ndim != 1 or edges.size < 2 or edges[0] < 0 or not (np.diff(edges) > 0).all():
        raise ConfigError(
            "edges of intervals must be two or more ascending lengths of 0 ms or more, "
            f"found {list(edges_ms)}"
        )
    return edges
