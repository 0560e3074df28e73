"""From a rate to spikes, for any kind of afferent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.wiring import generator

__all__ = ["draw_spikes", "unit_keys"]


def unit_keys(seed: int, stream: str, n_units: int) -> NDArray[np.uint64]:
    """`(n_units,)` keys of the units' own random streams; unit i's does not depend on `n_units`."""
    return generator(seed, stream).integers(0, 2**64, size=n_units, dtype=np.uint64)


def draw_spikes(
    rate_hz: NDArray[np.float64],
    dt_ms: float,
    key: np.uint64,
    *,
    absolute_ms: float,
    relative_ms: float,
) -> NDArray[np.float64]:
    """Spike times of one unit whose rate is given but for refractoriness.

    No spike follows another within `absolute_ms`; the rate then recovers linearly over
    `relative_ms`. A longer rate of the same beginning gives the same beginning of spikes.

    Args:
        rate_hz: `(n,)`, each holding for `dt_ms`.
        dt_ms: Interval of `rate_hz`, at most `absolute_ms`: one spike fits in it.
        key: The unit's stream, from `unit_keys`.
        absolute_ms, relative_ms: Refractory times, above 0.

    Returns:
        `(n_spikes,)` increasing times in ms, in `[0, n * dt_ms)`, not bound to the steps.

    Raises:
        SignalError: unless `0 < dt_ms <= absolute_ms` and `relative_ms > 0`.
    """
    if not 0 < dt_ms <= absolute_ms or not relative_ms > 0:
        raise SignalError(
            f"spikes need 0 < dt <= absolute refractory time and a relative one above 0, found "
            f"dt {dt_ms:g} ms, absolute {absolute_ms:g} ms, relative {relative_ms:g} ms"
        )
    from encoders._kernels import fire

    times: NDArray[np.float64] = fire(
        np.asarray(rate_hz) / 1000.0, dt_ms, key, absolute_ms, relative_ms
    )
    return times
