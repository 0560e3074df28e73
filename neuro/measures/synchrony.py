"""Synchrony of a population, from its spikes alone."""

from __future__ import annotations

import numpy as np

from neuro.bins import bin_of, spike_counts
from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["count_synchrony"]


@quantities
def count_synchrony(spikes: Spikes, *, bin_ms: float = 3.0, after_ms: float | None = None) -> float:
    """Variance of the population's spike count in bins of time, divided by its mean.

    1 for units that fire independently as Poisson processes, below 1 for independent regular
    ones, and about their number where all fire together (Potjans & Diesmann 2014, Cereb Cortex
    24:785). It grows with the number of units, so compare populations of one size.

    Args:
        spikes: All units are pooled.
        bin_ms: 3 ms is the published choice.
        after_ms: Leave out what comes before, such as the start of a simulation. Bins begin
            there, or at the start of the spikes' window where that is later.

    Returns:
        NaN if there is no spike.

    Raises:
        SignalError: if not even two bins fit, or they have no length.
    """
    if not 0 < bin_ms < np.inf:
        raise SignalError(f"synchrony needs bins longer than 0 ms, found {bin_ms} ms")
    start = spikes.t_start_ms if after_ms is None else max(spikes.t_start_ms, after_ms)
    n_bins = int(bin_of(spikes.t_stop_ms, bin_ms, start=start))
    if n_bins < 2:
        raise SignalError(
            f"synchrony needs two bins of {bin_ms:g} ms, found {spikes.t_stop_ms - start:g} ms"
        )
    counts = spike_counts(spikes, bin_ms=bin_ms, n_bins=n_bins, start_ms=start)
    return float(counts.var() / counts.mean()) if counts.any() else float("nan")
