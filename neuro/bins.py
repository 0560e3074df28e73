"""Which bin a number falls into: the one rule of measures, features and figures.

What lies on an edge is in the bin that begins there, however it was rounded: 0.3 ms is the start
of the fourth bin of 0.1 ms, and 0.3 / 0.1 is less than 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.spikes import Spikes

__all__ = ["HAIR", "bin_of", "hair", "spike_counts", "within"]

# Of a bin; it is more than four roundings of up to two million bins.
HAIR = 1e-9
_ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of a value that was computed from others


def hair(value: ArrayLike, width: float) -> NDArray[np.float64]:
    """How far a value may lie beside an edge of bins and be on it.

    A billionth of a bin, and the rounding of the value itself, which is more than that where the
    value is large beside a bin.
    """
    return np.asarray(HAIR * width + _ROUNDING * np.abs(value), np.float64)


def bin_of(values: ArrayLike, width: float, *, start: float = 0.0) -> NDArray[np.int64]:
    """The bin of each value, elementwise; bin 0 begins at `start`, those before it are negative.

    Of an end it is the number of whole bins from `start` to there.
    """
    found = np.asarray(values, dtype=np.float64)
    reach = hair(np.maximum(np.abs(found), abs(start)), width)
    return np.floor((found - start + reach) / width).astype(np.int64)


def within(values: ArrayLike, start: float, stop: float) -> NDArray[np.bool_]:
    """Whether each value lies in `[start, stop)`; one on an edge is at it, however rounded."""
    found = np.asarray(values, dtype=np.float64)
    return np.asarray((found >= start - hair(start, 0.0)) & (found < stop - hair(stop, 0.0)))


def spike_counts(
    spikes: Spikes, *, bin_ms: float, n_bins: int, start_ms: float
) -> NDArray[np.float64]:
    """`(n_bins,)` spikes of all units in bins from `start_ms` on, which the spikes' window holds.

    A bin holds what is at its start and not what is at its end.
    """
    stop_ms = start_ms + n_bins * bin_ms
    first, last = np.searchsorted(spikes.times_ms, (start_ms - bin_ms, stop_ms + bin_ms))
    bins = bin_of(spikes.times_ms[first:last], bin_ms, start=start_ms)
    if stop_ms >= spikes.t_stop_ms - hair(spikes.t_stop_ms, bin_ms):
        bins = np.minimum(bins, n_bins - 1)  # the last instant of the window, rounded up
    inside = bins[(bins >= 0) & (bins < n_bins)]
    return np.bincount(inside, minlength=n_bins).astype(np.float64)
