"""Rates over time: the peri-stimulus time histogram and the first spike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["Psth", "first_spikes", "psth"]


class Psth(NamedTuple):
    """`times_ms` is the start of each bin, `rate_hz` the mean rate of a unit in it."""

    times_ms: NDArray[np.float64]
    rate_hz: NDArray[np.float64]


@quantities
def psth(
    spikes: Spikes, *, bin_ms: float, onsets_ms: Sequence[float] = (0.0,), window_ms: float = 0.0
) -> Psth:
    """Mean rate of a unit in bins of time after each onset, averaged over onsets.

    Args:
        spikes: All units are pooled; the rate is that of one unit.
        bin_ms: Width of a bin.
        onsets_ms: Start of each repetition.
        window_ms: Time looked at after each onset; to the end of the spikes if 0. It is cut
            to whole bins.

    Raises:
        SignalError: if no whole bin fits.
    """
    window = window_ms or spikes.t_stop_ms - max(onsets_ms)
    n_bins = int(np.floor(window / bin_ms + 1e-9))
    if n_bins < 1:
        raise SignalError(f"a PSTH needs a window of one bin of {bin_ms} ms, found {window} ms")
    edges = np.arange(n_bins + 1) * bin_ms
    counts = np.zeros(n_bins)
    for onset in onsets_ms:
        counts += np.histogram(spikes.times_ms - onset, edges)[0]
    per_unit = counts / (len(onsets_ms) * max(spikes.n_units, 1))
    rate_hz = np.asarray(per_unit / bin_ms * 1000.0, dtype=np.float64)
    return Psth(edges[:-1].astype(np.float64), rate_hz)


@quantities
def first_spikes(spikes: Spikes, *, after_ms: float = 0.0) -> NDArray[np.float64]:
    """`(n_units,)` time from `after_ms` to each unit's first spike from then on; NaN if none."""
    result = np.full(spikes.n_units, np.nan)
    later = spikes.times_ms >= after_ms
    units, first = np.unique(spikes.units[later], return_index=True)
    result[units] = spikes.times_ms[later][first] - after_ms
    return result
