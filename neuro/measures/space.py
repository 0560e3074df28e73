"""Where a cell fires: the rate map of an arena and the information it holds."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.bins import bin_of, hair
from neuro.errors import SignalError
from neuro.units import LENGTH, quantities

__all__ = ["RateMap", "positions_at", "rate_map", "skaggs_information"]

_Places = Annotated[NDArray[np.float64], LENGTH]


class RateMap(NamedTuple):
    """A cell's rate over the arena.

    Attributes:
        rate_hz: `(n_y, n_x)`; NaN where the animal never was.
        occupancy_s: `(n_y, n_x)` time spent in each bin, not smoothed.
        bin_m: Side of a bin.
    """

    rate_hz: NDArray[np.float64]
    occupancy_s: NDArray[np.float64]
    bin_m: float


@quantities
def positions_at(
    times_ms: ArrayLike, x: _Places, y: _Places, *, dt_ms: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position when each spike fell; frame k holds from `k * dt_ms` to the next.

    Raises:
        SignalError: if the path is empty or x and y differ in length, `dt_ms` is not above 0, or
            a spike fell when there was no path.
    """
    x, y, frame = _frames(times_ms, x, y, dt_ms)
    return x[frame], y[frame]


@quantities
def rate_map(
    times_ms: ArrayLike,
    x: _Places,
    y: _Places,
    *,
    dt_ms: float,
    width_m: float,
    height_m: float | None = None,
    bin_m: float = 0.025,
    smooth_m: float = 0.05,
) -> RateMap:
    """Spikes divided by time spent, per bin of the arena.

    Args:
        times_ms: `(n_spikes,)` times of one cell, each while the path lasts.
        x, y: `(n_frames,)` path in m, in `[0, width_m]` and `[0, height_m]`.
        dt_ms: Interval between frames.
        width_m, height_m: Size of the arena, whole numbers of bins; square unless a height is
            given.
        bin_m: Side of a bin.
        smooth_m: Standard deviation of the Gaussian that smooths spikes and time spent alike,
            each on its own so that a map of constant rate stays constant; 0 for none.

    Raises:
        SignalError: if the path is empty, x and y differ in length, the path leaves the arena, a
            spike fell when there was no path, or the arena is no whole number of bins.
    """
    x, y, frame = _frames(times_ms, x, y, dt_ms)
    sides = (width_m if height_m is None else height_m, width_m)
    if not (0 < bin_m < np.inf and 0 <= smooth_m < np.inf):
        raise SignalError(
            f"a rate map needs bins wider than 0 m and a smoothing of 0 m or more, found "
            f"{bin_m} and {smooth_m} m"
        )
    shape = tuple(_bins_along(side, bin_m) for side in sides)
    outside = ~(_within(y, sides[0], bin_m) & _within(x, sides[1], bin_m))
    if outside.any():
        k = int(np.argmax(outside))
        raise SignalError(
            f"a path must lie in the arena of 0..{sides[1]:g} by 0..{sides[0]:g} m, found "
            f"{np.count_nonzero(outside)} of {x.size} frames outside, first ({x[k]:g}, {y[k]:g}) m;"
            " shift the path or give the arena's whole size"
        )
    # What lies on the far wall is in the last bin.
    row, column = (
        np.clip(bin_of(along, bin_m), 0, n - 1) for along, n in zip((y, x), shape, strict=True)
    )
    place = row * shape[1] + column
    n_bins = shape[0] * shape[1]
    frames, spikes = (
        np.bincount(found, minlength=n_bins).reshape(shape).astype(np.float64)
        for found in (place, place[frame])
    )
    occupancy = np.asarray(frames * (dt_ms / 1000.0), np.float64)
    visited = occupancy > 0
    smooth = smooth_m / bin_m
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = _smoothed(spikes, smooth) / _smoothed(occupancy, smooth)
    return RateMap(np.where(visited, rate, np.nan), occupancy, bin_m)


def _frames(
    times_ms: ArrayLike, x: NDArray[np.float64], y: NDArray[np.float64], dt_ms: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The path as arrays, and the frame in which each spike fell."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 1 or x.size == 0:
        raise SignalError(
            f"a rate map needs a path of equal, non-empty x and y, found {x.shape}, {y.shape}"
        )
    if not 0 < dt_ms < np.inf:
        raise SignalError(f"a path needs frames longer than 0 ms, found {dt_ms} ms")
    times, end_ms = np.asarray(times_ms, np.float64), x.size * dt_ms
    lost = ~((times >= 0) & (times < end_ms))
    if lost.any():
        raise SignalError(
            f"spikes must fall while the path lasts, 0..{end_ms:g} ms, found "
            f"{np.count_nonzero(lost)} of {times.size} outside, first at "
            f"{times[lost].flat[0]:g} ms; leave them out"
        )
    return x, y, np.minimum(bin_of(times, dt_ms), x.size - 1)


def _bins_along(side_m: float, bin_m: float) -> int:
    n_bins = round(side_m / bin_m) if 0 < side_m < np.inf else 0
    if n_bins < 1 or abs(n_bins * bin_m - side_m) > 1e-6 * bin_m:
        raise SignalError(
            f"an arena must be a whole number of bins of {bin_m:g} m, found a side of {side_m:g} m"
            + (f"; bins of {side_m / max(n_bins, 1):.15g} m fit" if 0 < side_m < np.inf else "")
        )
    return n_bins


def _within(along: NDArray[np.float64], side_m: float, bin_m: float) -> NDArray[np.bool_]:
    reach = hair(side_m, bin_m)
    return np.asarray((along >= -reach) & (along <= side_m + reach))


@quantities
def skaggs_information(rate_hz: NDArray[np.float64], occupancy_s: NDArray[np.float64]) -> float:
    """Information about position per spike, in bit: `Σ p (λ/λ̄) log2(λ/λ̄)`.

    0 for a uniform map, log2(n) for a cell that fires in one of n equally visited bins. NaN
    for a silent cell. Bins never visited do not count. It is biased upward for few spikes.
    Skaggs, McNaughton, Gothard & Markus 1993.

    Raises:
        SignalError: if the maps differ in shape, or a rate or a time is negative.
    """
    rate_hz, occupancy_s = np.asarray(rate_hz, np.float64), np.asarray(occupancy_s, np.float64)
    if rate_hz.shape != occupancy_s.shape or (rate_hz < 0).any() or (occupancy_s < 0).any():
        raise SignalError(
            f"spatial information needs rates and times of 0 or more in maps of one shape, found "
            f"{rate_hz.shape} and {occupancy_s.shape}, down to "
            f"{np.nanmin(rate_hz, initial=np.inf):g} Hz and "
            f"{np.nanmin(occupancy_s, initial=np.inf):g} s"
        )
    seen = (occupancy_s > 0) & np.isfinite(rate_hz)
    p = occupancy_s[seen] / occupancy_s[seen].sum()
    mean = float((p * rate_hz[seen]).sum())
    if mean == 0:
        return float("nan")
    ratio = rate_hz[seen] / mean
    positive = ratio > 0
    return float((p[positive] * ratio[positive] * np.log2(ratio[positive])).sum())


def _smoothed(image: NDArray[np.float64], sd_bins: float) -> NDArray[np.float64]:
    if sd_bins <= 0:
        return image
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, sd_bins, mode="constant"))
