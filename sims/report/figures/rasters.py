"""Spike rasters: when each cell fired, readable from one cell to a hundred thousand spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.report.figures._data import Array, Rows, coordinates_of, recording_of, rows_of
from sims.report.figures.style import Picture, colour_of, heading, stack, styled, time_scale
from sims.report.wording import words
from sims.result import Run

__all__ = ["draw_raster", "raster"]

COLUMNS, ROWS = 640, 80  # two pixels of a panel each, so that one spike stays visible
TICK_ROWS = 60  # up to here each spike is a drawn tick; beyond, rows are under two points high


@styled
def raster(run: Run | Recording, populations: Sequence[str] | None = None) -> Picture:
    """A raster for each population, one above the other on one time axis.

    Cells are ordered by characteristic frequency, or by the first coordinate that tells them
    apart, where the run has coordinates. Large populations become an image whose darkness
    grows with the number of spikes in a pixel, so that no spike is hidden by another.

    Args:
        run: A run, or a bare recording.
        populations: Which, in which order; all if None.

    Raises:
        KeyError: if a population was not recorded.
    """
    recording = recording_of(run)
    names = list(recording.spikes if populations is None else populations)
    colours = colour_of(list(recording.spikes))
    figure, axes = stack(
        [_height(recording.spikes[name].n_units) for name in names] or [1.0],
        duration_ms=recording.duration_ms,
    )
    for axis, name in zip(axes, names, strict=False):
        draw_raster(
            axis, recording.spikes[name], coordinates_of(run, name), name, colours[name],
            recording.duration_ms,
        )  # fmt: skip
    return figure


def draw_raster(
    axis: Axes,
    spikes: Spikes,
    coordinates: Mapping[str, Array],
    name: str,
    colour: str,
    duration_ms: float,
) -> None:
    """One population's raster into an axis whose unit of time `time_scale` gave."""
    rows = rows_of(coordinates, spikes.n_units)
    cells = f"{spikes.n_units:,} cell{'s' if spikes.n_units != 1 else ''}"
    heading(axis, words(name), f"{cells}, {len(spikes):,} spikes, {spikes.rate_hz:.3g} spikes/s")
    scale, _ = time_scale(duration_ms)
    axis.set_ylim(-0.5, max(spikes.n_units, 1) - 0.5)
    axis.set_yticks([t for t, _ in rows.ticks], [text for _, text in rows.ticks])
    axis.set_ylabel(rows.label.replace(" (", "\n(") if len(rows.label) > 9 else rows.label)
    if not len(spikes):
        axis.text(0.5, 0.5, "silent", transform=axis.transAxes, ha="center", va="center", alpha=0.6)
    elif spikes.n_units <= TICK_ROWS:
        reach = 0.4 if spikes.n_units > 1 else 0.3
        where = rows.row[spikes.units]
        axis.vlines(
            spikes.times_ms / scale, where - reach, where + reach, colors=colour,
            linewidth=0.7, rasterized=True,
        )  # fmt: skip
    else:
        axis.imshow(
            _density(spikes, rows, colour, duration_ms),
            extent=(0.0, duration_ms / scale, -0.5, spikes.n_units - 0.5),
            origin="lower", aspect="auto", interpolation="nearest", zorder=0,
        )  # fmt: skip


def _density(spikes: Spikes, rows: Rows, colour: str, duration_ms: float) -> Array:
    """An RGBA image: the population's colour, opaque where many spikes share a pixel."""
    shape = (min(spikes.n_units, ROWS), COLUMNS)
    counts = np.zeros(shape)
    across = (spikes.times_ms / duration_ms * COLUMNS).astype(np.int64).clip(0, COLUMNS - 1)
    np.add.at(counts, (rows.row[spikes.units] * shape[0] // spikes.n_units, across), 1.0)
    crowded = max(1.0, float(np.quantile(counts[counts > 0], 0.98)))
    image = np.empty((*shape, 4))
    image[..., :3] = to_rgb(colour)
    # A lone spike keeps at least 40 % ink however crowded the rest is.
    image[..., 3] = np.where(counts > 0, 0.4 + 0.6 * np.minimum(counts / crowded, 1.0), 0.0)
    return image


def _height(n_units: int) -> float:
    return float(np.clip(0.3 + 0.13 * np.log2(1 + n_units), 0.4, 1.4))
