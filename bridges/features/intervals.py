"""All-order interspike intervals: how often spikes repeat after each delay.

Pooled over the fibres of a nerve they hold the pitch of a voice, as the delay at which they
pile up (Licklider 1951; Meddis & Hewitt 1991; Cariani & Delgutte 1996), and the less they pile
up at further multiples of it, the less steadily the voice repeats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridges.features._bins import binned
from neuro.errors import ConfigError
from neuro.spikes import Spikes

__all__ = ["excess_coincidence", "fine_counts"]


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
