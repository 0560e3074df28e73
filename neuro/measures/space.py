"""Where a cell fires: the rate map of an arena and the information it holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["RateMap", "positions_at", "rate_map", "skaggs_information"]


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
    times_ms: ArrayLike, x: NDArray[np.float64], y: NDArray[np.float64], *, dt_ms: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position when each spike fell; frame k holds from `k * dt_ms`, the last one on."""
    frame = np.floor(np.asarray(times_ms, np.float64) / dt_ms + 1e-9).astype(np.int64)
    frame = np.minimum(frame, x.size - 1)
    return x[frame], y[frame]


@quantities
def rate_map(
    times_ms: ArrayLike,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    dt_ms: float,
    width_m: float,
    height_m: float | None = None,
    bin_m: float = 0.025,
    smooth_m: float = 0.05,
) -> RateMap:
    """Spikes divided by time spent, per bin of the arena.

    Args:
        times_ms: `(n_spikes,)` times of one cell.
        x, y: `(n_frames,)` path in m, in `[0, width_m]` and `[0, height_m]`.
        dt_ms: Interval between frames.
        width_m, height_m: Size of the arena; square unless a height is given.
        bin_m: Side of a bin.
        smooth_m: Standard deviation of the Gaussian that smooths spikes and time spent alike,
            each on its own so that a map of constant rate stays constant; 0 for none.

    Raises:
        SignalError: if the path is empty or x and y differ in length.
    """
    if x.shape != y.shape or x.ndim != 1 or x.size == 0:
        raise SignalError(
            f"a rate map needs a path of equal, non-empty x and y, found {x.shape}, {y.shape}"
        )
    height = width_m if height_m is None else height_m
    edges = [np.linspace(0, side, max(1, round(side / bin_m)) + 1) for side in (height, width_m)]
    at_x, at_y = positions_at(times_ms, x, y, dt_ms=dt_ms)
    occupancy = np.histogram2d(y, x, edges)[0] * dt_ms / 1000.0
    spikes = np.histogram2d(at_y, at_x, edges)[0]
    visited = occupancy > 0
    smooth = smooth_m / bin_m
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = _smoothed(spikes, smooth) / _smoothed(occupancy, smooth)
    return RateMap(np.where(visited, rate, np.nan), occupancy, bin_m)


@quantities
def skaggs_information(rate_hz: NDArray[np.float64], occupancy_s: NDArray[np.float64]) -> float:
    """Information about position per spike, in bit: `Σ p (λ/λ̄) log2(λ/λ̄)`.

    0 for a uniform map, log2(n) for a cell that fires in one of n equally visited bins. NaN
    for a silent cell. Bins never visited do not count. It is biased upward for few spikes.
    Skaggs, McNaughton, Gothard & Markus 1993.
    """
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
