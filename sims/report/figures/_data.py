"""From spikes, signals and coordinates to what a panel shows: bins, envelopes, row orders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.bins import bin_of
from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.report.wording import coordinate_label
from sims.result import Run

Array = NDArray[np.float64]


def recording_of(run: Run | Recording) -> Recording:
    """The recording of a run, or the recording itself."""
    return run.recording if isinstance(run, Run) else run


def coordinates_of(run: Run | Recording, population: str) -> Mapping[str, Array]:
    """The coordinates of a population's cells; none for a bare recording."""
    return run.coordinates.get(population, {}) if isinstance(run, Run) else {}


_MOST_BINS = 1e6


def nice_bin(duration_ms: float, *, most: int, least_ms: float = 1.0) -> float:
    """The narrowest 1, 2 or 5 × 10^k ms that needs at most `most` bins."""
    wanted = max(duration_ms / most, least_ms)
    decade = 10.0 ** math.floor(math.log10(wanted) + 1e-9)
    return next(step * decade for step in (1, 2, 5, 10) if step * decade >= wanted * (1 - 1e-9))


class TimeBins(NamedTuple):
    """Edges of bins (ms), and the bin of each spike."""

    edges_ms: Array
    bins: NDArray[np.int64]


def time_bins(spikes: Spikes, bin_ms: float) -> TimeBins:
    """Spikes in bins over the watched window; the last bin ends where the window does.

    Bins are wider where there would be more than a million: a file may hold a window that has
    nothing to do with its run's duration.
    """
    bin_ms = max(bin_ms, spikes.duration_ms / _MOST_BINS)
    n = max(1, math.ceil(round(spikes.duration_ms / bin_ms, 9)))
    edges = spikes.t_start_ms + bin_ms * np.arange(n + 1, dtype=np.float64)
    edges[-1] = max(spikes.t_stop_ms, edges[-2] + 1e-9)
    return TimeBins(
        edges, np.minimum(bin_of(spikes.times_ms, bin_ms, start=spikes.t_start_ms), n - 1)
    )


def rate_course(spikes: Spikes, bin_ms: float) -> tuple[Array, Array]:
    """Bin edges (ms) and the mean rate of a cell in each bin, spikes per second."""
    edges, bins = time_bins(spikes, bin_ms)
    counts = np.bincount(bins, minlength=edges.size - 1)
    return edges, counts / (np.diff(edges) / 1000.0) / max(spikes.n_units, 1)


def envelope(values: Array, columns: int) -> tuple[Array, Array, Array]:
    """Position (in samples), minimum and maximum of each of at most `columns` stretches."""
    n = values.shape[0]
    starts = np.unique(np.linspace(0, n, min(columns, n), endpoint=False).astype(np.int64))
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    ends = np.append(starts[1:], n)
    return (starts + ends - 1) / 2.0, low, high


class Rows(NamedTuple):
    """The row of each unit in a raster, and what its vertical axis says."""

    row: NDArray[np.int64]
    label: str
    ticks: list[tuple[float, str]]


def rows_of(coordinates: Mapping[str, Array], n_units: int) -> Rows:
    """Rows by characteristic frequency, else by the first coordinate that tells cells apart.

    Cells without a coordinate keep their own order.
    """
    names = [name for name, values in coordinates.items() if _tells_apart(values, n_units)]
    name = "cf_hz" if "cf_hz" in names else next(iter(names), "")
    if not name:
        step = max(1, n_units - 1)
        ticks = [(0.0, "0"), (float(n_units - 1), str(n_units - 1))] if step > 1 else []
        return Rows(np.arange(n_units), "cell", ticks)
    values = np.asarray(coordinates[name], dtype=np.float64)
    order = np.argsort(values, kind="stable")
    row = np.empty(n_units, dtype=np.int64)
    row[order] = np.arange(n_units)
    ordered = values[order]
    if name == "cf_hz":
        marks = [cf for cf in OCTAVES_HZ if ordered[0] <= cf <= ordered[-1]] or [ordered[0]]
        ticks = [(float(np.interp(m, ordered, np.arange(n_units))), f"{m / 1e3:g}") for m in marks]
        return Rows(row, "CF (kHz)", thinned(ticks, n_units))
    picks = np.linspace(0, n_units - 1, min(3, n_units)).astype(np.int64)
    whole = np.array_equal(ordered, np.round(ordered))
    decimals = 0 if whole else int(np.clip(1 - np.floor(np.log10(np.ptp(ordered))), 0, 6))
    ticks = [(float(pick), f"{ordered[pick]:.{decimals}f}") for pick in picks]
    return Rows(row, coordinate_label(name), ticks)


OCTAVES_HZ = tuple(62.5 * 2.0**k for k in range(10))


def thinned(ticks: list[tuple[float, str]], extent: float) -> list[tuple[float, str]]:
    """Ticks at least a sixth of the axis apart, so that labels do not touch."""
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= extent / 6.0:
            kept.append(tick)
    return kept


def _tells_apart(values: Array, n_units: int) -> bool:
    values = np.asarray(values)
    return (
        values.shape == (n_units,)
        and n_units > 1
        and bool(np.isfinite(values).all())
        and float(np.ptp(values)) > 0.0
    )
