"""Phase of firing: each spike labelled by where it falls in a reference oscillation.

A spike then says more than that it happened. In auditory and visual cortex the phase of slow
field potentials at which cells fire carries as much again as their count (Montemurro et al.
2008; Kayser et al. 2009, who divide the cycle into four quadrants, as here by default).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bridges.features._steps import floating, in_bins
from bridges.features.bins import binned
from neuro.bins import HAIR, bin_of
from neuro.errors import ConfigError, SignalError
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = [
    "band_phase", "oscillation_phase", "phase_counts", "phase_counts_of", "phase_vectors",
    "phase_vectors_of",
]  # fmt: skip


@quantities
def oscillation_phase(
    times_ms: ArrayLike, *, frequency_hz: float, start_rad: float = 0.0
) -> NDArray[np.float64]:
    """Phase, in 0..2π, of `sin(2π f t + start)` at each time."""
    turns = np.asarray(times_ms, dtype=np.float64) * (frequency_hz / 1000.0)
    return np.mod(2 * np.pi * turns + start_rad, 2 * np.pi)


@quantities
def band_phase(
    signal: Signal, times_ms: ArrayLike, *, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    """Phase of one frequency band of a signal at each time, in 0..2π; 0 at its crests.

    The signal (a field potential, a stimulus envelope) is band-passed without delay (Butterworth
    of order 2, run forward and back) and its Hilbert phase is read at the frame of each time.

    Raises:
        ConfigError: if the band does not lie between 0 and half the frame rate.
        SignalError: if a time lies outside the signal, or the signal is shorter than the
            filter needs.
    """
    from scipy.signal import butter, hilbert, sosfiltfilt

    rate_hz = 1000.0 / signal.dt_ms
    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise ConfigError(
            f"a band must lie between 0 and {rate_hz / 2:g} Hz, half the signal's frame rate, "
            f"found {low_hz:g}..{high_hz:g} Hz"
        )
    if signal.values.ndim != 1:
        raise SignalError(f"a reference must have one channel, found {signal.values.shape[1]}")
    sections = butter(2, (low_hz, high_hz), btype="bandpass", fs=rate_hz, output="sos")
    shortest = 3 * (2 * len(sections) + 1) + 1
    if signal.values.size < shortest:
        raise SignalError(
            f"a reference must have {shortest} frames or more, found {signal.values.size}"
        )
    times = np.asarray(times_ms, dtype=np.float64)
    if times.size and not (times.min() >= 0 and times.max() < signal.duration_ms):
        raise SignalError(
            f"the reference covers 0..{signal.duration_ms:g} ms, found spikes outside it"
        )
    frames = np.minimum(bin_of(times, signal.dt_ms), signal.values.size - 1)
    analytic = hilbert(sosfiltfilt(sections, signal.values))
    return np.mod(np.angle(analytic), 2 * np.pi)[frames]


@quantities
def phase_counts(
    spikes: Spikes,
    phases_rad: ArrayLike,
    *,
    bin_ms: float,
    parts: int = 4,
    channels: ArrayLike | None = None,
) -> Tensor:
    """Spikes per time bin, channel and part of the cycle.

    Args:
        spikes: Their window must be a whole number of bins.
        phases_rad: `(n_spikes,)` phase of each spike in a reference oscillation.
        bin_ms: Width of a bin.
        parts: Into how many equal parts the cycle is divided; the first starts at phase 0.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels, parts)` float32.

    Raises:
        ConfigError: if the bins, channels or phases do not fit the spikes.

    Summed over the parts, it is `counts` of the same bins and channels.
    """
    if parts < 1:
        raise ConfigError(f"a cycle must have 1 part or more, found {parts}")
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    part = _part_of(_fitting(phases_rad, spikes), parts)
    fine = place._replace(channels=place.channels * parts + part,
                          n_channels=place.n_channels * parts)  # fmt: skip
    sums = fine.add_up().reshape(place.n_bins, place.n_channels, parts)
    return torch.from_numpy(sums).to(torch.float32)


@quantities
def phase_vectors(
    spikes: Spikes,
    phases_rad: ArrayLike,
    *,
    bin_ms: float,
    channels: ArrayLike | None = None,
) -> Tensor:
    """Summed unit vectors of the spikes' phases, `(n_bins, n_channels, 2)`: cosine, then sine.

    Their length divided by the count is the vector strength of that bin and channel.

    Raises:
        ConfigError: if the bins, channels or phases do not fit the spikes.
    """
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    phases = _fitting(phases_rad, spikes)
    both = [place.add_up(weights=np.cos(phases)), place.add_up(weights=np.sin(phases))]
    return torch.from_numpy(np.stack(both, axis=-1)).to(torch.float32)


@quantities
def phase_counts_of(
    raster: Tensor, phases_rad: ArrayLike, *, bin_ms: float, dt_ms: float, parts: int = 4
) -> Tensor:
    """`phase_counts` of a raster, with gradients into the spikes.

    Args:
        raster: `(n_steps, …, n)`.
        phases_rad: `(n_steps,)` phase of the reference at the start of each step.

    Returns:
        `(n_bins, …, n, parts)`.

    Raises:
        ConfigError: if bins or phases do not fit the raster, or it is not floating point.
    """
    if parts < 1:
        raise ConfigError(f"a cycle must have 1 part or more, found {parts}")
    part = torch.from_numpy(_part_of(_of_steps(phases_rad, raster), parts))
    falls = torch.nn.functional.one_hot(part, parts).to(raster)
    return _weighted(raster, falls, bin_ms=bin_ms, dt_ms=dt_ms)


@quantities
def phase_vectors_of(
    raster: Tensor, phases_rad: ArrayLike, *, bin_ms: float, dt_ms: float
) -> Tensor:
    """`phase_vectors` of a raster `(n_steps, …, n)`: `(n_bins, …, n, 2)`, with gradients.

    Raises:
        ConfigError: if bins or phases do not fit the raster, or it is not floating point.
    """
    phases = torch.from_numpy(_of_steps(phases_rad, raster))
    both = torch.stack([torch.cos(phases), torch.sin(phases)], -1).to(floating(raster))
    return _weighted(raster, both, bin_ms=bin_ms, dt_ms=dt_ms)


def _part_of(phases: NDArray[np.float64], parts: int) -> NDArray[np.int64]:
    """Which part of the cycle each phase is in; one on an edge, give or take a hair, begins it."""
    found = np.floor(phases * (parts / (2 * np.pi)) + HAIR).astype(np.int64)
    return np.asarray(np.mod(found, parts), dtype=np.int64)


def _weighted(raster: Tensor, weights: Tensor, *, bin_ms: float, dt_ms: float) -> Tensor:
    steps = in_bins(raster, bin_ms=bin_ms, dt_ms=dt_ms)
    return torch.einsum("bt...,btk->b...k", steps, weights.reshape(*steps.shape[:2], -1))


def _of_steps(phases_rad: ArrayLike, raster: Tensor) -> NDArray[np.float64]:
    phases = np.asarray(phases_rad, dtype=np.float64)
    if phases.shape != raster.shape[:1] or not np.isfinite(phases).all():
        raise ConfigError(
            f"each of {raster.shape[0]} steps needs one finite phase, found shape {phases.shape}"
        )
    return phases


def _fitting(phases_rad: ArrayLike, spikes: Spikes) -> NDArray[np.float64]:
    phases = np.asarray(phases_rad, dtype=np.float64)
    if phases.shape != (len(spikes),) or not np.isfinite(phases).all():
        raise ConfigError(
            f"each of {len(spikes)} spikes needs one finite phase, found shape {phases.shape}"
        )
    return phases
