"""Spikes with the same counts and no timing: the control of every timing feature."""

from __future__ import annotations

import numpy as np

from bridges.features.bins import binned
from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import quantities
from neuro.wiring import generator

__all__ = ["untimed"]


@quantities
def untimed(spikes: Spikes, *, bin_ms: float, seed: int) -> Spikes:
    """Each spike moved to a random instant of its own bin; units and counts stay.

    The bins are fixed in time (interval jitter: Amarasingham et al. 2012, J Neurophysiol
    107:517) and not centred on spikes, which would make structure of its own (Platkiewicz et
    al. 2017, Neural Comput 29:783).

    Args:
        spikes: Their window must be a whole number of bins.
        bin_ms: Width of a bin; what is slower than this survives.
        seed: The same seed gives the same spikes.

    Raises:
        ConfigError: if the window is no whole number of bins.

    Counts per unit and bin are exactly those of the input.
    """
    place = binned(spikes, bin_ms=bin_ms)
    # A hair's breadth from both edges, so that rounding moves no spike into the next bin.
    within = generator(seed, "surrogate", "untimed").uniform(1e-6, 1 - 1e-6, size=len(spikes))
    moved = Spikes(
        spikes.t_start_ms + (place.bins + within) * bin_ms,
        spikes.units,
        n_units=spikes.n_units,
        t_start_ms=spikes.t_start_ms,
        t_stop_ms=spikes.t_stop_ms,
    )
    if not np.array_equal(binned(moved, bin_ms=bin_ms).add_up(), place.add_up()):
        raise SignalError(
            f"bins of {bin_ms:g} ms are too fine for times near {spikes.t_start_ms:g} ms: moving "
            "spikes within them changes their counts; take wider bins"
        )
    return moved
