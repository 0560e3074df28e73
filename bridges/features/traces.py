"""Exponentially filtered traces: what a synapse, or a calcium dye, keeps of past spikes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features._steps import checked_tau, decayed, in_bins
from bridges.features.bins import binned
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["traces", "traces_of"]


@quantities
def traces(
    spikes: Spikes, *, tau_ms: Sequence[float], bin_ms: float, channels: ArrayLike | None = None
) -> Tensor:
    """At the end of each bin, the sum over all past spikes of `exp(-age/tau)`.

    Args:
        spikes: Their window must be a whole number of bins; nothing was before it.
        tau_ms: Time constants.
        bin_ms: Time between two readings.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Returns:
        `(n_bins, n_channels, n_taus)` float32. From the times themselves: no time step.

    Raises:
        ConfigError: if a time constant is not positive, the window is no whole number of bins,
            or `channels` does not fit.
    """
    place = binned(spikes, bin_ms=bin_ms, channels=channels)
    ends = spikes.t_start_ms + (place.bins + 1) * bin_ms
    made = []
    for tau in map(checked_tau, tau_ms):
        fresh = place.add_up(weights=np.exp((spikes.times_ms - ends) / tau))
        kept = np.zeros(place.n_channels)
        for row in fresh:
            kept = row[:] = row + np.exp(-bin_ms / tau) * kept
        made.append(fresh)
    shape = (place.n_bins, place.n_channels, 0)
    return torch.from_numpy(np.stack(made, -1) if made else np.zeros(shape)).to(torch.float32)


@quantities
def traces_of(
    raster: Tensor, *, tau_ms: Sequence[float], bin_ms: float, dt_ms: float
) -> Tensor:  # fmt: skip
    """The same of a raster, with gradients; a spike is at the start of its step.

    Args:
        raster: `(n_steps, …, n)`.

    Returns:
        `(n_bins, …, n, n_taus)`.

    Raises:
        ConfigError: if a time constant is not positive, or the raster no whole number of bins,
            or not floating point.
    """
    made = []
    for tau in map(checked_tau, tau_ms):
        at_steps = in_bins(
            decayed(raster, tau_ms=tau, dt_ms=dt_ms), bin_ms=bin_ms, dt_ms=dt_ms
        )  # fmt: skip
        made.append(at_steps[:, -1] * float(np.exp(-dt_ms / tau)))  # the bin ends a step later
    return torch.stack(made, -1)
