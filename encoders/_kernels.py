"""Inner loops shared by encoders, compiled on first use."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neuro.compiled import kept

__all__ = ["fire"]


@kept
@njit(nogil=True)
def _uniform(key: np.uint64, counter: int) -> float:  # pragma: no cover
    """Number `counter` of the stream `key`, in (0, 1): SplitMix64 (Steele, Lea & Flood 2014)."""
    z = key + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (float(z >> np.uint64(11)) + 0.5) * 2.0**-53


@kept
@njit(nogil=True)
def fire(
    rate: NDArray[np.float64], dt_ms: float, key: np.uint64, absolute_ms: float, relative_ms: float
) -> NDArray[np.float64]:  # pragma: no cover
    """Times of one unit's spikes: a point process thinned by its own refractoriness.

    `rate` is per ms and holds for `dt_ms`. The next spike comes when the hazard integrated
    since the last one reaches an exponential random number, so times are not bound to steps.
    """
    out = np.empty(int(rate.size * dt_ms / absolute_ms) + 2)
    count = 0
    last = -math.inf
    need = -math.log(_uniform(key, 0))
    for k in range(rate.size):
        start = k * dt_ms
        recovered = (start - last - absolute_ms) / relative_ms
        if recovered <= 0.0:
            continue
        hazard = rate[k] * min(recovered, 1.0) * dt_ms
        if hazard < need:
            need -= hazard
            continue
        last = start + dt_ms * need / hazard
        out[count] = last
        count += 1
        need = -math.log(_uniform(key, count))
    return out[:count].copy()
