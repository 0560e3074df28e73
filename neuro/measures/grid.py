"""Gridness: the six-fold symmetry of a rate map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["autocorrelogram", "gridness"]


@quantities
def autocorrelogram(rate_hz: NDArray[np.float64], *, fewest: int = 20) -> NDArray[np.float64]:
    """Pearson correlation of a map with itself at every shift, `(2 n_y - 1, 2 n_x - 1)`.

    Only bins known in both copies count; NaN where fewer than `fewest` overlap or either copy
    is constant there. Sargolini et al. 2006.

    Raises:
        SignalError: unless the map is `(n_y, n_x)`, of one bin or more.
    """
    if np.ndim(rate_hz) != 2 or not np.size(rate_hz):
        raise SignalError(
            f"a rate map must be (n_y, n_x), of one bin or more, found shape {np.shape(rate_hz)}; "
            f"give the `rate_hz` of a `rate_map`"
        )
    known = np.isfinite(rate_hz)
    values = np.where(known, rate_hz, 0.0)
    n = np.round(_correlate(known.astype(float), known.astype(float)))
    sum_a = _correlate(values, known.astype(float))
    sum_b = _correlate(known.astype(float), values)
    square_a = _correlate(values**2, known.astype(float))
    square_b = _correlate(known.astype(float), values**2)
    cross = _correlate(values, values)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (n * square_a - sum_a**2) * (n * square_b - sum_b**2)
        # Rounding of the transform leaves a little variance in constant overlaps.
        floor = 1e-9 * (n * np.max(values**2, initial=0.0)) ** 2
        r = (n * cross - sum_a * sum_b) / np.sqrt(variance)
    return np.where((n >= fewest) & (variance > floor), np.clip(r, -1, 1), np.nan)


@quantities
def gridness(rate_hz: NDArray[np.float64]) -> float:
    """How much a map looks like itself turned by 60° and 120°, and not by 30°, 90° and 150°.

    The ring compared starts where the central peak of the autocorrelogram ends; its outer
    radius is the one that gives the highest score, as usual, so noise scores above zero:
    compare with shuffles. -2..2, and above about 0.3 for a grid cell. NaN if the map has no
    central peak to leave out. Sargolini et al. 2006; Langston et al. 2010.
    """
    from scipy.ndimage import rotate

    image = autocorrelogram(rate_hz)
    centre_y, centre_x = (side // 2 for side in image.shape)
    y, x = np.indices(image.shape)
    radius = np.hypot(y - centre_y, x - centre_x)
    inner = _central_peak(image, radius)
    reach = min(centre_y, centre_x)
    if not np.isfinite(inner) or inner + 2 > reach:
        return float("nan")

    known = np.isfinite(image)
    filled = np.where(known, image, 0.0)
    turned = {
        angle: (
            rotate(filled, angle, reshape=False, order=1),
            rotate(known.astype(float), angle, reshape=False, order=1) > 0.99,
        )
        for angle in (30, 60, 90, 120, 150)
    }
    best = float("nan")
    for outer in np.arange(inner + 2, reach + 1):
        ring = (radius > inner) & (radius <= outer) & known
        r = {
            angle: _pearson(filled[ring & valid], copy[ring & valid])
            for angle, (copy, valid) in turned.items()
        }
        score = min(r[60], r[120]) - max(r[30], r[90], r[150])
        if np.isfinite(score):
            best = score if np.isnan(best) else max(best, score)
    return best


def _central_peak(image: NDArray[np.float64], radius: NDArray[np.float64]) -> float:
    """Radius in bins at which the mean correlation first stops falling, or passes zero."""
    ring = np.round(radius).astype(int)
    profile = [
        np.nanmean(image[ring == k]) if np.isfinite(image[ring == k]).any() else np.nan
        for k in range(min(image.shape) // 2 + 1)
    ]
    for k in range(1, len(profile) - 1):
        if profile[k] <= 0 or profile[k + 1] > profile[k]:
            return float(k)
    return float("nan")


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if a.size < 3 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _correlate(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(a, b[::-1, ::-1], mode="full"))
