"""Synchrony of a population, from its spikes alone."""

from __future__ import annotations

import numpy as np

from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["count_synchrony"]


@quantities
def count_synchrony(spikes: Spikes, *, bin_ms: float = 3.0, after_ms: float = 0.0) -> float:
    """Variance of the population's spike count in bins of time, divided by its mean.

    1 for units that fire independently as Poisson processes, below 1 for independent regular
    ones, and about their number where all fire together (Potjans & Diesmann 2014, Cereb Cortex
    24:785). It grows with the number of units, so compare populations of one size.

    Args:
        spikes: All units are pooled.
        bin_ms: 3 ms is the published choice.
        after_ms: Leave out what comes before, such as the start of a simulation.

    Returns:
        NaN if there is no spike.

    Raises:
        SignalError: if not even two bins fit.
    """
    n_bins = int(np.floor((spikes.t_stop_ms - after_ms) / bin_ms + 1e-9))
    if n_bins < 2:
        raise SignalError(
            f"synchrony needs two bins of {bin_ms:g} ms, found {spikes.t_stop_ms - after_ms:g} ms"
        )
    counts, _ = np.histogram(spikes.times_ms, after_ms + np.arange(n_bins + 1) * bin_ms)
    return float(counts.var() / counts.mean()) if counts.any() else float("nan")
