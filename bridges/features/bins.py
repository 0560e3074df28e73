"""Which time bin and which channel each spike falls into; shared by the features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.bins import bin_of
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["Binned", "binned", "n_bins_of"]


class Binned(NamedTuple):
    """Per spike its bin and channel, and how many there are of each."""

    bins: NDArray[np.int64]
    channels: NDArray[np.int64]
    n_bins: int
    n_channels: int

    def add_up(self, *, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """`(n_bins, n_channels)` sums of the weights (1 for each spike)."""
        cells = self.bins * self.n_channels + self.channels
        total = np.bincount(cells, weights, minlength=self.n_bins * self.n_channels)
        return total.reshape(self.n_bins, self.n_channels).astype(np.float64)


@quantities
def n_bins_of(spikes: Spikes, bin_ms: float) -> int:
    """How many bins the window of the spikes is.

    Raises:
        ConfigError: if it is no whole number of them, or a bin has no length.
    """
    if not bin_ms > 0:
        raise ConfigError(f"a time bin must be longer than 0 ms, found {bin_ms:g} ms")
    n_bins = round(spikes.duration_ms / bin_ms)
    if n_bins < 1 or abs(n_bins * bin_ms - spikes.duration_ms) > 1e-6 * bin_ms:
        raise ConfigError(
            f"a window must be a whole number of bins, found {spikes.duration_ms:g} ms "
            f"in bins of {bin_ms:g} ms"
        )
    return n_bins


@quantities
def binned(spikes: Spikes, *, bin_ms: float, channels: ArrayLike | None = None) -> Binned:
    """Sort spikes into bins of time and channels of units.

    Args:
        spikes: Their window must be a whole number of bins.
        bin_ms: Width of a bin.
        channels: `(n_units,)` channel of each unit, 0 and up; None makes each unit its own.

    Raises:
        ConfigError: if the window is no whole number of bins, or `channels` does not fit.
    """
    n_bins = n_bins_of(spikes, bin_ms)
    if channels is None:
        channel_of, n_channels = np.arange(spikes.n_units), spikes.n_units
    else:
        given = np.asarray(channels)
        channel_of = given.astype(np.int64)
        if channel_of.shape != (spikes.n_units,) or (
            channel_of.size and (channel_of.min() < 0 or (channel_of != given).any())
        ):
            raise ConfigError(
                f"`channels` must give each of {spikes.n_units} units a channel, a whole number "
                f"of 0 or more, found shape {given.shape}, {given.ravel()[:3].tolist()} …"
            )
        n_channels = int(channel_of.max(initial=-1)) + 1
    bins = bin_of(spikes.times_ms, bin_ms, start=spikes.t_start_ms)
    # Rounding may put the last instant of the window one bin too far.
    np.clip(bins, 0, n_bins - 1, out=bins)
    return Binned(bins, channel_of[spikes.units], n_bins, n_channels)
