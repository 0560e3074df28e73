"""Firing in space: rate maps over an arena, and spikes on the path that was walked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from neuro.spikes import Spikes
from sims.report.figures._data import Array, words
from sims.report.figures._style import (
    EMBER, MUTED, PALETTE, UNVISITED, Picture, picture, styled,
)  # fmt: skip
from sims.result import Run

__all__ = ["RateMap", "Walk", "rate_map", "rate_maps", "walk_of"]

BIN_M, SMOOTHING_M = 0.025, 0.04  # the usual 2.5 cm bins; Gaussian of about 1.5 bins
COLUMNS = 8


class Walk(NamedTuple):
    """Positions over time: frame k holds from `k * dt_ms`."""

    x_m: Array
    y_m: Array
    dt_ms: float

    def at(self, times_ms: Array) -> tuple[Array, Array]:
        """Where the animal was at each time."""
        frame = np.minimum((times_ms / self.dt_ms).astype(np.int64), self.x_m.size - 1)
        return self.x_m[frame], self.y_m[frame]


class RateMap(NamedTuple):
    """`(n_y, n_x)` rate in spikes/s, NaN where the animal never was, and its summary.

    `information` is Skaggs' spatial information, bits per spike (Skaggs et al. 1993).
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
        if output == "x" and x.unit == "m" and x.values.ndim == 1 and y is not None:
            if y.unit == "m" and y.values.shape == x.values.shape:
                return Walk(x.values, y.values, x.dt_ms)
    return None


def rate_map(walk: Walk, times_ms: Array) -> RateMap:
    """Rate over the arena: smoothed spike counts over smoothed time spent.

    Bins are 2.5 cm, the Gaussian 4 cm wide (SD), cut at the arena's walls.
    """
    from scipy.ndimage import binary_closing, gaussian_filter

    edges = [
        np.linspace(v.min(), v.max() + 1e-9, max(4, round(float(np.ptp(v)) / BIN_M)) + 1)
        for v in (walk.y_m, walk.x_m)
    ]
    spent_s = np.histogram2d(walk.y_m, walk.x_m, bins=edges)[0] * walk.dt_ms / 1000.0
    x_m, y_m = walk.at(times_ms)
    counts = np.histogram2d(y_m, x_m, bins=edges)[0]
    sigma = [SMOOTHING_M / max(float(e[1] - e[0]), 1e-9) for e in edges]
    # Numerator and denominator are smoothed alike, so the loss over the walls cancels.
    smooth_counts = gaussian_filter(counts, sigma, mode="constant")
    smooth_spent = gaussian_filter(spent_s, sigma, mode="constant")
    # Gaps narrower than the Gaussian are part of what was visited.
    visited = binary_closing(np.pad(spent_s > 0, 2, mode="edge"), iterations=2)[2:-2, 2:-2]
    visited |= spent_s > 0
    rate = np.full(spent_s.shape, np.nan)
    rate[visited] = smooth_counts[visited] / smooth_spent[visited]
    extent = (edges[1][0], edges[1][-1], edges[0][0], edges[0][-1])
    return RateMap(rate, extent, times_ms.size, _skaggs(rate[spent_s > 0], spent_s[spent_s > 0]))


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
    spikes = run.recording.spikes[population]
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
    title = f"{words(population)}: {len(cells)} of {spikes.n_units} cells"
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, fontweight="bold")
    return figure


def most_spatial(walk: Walk, spikes: Spikes, most: int) -> list[tuple[int, RateMap]]:
    """The cells that say most about place: information times spikes, which tames noise."""
    active = np.flatnonzero(spikes.counts() > 0)
    # Maps of thousands of cells would take long; the busiest are the candidates.
    busiest = active[np.argsort(-spikes.counts()[active], kind="stable")][:200]
    maps = [(int(unit), rate_map(walk, spikes.of(int(unit)))) for unit in busiest]
    maps.sort(key=lambda item: -item[1].information * item[1].n_spikes)
    return sorted(maps[:most], key=lambda item: item[0])


def draw_rate_map(axis: Axes, found: RateMap, unit: int) -> None:
    """One map, with the cell's number, its peak rate and its information."""
    axis.set_facecolor(UNVISITED)
    cmap = EMBER.with_extremes(bad=UNVISITED)
    axis.imshow(
        np.ma.masked_invalid(found.rate_hz), extent=found.extent_m, origin="lower", cmap=cmap,
        vmin=0.0, vmax=max(1e-9, float(np.nanmax(found.rate_hz))), aspect="equal",
    )  # fmt: skip
    peak = float(np.nanmax(found.rate_hz))
    axis.set_title(f"cell {unit}\n{peak:.2g} Hz, {found.information:.2g} bit", fontsize=6.5)


def draw_on_path(axis: Axes, walk: Walk, times_ms: Array, found: RateMap) -> None:
    """The path in grey and the cell's spikes where they fell."""
    step = max(1, walk.x_m.size // 4000)
    axis.plot(walk.x_m[::step], walk.y_m[::step], color=MUTED, linewidth=0.25, alpha=0.7)
    x_m, y_m = walk.at(times_ms)
    axis.plot(x_m, y_m, ".", color=PALETTE[1], markersize=2.0, markeredgewidth=0, alpha=0.7)
    axis.set_xlim(found.extent_m[0], found.extent_m[1])
    axis.set_ylim(found.extent_m[2], found.extent_m[3])
    axis.set_aspect("equal")


def _skaggs(rate: Array, spent_s: Array) -> float:
    share = spent_s / spent_s.sum()
    mean = float(np.sum(share * rate))
    if mean <= 0.0:
        return 0.0
    ratio = rate / mean
    return float(np.sum(share * ratio * np.log2(np.where(ratio > 0, ratio, 1.0))))
