"""Phase locking: how tightly spikes keep to one phase of a periodic stimulus."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import TIME, quantities

__all__ = ["phases", "rayleigh_p", "vector_strength"]


@quantities
def phases(spikes: Annotated[Spikes | ArrayLike, TIME], frequency_hz: float) -> NDArray[np.float64]:
    """Phase of each spike in the cycle of a tone that starts at 0 ms, in `[0, 2π)` rad.

    `spikes` are a `Spikes` (all units pooled) or times in ms. Times are since 0 ms, wherever the
    spikes' window starts: the tone does not start anew there.

    Raises:
        SignalError: if the frequency is not above 0.
    """
    if not 0 < frequency_hz < np.inf:
        raise SignalError(f"a phase needs a frequency above 0 Hz, found {frequency_hz} Hz")
    times_ms = spikes.times_ms if isinstance(spikes, Spikes) else np.asarray(spikes, np.float64)
    cycles = times_ms * (frequency_hz / 1000.0)
    return np.asarray(2 * np.pi * (cycles - np.floor(cycles)))


@quantities
def vector_strength(spikes: Annotated[Spikes | ArrayLike, TIME], frequency_hz: float) -> float:
    """Length of the mean vector of the spikes' phases: 1 if all agree, near 0 if spread evenly.

    NaN without spikes. Units of a `Spikes` are pooled, so their phases must be comparable.
    By chance alone it is about `sqrt(pi / 4n)` for n spikes. Goldberg & Brown 1969.
    """
    angles = phases(spikes, frequency_hz)
    return float(np.abs(np.exp(1j * angles).mean())) if angles.size else float("nan")


@quantities
def rayleigh_p(spikes: Annotated[Spikes | ArrayLike, TIME], frequency_hz: float) -> float:
    """Probability that spikes without any locking reach this vector strength.

    Rayleigh's test with the small-sample form of Zar 1999, eq. 27.4; 1 without spikes.
    """
    n = phases(spikes, frequency_hz).size
    if n == 0:
        return 1.0
    resultant = n * vector_strength(spikes, frequency_hz)
    return float(np.exp(np.sqrt(1 + 4 * n + 4 * (n**2 - resultant**2)) - (1 + 2 * n)))
