"""Dose–response pictures: what a sweep measured against what it varied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from sims.report.figures._data import Array
from sims.report.figures.style import (
    EMBER,
    MUTED,
    PALETTE,
    WIDTH,
    Picture,
    heading,
    picture,
    styled,
)
from sims.report.wording import labelled, words

__all__ = ["Series", "dose_response", "responding", "series_of"]

COLUMNS = 3
MOST_LINES = 8
LEAST_FOR_INTERVAL = 3  # with two seeds a 95 % interval is nine standard deviations wide
_NAMES = {"rate_hz": "rate (spikes/s)", "spikes": "spikes"}

Table = Mapping[str, Sequence[Any]]


class Series(NamedTuple):
    """The points of one line: doses and responses, one each a run, unordered."""

    label: str
    dose: Array
    response: Array

    def summary(self) -> tuple[Array, Array, Array]:
        """Distinct doses, the mean response at each, and half its 95 % interval (Student's t).

        The half interval is NaN for fewer than three runs at a dose.
        """
        from scipy.special import stdtrit

        doses = np.unique(self.dose)
        mean, half = np.empty(doses.size), np.full(doses.size, np.nan)
        for index, dose in enumerate(doses):
            values = self.response[self.dose == dose]
            mean[index], n = values.mean(), values.size
            if n >= LEAST_FOR_INTERVAL:
                half[index] = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
        return doses, mean, half


@styled
def dose_response(
    table: Table,
    vary: Mapping[str, str] | Iterable[str],
    measures: Sequence[str] | None = None,
) -> Picture:
    """Each measure against the first varied number, a panel each.

    Small points are single runs; the line joins their means, and from three runs (seeds) a dose
    a bar shows the 95 % interval of the mean. Each value of a second varied key has its own
    line; where that would be more than eight, all runs share one. Doses drawn at random are
    shown as points alone.

    Args:
        table: Columns of a sweep's table, a mapping or a DataFrame.
        vary: The varied keys, in order, with the unit of each if a mapping.
        measures: Columns to show; those that change with the dose if None.

    Raises:
        KeyError: if a column is not in the table.
        ValueError: if nothing was varied, or there is no measure to show.
    """
    units = dict(vary) if isinstance(vary, Mapping) else dict.fromkeys(vary, "1")
    keys = [key for key in units if key != "seed"] or list(units)
    if not keys:
        raise ValueError("a dose-response picture needs a varied key, found none")
    shown = responding(table, keys) if measures is None else list(measures)
    if not shown:
        raise ValueError("a dose-response picture needs a measure that changes, found none")
    dose_key = dose_of(table, keys)
    others = [key for key in keys if key != dose_key]
    columns = 2 if len(shown) == 4 else min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = picture(1.6 * rows + 0.45, width=WIDTH)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"hspace": 0.08})
    for axis in grid.flat[len(shown) :]:
        axis.set_axis_off()
    ticks = _categories(table[dose_key])
    for axis, measure in zip(grid.flat, shown, strict=False):
        series = series_of(table, dose_key, others, measure, units)
        _draw(axis, measure, series, ticks)
    together = f"; every {' and '.join(others)} together" if others and len(series) == 1 else ""
    figure.supxlabel(labelled(dose_key, units[dose_key]) + together, fontsize=7.5)
    if len(series) > 1:
        title = ", ".join(labelled(key, units[key]) for key in others)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=min(len(series), 6), title=title,
            title_fontsize=7.5,
        )  # fmt: skip
    return figure


def dose_of(table: Table, keys: Sequence[str]) -> str:
    """The key for the horizontal axis: the first number with three values or more, if any."""
    numbers = [key for key in keys if _numeric(table[key])]
    rich = [key for key in numbers if len(set(table[key])) >= 3]
    return (rich or numbers or list(keys))[0]


def responding(table: Table, keys: Iterable[str]) -> list[str]:
    """The measures that what was varied changes, without counts that repeat a rate.

    What differs between seeds alone does not count, unless nothing but the seed was varied.
    """
    keys = list(keys)
    skip = {*keys, "seed", "id", "software", "status"}
    names = [name for name in table if name not in skip and _numeric(table[name])]
    rates = {name.removeprefix("rate_hz.") for name in names if name.startswith("rate_hz.")}
    names = [n for n in names if not n.startswith("spikes.") or n[len("spikes.") :] not in rates]
    return [name for name in names if _responds(table, name, "seed" in keys)]


def _responds(table: Table, measure: str, across_seeds: bool) -> bool:
    """Whether a measure differs between runs of one seed, or between seeds where these vary."""
    seeds = [0] * len(table[measure]) if across_seeds else list(table.get("seed", ()))
    groups: dict[Any, set[float]] = {}
    for seed, value in zip(seeds or [0] * len(table[measure]), table[measure], strict=True):
        if not _missing(value):
            groups.setdefault(seed, set()).add(float(value))
    return any(len(values) > 1 for values in groups.values())


def series_of(
    table: Table,
    dose_key: str,
    others: Sequence[str],
    measure: str,
    units: Mapping[str, str],
) -> list[Series]:
    """The lines of one panel: a line a combination of the other keys, or one for all."""
    dose = _doses(table[dose_key])
    response = np.array([np.nan if _missing(v) else float(v) for v in table[measure]])
    rows = list(zip(*(table[key] for key in others), strict=True)) or [()] * len(dose)
    groups = sorted(set(rows), key=lambda group: [(isinstance(v, str), v) for v in group])
    usable = np.isfinite(response) & np.isfinite(dose)
    if len(groups) > MOST_LINES:
        return [Series("", dose[usable], response[usable])]
    found = []
    for group in groups:
        mine = usable & np.array([row == group for row in rows])
        label = ", ".join(f"{v:g}" if _number(v) else str(v) for v in group)
        found.append(Series(label, dose[mine], response[mine]))
    return found


def _draw(axis: Axes, measure: str, series: Sequence[Series], ticks: Sequence[str]) -> None:
    title, label = _titles(measure)
    heading(axis, title)
    for index, (name, dose, response) in enumerate(series):
        colour = PALETTE[0] if len(series) == 1 else EMBER(0.3 + 0.65 * index / (len(series) - 1))
        axis.plot(dose, response, "o", color=colour, markersize=2.2, alpha=0.5, markeredgewidth=0)
        doses, mean, half = series[index].summary()
        if doses.size > 15 and dose.size < 2 * doses.size:
            axis.plot([], [], "o", color=colour, label=name)  # random doses: a line would be noise
            continue
        axis.errorbar(
            doses, mean, yerr=half, color=colour, marker="o", markersize=3.5, elinewidth=0.9,
            capsize=1.8, capthick=0.9, label=name,
        )  # fmt: skip
    if measure.startswith("factor."):
        axis.axhline(1.0, color=MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    axis.set_ylabel(label)
    axis.locator_params(axis="y", nbins=4)
    axis.margins(x=0.05, y=0.1)
    _scale(axis, np.unique(np.concatenate([s.dose for s in series])), ticks)


def _scale(axis: Axes, doses: Array, ticks: Sequence[str]) -> None:
    """Categories by name; doses that grow by factors on a logarithmic axis, 0 beside it."""
    if ticks:
        axis.set_xticks(range(len(ticks)), list(ticks))
        return
    positive = doses[doses > 0]
    if doses.size >= 3 and (doses >= 0).all() and positive[-1] / positive[0] >= 8:
        if positive.size == doses.size:
            axis.set_xscale("log")
        else:
            axis.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
        axis.set_xticks(doses if doses.size <= 7 else doses[:: -(-doses.size // 6)])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
    else:
        axis.locator_params(axis="x", nbins=6)


def _titles(measure: str) -> tuple[str, str]:
    """The panel's name and what its vertical axis says."""
    kind, _, rest = measure.partition(".")
    if kind in _NAMES and rest:
        return words(rest), _NAMES[kind]
    target, _, statistic = rest.rpartition(".")
    if kind == "modulator" and target:
        return words(target), f"{statistic} (nM)"
    if kind == "factor" and target:
        name, _, parameter = target.partition(".")
        return f"{words(name)} {parameter}", f"{statistic} factor"
    return words(measure), ""


def _doses(values: Sequence[Any]) -> Array:
    """Numbers as they are; categories by their place in order of appearance."""
    if _numeric(values):
        return np.array([np.nan if _missing(v) else float(v) for v in values])
    names = _categories(values)
    return np.array([names.index(str(value)) for value in values], dtype=np.float64)


def _categories(values: Sequence[Any]) -> list[str]:
    return [] if _numeric(values) else list(dict.fromkeys(str(value) for value in values))


def _numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if not _missing(value)]
    return bool(present) and all(_number(value) for value in present)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
