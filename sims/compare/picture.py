"""A comparison as one picture: where spikes differ, rates, intervals, and traces over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from neuro.measures import intervals
from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.compare.comparing import Comparison
from sims.compare.deviation import Deviation, Matched, without
from sims.compare.verdict import FACTOR
from sims.report.figures.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    Picture,
    heading,
    picture,
    styled,
    time_axis,
    time_scale,
)

__all__ = ["comparison_picture"]

_ROWS = 40
"""Cells of the raster; more are a finger's breadth no longer. Engineering choice."""

_SMALLEST = 1e-16
"""mV; what a logarithmic axis shows of no difference at all."""


@styled
def comparison_picture(comparison: Comparison) -> Picture:
    """Raster with what differs marked, rates of cells, intervals, and how traces come apart.

    Of the first seed, but where something is random: there rates of whole runs take the place of
    traces, since no two runs have the same.
    """
    report = comparison.report
    others = [one.label for one in report.backends if one.label in comparison.deviations]
    colours = {label: PALETTE[k % len(PALETTE)] for k, label in enumerate(others)}
    reference = comparison.recordings[report.reference]
    cells = _shown(reference, list(comparison.rates_hz[report.reference]))
    figure = picture(1.5 + 0.055 * max(len(cells), 8) + 4.0)
    lines = [Line2D([], [], color=colour, linewidth=2.0) for colour in colours.values()]
    figure.legend(
        lines, list(colours), loc="outside upper left", ncols=min(4, max(1, len(lines))),
        handlelength=1.0, borderpad=0.0, columnspacing=1.2,
    )  # fmt: skip
    grid = figure.add_gridspec(3, 2, height_ratios=[0.9 + 0.055 * max(len(cells), 8), 1.75, 1.55])
    _raster(figure.add_subplot(grid[0, :]), comparison, cells, colours)
    _rates(figure.add_subplot(grid[1, 0]), comparison, colours)
    _intervals(figure.add_subplot(grid[1, 1]), comparison, colours)
    below = figure.add_subplot(grid[2, :])
    if report.random:
        _runs(below, comparison, colours)
    else:
        _traces(below, comparison, colours)
    return figure


def _shown(reference: Recording, populations: Sequence[str]) -> list[tuple[str, int]]:
    """The cells of the raster: all, or some of each population, evenly."""
    n = {name: reference.spikes[name].n_units for name in populations}
    total = sum(n.values())
    cells = []
    for name, count in n.items():
        some = count if total <= _ROWS else max(1, round(_ROWS * count / total))
        cells += [(name, int(k)) for k in np.unique(np.linspace(0, count - 1, some).round())]
    return cells


def _raster(
    axis: Axes, comparison: Comparison, cells: Sequence[tuple[str, int]],
    colours: Mapping[str, str],
) -> None:  # fmt: skip
    reference = comparison.recordings[comparison.report.reference]
    scale, _ = time_scale(reference.duration_ms)
    rows = {cell: row for row, cell in enumerate(cells)}
    for name in dict.fromkeys(name for name, _ in cells):
        at, row = _points(name, reference.spikes[name], rows)
        axis.vlines(at / scale, row - 0.42, row + 0.42, colors=MUTED, linewidth=0.8, zorder=2)
    marked = False
    for label, deviation in comparison.deviations.items():
        if comparison.report.random:
            break
        for name, matched in deviation.populations.items():
            marked |= _marks(axis, name, matched, rows, scale, colours[label])
    axis.set_ylim(len(cells) - 0.4, -0.6)
    _name_rows(axis, cells)
    time_axis(axis, reference.duration_ms)
    detail = f"{comparison.report.reference}"
    if comparison.report.random:
        detail += "; spikes are random, so none are matched"
    elif marked:
        detail += "; marked: | elsewhere,  ○ missing,  × extra"
    else:
        detail += "; all others have the same spikes at the same steps"
    heading(axis, "spikes", detail)


def _marks(
    axis: Axes, name: str, matched: Matched, rows: Mapping[tuple[str, int], int], scale: float,
    colour: str,
) -> bool:  # fmt: skip
    a, b, pairs = matched.reference, matched.other, matched.pairs
    moved = pairs.other[np.abs(matched.offsets_ms) > 1e-9]
    at, row = _points(name, b, rows, moved)
    axis.vlines(at / scale, row - 0.42, row + 0.42, colors=colour, linewidth=0.9, zorder=4)
    missing_at, missing = _points(name, a, rows, without(len(a), pairs.reference))
    axis.scatter(missing_at / scale, missing, s=13, facecolors="none", edgecolors=colour,
                 linewidths=0.8, zorder=5)  # fmt: skip
    extra_at, extra = _points(name, b, rows, without(len(b), pairs.other))
    axis.scatter(extra_at / scale, extra, s=11, marker="x", c=colour, linewidths=0.8, zorder=5)
    return bool(at.size or missing.size or extra.size)


def _points(
    name: str, spikes: Spikes, rows: Mapping[tuple[str, int], int],
    which: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Times and rows of the spikes that are shown."""
    row_of = np.full(spikes.n_units, -1)
    for (population, cell), number in rows.items():
        if population == name:
            row_of[cell] = number
    chosen = np.arange(len(spikes)) if which is None else which
    row = row_of[spikes.units[chosen]]
    return spikes.times_ms[chosen][row >= 0], row[row >= 0].astype(float)


def _name_rows(axis: Axes, cells: Sequence[tuple[str, int]]) -> None:
    names = [name for name, _ in cells]
    starts = [k for k, name in enumerate(names) if k == 0 or names[k - 1] != name]
    ends = [*starts, len(names)][1:]  # none of nothing
    middles = [(a + b - 1) / 2 for a, b in zip(starts, ends, strict=True)]
    axis.set_yticks(middles, [names[start] for start in starts])
    axis.tick_params(axis="y", length=0)
    for start in starts[1:]:
        axis.axhline(start - 0.5, color=FAINT, linewidth=0.6)


def _rates(axis: Axes, comparison: Comparison, colours: Mapping[str, str]) -> None:
    report = comparison.report
    reference = comparison.recordings[report.reference]
    names = list(comparison.rates_hz[report.reference])
    seconds = reference.duration_ms / 1000.0

    def rates(recording: Recording) -> NDArray[np.float64]:
        each = [recording.spikes[n].counts() / seconds for n in names]
        return np.concatenate([np.zeros(0), *each])

    mine = rates(reference)
    top = 1.08 * max([float(rates(r).max(initial=1.0)) for r in comparison.recordings.values()])
    axis.plot([0, top], [0, top], color=FAINT, linewidth=1.0, zorder=1)
    for number, (label, colour) in enumerate(colours.items()):
        axis.scatter(
            mine, rates(comparison.recordings[label]), s=30 - 7 * (number % 4), facecolors="none",
            edgecolors=colour, linewidths=0.8, zorder=2 + number,
        )  # fmt: skip
    axis.set(xlim=(0, top), ylim=(0, top), xlabel=f"{report.reference} (spikes/s)",
             ylabel="other (spikes/s)")  # fmt: skip
    heading(axis, "rates", "each cell")


def _intervals(axis: Axes, comparison: Comparison, colours: Mapping[str, str]) -> None:
    report = comparison.report
    names = list(comparison.rates_hz[report.reference])
    longest = 0.0
    styles = {report.reference: (INK, 2.2), **{k: (c, 1.0) for k, c in colours.items()}}
    for label, (colour, width) in styles.items():
        spikes = comparison.recordings[label].spikes
        gaps = np.sort(np.concatenate([np.zeros(0), *(intervals(spikes[n]) for n in names)]))
        if not gaps.size:
            continue
        longest = max(longest, float(np.quantile(gaps, 0.99)))
        axis.step(
            np.concatenate([gaps[:1], gaps]), np.arange(gaps.size + 1) / gaps.size, where="post",
            color=colour, linewidth=width, alpha=0.35 if width > 2 else 1.0,
        )  # fmt: skip
    axis.set(xlim=(0, 1.05 * longest or 1.0), ylim=(0, 1.02), xlabel="interval (ms)",
             ylabel="cumulative part")  # fmt: skip
    heading(axis, "intervals", f"all cells; thick: {report.reference}")


def _traces(axis: Axes, comparison: Comparison, colours: Mapping[str, str]) -> None:
    report = comparison.report
    reference = comparison.recordings[report.reference]
    scale, _ = time_scale(reference.duration_ms)
    usual = list[float]()
    for label, colour in colours.items():
        deviation, twins = comparison.deviations[label], comparison.twins[label]
        course = _apart(deviation)
        if course is None:
            continue
        times, apart = course
        usual.append(float(np.quantile(apart, 0.05)))
        axis.plot(times / scale, apart, color=colour, linewidth=0.9, zorder=3)
        allowed = [found for twin in twins.near if (found := _apart(twin)) is not None]
        until = max((twin.moved_ms for twin in twins.near), default=np.inf)
        most = FACTOR * twins.scale * np.maximum.accumulate(
            np.max([values for _, values in allowed], axis=0)
        )  # fmt: skip
        before = times <= min(until, deviation.moved_ms)
        axis.plot(times[before] / scale, most[before], color=colour, linewidth=0.9,
                  linestyle=(0, (3, 2)), zorder=2)  # fmt: skip
        if np.isfinite(deviation.moved_ms):
            axis.axvline(deviation.moved_ms / scale, color=colour, linewidth=0.7, alpha=0.6)
    time_axis(axis, reference.duration_ms)
    axis.set_ylabel("largest of\nall cells (mV)")
    if usual:
        axis.set_yscale("log")
        axis.set_ylim(bottom=min(usual) / 10.0)  # membranes start alike: not down to nothing
        # The style shows a `$` as it is, so that powers cannot be set by matplotlib's own.
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        heading(axis, "membranes apart", "dashed: allowed, until a spike moves (vertical line)")
    else:
        axis.text(0.5, 0.5, "no membrane was recorded", transform=axis.transAxes, ha="center",
                  va="center", color=MUTED)  # fmt: skip
        heading(axis, "membranes apart")


def _apart(deviation: Deviation) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Over time, the largest difference of any recorded membrane; of those sampled most often."""
    traces = [t for key, t in deviation.traces.items() if key.endswith(".v") and t.unit == "mV"]
    if not traces:
        return None
    every = min(t.every_ms for t in traces)
    chosen = [t for t in traces if t.every_ms == every]
    n = min(t.error.shape[0] for t in chosen)
    apart = np.max([np.abs(t.error[:n]).max(axis=1, initial=0.0) for t in chosen], axis=0)
    return np.arange(n) * every, np.maximum(apart, _SMALLEST)


def _runs(axis: Axes, comparison: Comparison, colours: Mapping[str, str]) -> None:
    report = comparison.report
    names = list(comparison.rates_hz[report.reference])
    rng = np.random.default_rng(0)
    labels = {report.reference: INK, **colours}
    for at, name in enumerate(names):
        for number, (label, colour) in enumerate(labels.items()):
            rates = comparison.rates_hz[label][name]
            centre = at + 0.7 * ((number + 0.5) / len(labels) - 0.5)
            across = centre + rng.uniform(-0.2, 0.2, len(rates)) / len(labels)
            axis.scatter(across, rates, s=11, color=colour, linewidths=0, alpha=0.75)
            axis.hlines(np.mean(rates), centre - 0.3 / len(labels), centre + 0.3 / len(labels),
                        colors=colour, linewidth=1.4)  # fmt: skip
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylim(bottom=0.0)
    axis.set_ylabel("spikes/s")
    heading(axis, "rates of runs", f"one dot a seed, {len(report.seeds)} seeds; line: mean")
