"""Firing in space: rate maps over an arena, and spikes on the path that was walked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from neuro.bins import bin_of, hair
from neuro.measures import positions_at, rate_map, skaggs_information
from neuro.spikes import Spikes
from sims.report.figures._data import Array
from sims.report.figures.style import (
    EMBER,
    MUTED,
    PALETTE,
    UNVISITED,
    Picture,
    picture,
    styled,
)
from sims.report.wording import words
from sims.result import Run

__all__ = ["Field", "Walk", "field_of", "rate_maps", "spatial", "walk_of"]

BIN_M = 0.025  # as usual in the field
COLUMNS = 8


class Walk(NamedTuple):
    """Positions over time: frame k holds from `k * dt_ms`."""

    x_m: Array
    y_m: Array
    dt_ms: float

    def at(self, times_ms: Array) -> tuple[Array, Array]:
        """Where the animal was at each time."""
        return positions_at(times_ms, self.x_m, self.y_m, dt_ms=self.dt_ms)

    def during(self, spikes: Spikes) -> Spikes:
        """The spikes that fell while the path lasted; a run may go on after its end."""
        end_ms = self.x_m.size * self.dt_ms
        return spikes if end_ms >= spikes.t_stop_ms else spikes.between(0.0, end_ms)


class Field(NamedTuple):
    """A cell's rate over the arena, ready to be drawn.

    Attributes:
        rate_hz: `(n_y, n_x)`, NaN where the animal never came near.
        extent_m: Left, right, bottom and top of the arena.
        n_spikes: How many spikes it is made of.
        information: Skaggs' spatial information in bits a spike; 0 for a silent cell.
    """

    rate_hz: Array
    extent_m: tuple[float, float, float, float]
    n_spikes: int
    information: float


def walk_of(run: Run) -> Walk | None:
    """The path of the run's stimulus: signals `NAME.x` and `NAME.y` in metres, or None."""
    for key, x in run.signals.items():
        stem, _, output = key.rpartition(".")
        y = run.signals.get(f"{stem}.y" if stem else "y")
        if output != "x" or y is None or x.values.ndim != 1:
            continue
        if x.unit == y.unit == "m" and x.values.shape == y.values.shape:
            return Walk(x.values, y.values, x.dt_ms)
    return None


def spatial(run: Run) -> list[str]:
    """The populations that have a place in the arena (a coordinate in metres); else all."""
    names = list(run.recording.spikes)
    placed = [n for n in names if any(key.endswith("_m") for key in run.coordinates.get(n, ()))]
    return placed or names


def field_of(walk: Walk, times_ms: Array) -> Field:
    """The rate map of one cell's spikes, with gaps of a bin or two in the path closed.

    The arena is what the path takes up, to whole bins.
    """
    left, bottom = float(walk.x_m.min()), float(walk.y_m.min())
    width, height = (_whole_bins_m(float(np.ptp(v))) for v in (walk.x_m, walk.y_m))
    found = rate_map(
        times_ms, walk.x_m - left, walk.y_m - bottom, dt_ms=walk.dt_ms,
        width_m=width, height_m=height, bin_m=BIN_M,
    )  # fmt: skip
    information = skaggs_information(found.rate_hz, found.occupancy_s)
    return Field(
        _closed(found.rate_hz),
        (left, left + width, bottom, bottom + height),
        int(times_ms.size),
        information if np.isfinite(information) else 0.0,
    )


def _whole_bins_m(length_m: float) -> float:
    n_bins = int(bin_of(length_m, BIN_M))
    return BIN_M * (n_bins + (length_m > n_bins * BIN_M + float(hair(length_m, BIN_M))) or 1)


def _closed(rate_hz: Array) -> Array:
    """A map whose gaps between visited bins take the mean of what lies around them."""
    from scipy.ndimage import binary_closing, gaussian_filter

    seen = np.isfinite(rate_hz)
    gaps = binary_closing(np.pad(seen, 2, mode="edge"), iterations=2)[2:-2, 2:-2] & ~seen
    around = gaussian_filter(np.where(seen, rate_hz, 0.0), 1.0)
    weight = gaussian_filter(seen.astype(np.float64), 1.0)
    filled = rate_hz.copy()
    filled[gaps] = around[gaps] / weight[gaps]
    return filled


@styled
def rate_maps(run: Run, population: str, *, most: int = 8, on_path: bool = True) -> Picture:
    """Rate maps of a population's most spatial cells, over their spikes on the path.

    Args:
        run: A run whose stimulus has a path (`NAME.x` and `NAME.y`, in metres).
        population: Whose cells.
        most: How many cells; those with the most spatial information are taken.
        on_path: Whether a second row shows each cell's spikes on the path.

    Raises:
        ValueError: if the run has no path.
        KeyError: if the population was not recorded.
    """
    walk = walk_of(run)
    if walk is None:
        raise ValueError("rate maps need a run with a path, found no signals `x` and `y` in m")
    recorded = run.recording.spikes[population]
    spikes = walk.during(recorded)
    cells = most_spatial(walk, spikes, most)
    columns = min(COLUMNS, max(len(cells), 1))
    bands = -(-len(cells) // columns) or 1
    lines = 2 if on_path else 1
    cell_width = 7.2 / COLUMNS
    figure = picture((cell_width * lines + 0.3) * bands + 0.35)
    grid = figure.subplots(bands * lines, COLUMNS, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for index, (unit, found) in enumerate(cells):
        band, column = divmod(index, columns)
        draw_rate_map(grid[band * lines, column], found, unit)
        if on_path:
            draw_on_path(grid[band * lines + 1, column], walk, spikes.of(unit), found)
    if not cells:
        grid[0, 0].text(0.0, 0.5, "silent", alpha=0.6)
    figure.suptitle(words(population), x=0.006, ha="left", fontsize=8, fontweight="bold")
    detail = f"{len(cells)} of {spikes.n_units} cells: those whose spikes tell most about place"
    if len(recorded) > len(spikes):
        detail += f"; {len(recorded) - len(spikes):,} spikes after the path's end are left out"
    figure.text(0.994, 0.985, detail, ha="right", va="top", fontsize=7, color=MUTED)
    return figure


def most_spatial(walk: Walk, spikes: Spikes, most: int) -> list[tuple[int, Field]]:
    """The cells that say most about place: information times spikes, which tames noise."""
    active = np.flatnonzero(spikes.counts() > 0)
    # Maps of thousands of cells would take long; the busiest are the candidates.
    busiest = active[np.argsort(-spikes.counts()[active], kind="stable")][:200]
    maps = [(int(unit), field_of(walk, spikes.of(int(unit)))) for unit in busiest]
    maps.sort(key=lambda item: -item[1].information * item[1].n_spikes)
    return sorted(maps[:most], key=lambda item: item[0])


def draw_rate_map(axis: Axes, found: Field, unit: int) -> None:
    """One map, with the cell's number, its peak rate and its information."""
    axis.set_facecolor(UNVISITED)
    cmap = EMBER.with_extremes(bad=UNVISITED)
    axis.imshow(
        np.ma.masked_invalid(found.rate_hz), extent=found.extent_m, origin="lower", cmap=cmap,
        vmin=0.0, vmax=max(1e-9, float(np.nanmax(found.rate_hz))), aspect="equal",
    )  # fmt: skip
    peak = float(np.nanmax(found.rate_hz))
    axis.set_title(f"cell {unit}\n{peak:.2g} Hz, {found.information:.2g} bit", fontsize=6.5)


def draw_on_path(axis: Axes, walk: Walk, times_ms: Array, found: Field) -> None:
    """The path in grey and the cell's spikes where they fell."""
    step = max(1, walk.x_m.size // 4000)
    axis.plot(walk.x_m[::step], walk.y_m[::step], color=MUTED, linewidth=0.25, alpha=0.7)
    x_m, y_m = walk.at(times_ms)
    axis.plot(x_m, y_m, ".", color=PALETTE[1], markersize=2.0, markeredgewidth=0, alpha=0.7)
    axis.set_xlim(found.extent_m[0], found.extent_m[1])
    axis.set_ylim(found.extent_m[2], found.extent_m[3])
    axis.set_aspect("equal")
