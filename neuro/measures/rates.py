"""Rates over time: the peri-stimulus time histogram and the first spike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.bins import bin_of, hair, spike_counts
from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import quantities

__all__ = ["Psth", "first_spikes", "psth"]


class Psth(NamedTuple):
    """`times_ms` is from the onset to the start of each bin, `rate_hz` a unit's mean rate in it."""

    times_ms: NDArray[np.float64]
    rate_hz: NDArray[np.float64]


@quantities
def psth(
    spikes: Spikes,
    *,
    bin_ms: float,
    onsets_ms: Sequence[float] | None = None,
    window_ms: float = 0.0,
) -> Psth:
    """Mean rate of a unit in bins of time after each onset, averaged over onsets.

    A bin holds what is at its start and not what is at its end. Every window must have been
    watched: time outside the spikes' own window is unknown, not silent, so an onset whose window
    reaches there is refused, as Elephant refuses spike trains that do not cover a histogram.

    Args:
        spikes: All units are pooled; the rate is that of one unit.
        bin_ms: Width of a bin.
        onsets_ms: Start of each repetition; None is one, from the start of the spikes' window.
        window_ms: Time looked at after each onset; to the end of the spikes' window if 0. It is
            cut to whole bins.

    Raises:
        SignalError: if no whole bin fits, or bins after an onset leave the spikes' window.
    """
    onsets = np.asarray([spikes.t_start_ms] if onsets_ms is None else onsets_ms, np.float64)
    if onsets.ndim != 1 or not onsets.size or not np.isfinite(onsets).all():
        raise SignalError(
            f"a PSTH needs one or more onsets at finite times, found {onsets.ravel()[:3].tolist()}"
        )
    if not 0 < bin_ms < np.inf:
        raise SignalError(f"a PSTH needs bins longer than 0 ms, found {bin_ms} ms")
    if window_ms:
        window, n_bins = window_ms, int(bin_of(window_ms, bin_ms))
    else:
        last = float(onsets.max())
        window = spikes.t_stop_ms - last
        n_bins = int(bin_of(spikes.t_stop_ms, bin_ms, start=last))
    if n_bins < 1:
        raise SignalError(f"a PSTH needs a window of one bin of {bin_ms} ms, found {window} ms")
    early = onsets < spikes.t_start_ms - hair(spikes.t_start_ms, bin_ms)
    late = onsets + n_bins * bin_ms > spikes.t_stop_ms + hair(spikes.t_stop_ms, bin_ms)
    if (early | late).any():
        raise SignalError(
            f"{n_bins * bin_ms:g} ms after each onset must lie in the spikes' window of "
            f"{spikes.t_start_ms:g}..{spikes.t_stop_ms:g} ms, found an onset at "
            f"{onsets[early | late][0]:g} ms; leave {np.count_nonzero(early | late)} of "
            f"{onsets.size} onsets out, or take a shorter window"
        )
    counts = sum(
        spike_counts(spikes, bin_ms=bin_ms, n_bins=n_bins, start_ms=float(onset))
        for onset in onsets
    )
    per_unit = counts / (onsets.size * max(spikes.n_units, 1))
    rate_hz = np.asarray(per_unit / bin_ms * 1000.0, dtype=np.float64)
    return Psth(np.arange(n_bins, dtype=np.float64) * bin_ms, rate_hz)


@quantities
def first_spikes(spikes: Spikes, *, after_ms: float | None = None) -> NDArray[np.float64]:
    """`(n_units,)` time from `after_ms` to each unit's first spike from then on; NaN if none.

    Args:
        spikes: Of which units.
        after_ms: The start of the spikes' window if None.

    Raises:
        SignalError: if `after_ms` is not in the spikes' window: what came first was not watched.
    """
    after = spikes.t_start_ms if after_ms is None else after_ms
    if not spikes.t_start_ms <= after <= spikes.t_stop_ms:
        raise SignalError(
            f"first spikes must be sought from a time in the spikes' window of "
            f"{spikes.t_start_ms:g}..{spikes.t_stop_ms:g} ms, found {after:g} ms"
        )
    result = np.full(spikes.n_units, np.nan)
    later = spikes.times_ms >= after - hair(after, 0.0)
    units, first = np.unique(spikes.units[later], return_index=True)
    result[units] = np.maximum(spikes.times_ms[later][first] - after, 0.0)
    return result
