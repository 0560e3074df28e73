"""One picture that tells a run from top to bottom: stimulus, spikes, modulation, reasoner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neuro.modulation import REASONER
from neuro.recording import Recording
from sims.report.figures._data import nice_bin, rate_course
from sims.report.figures.modulation import HANDED_OVER, draw_concentration, is_for_reasoner
from sims.report.figures.neurograms import draw_neurogram, rate_bar, tonotopic
from sims.report.figures.rasters import draw_raster
from sims.report.figures.space import Walk, walk_of
from sims.report.figures.stimuli import draw_signal
from sims.report.figures.style import (
    INK,
    MUTED,
    PALETTE,
    Picture,
    above,
    colour_of,
    heading,
    stack,
    styled,
    time_scale,
)
from sims.report.figures.trace_panels import draw_trace
from sims.report.wording import words
from sims.result import Run

__all__ = ["overview", "telling"]

Panel = tuple[float, Callable[[Axes], Any]]


@styled
def overview(run: Run, populations: Sequence[str] | None = None, *, most: int = 5) -> Picture:
    """The story of a run on one time axis, built from whatever the run contains.

    From top to bottom: the stimulus (sound, temperature, path), the neurogram of the first
    population with `cf_hz`, rasters, concentrations, and the factors on parameters together
    with the numbers handed to the reasoner; traces where that is little.

    Args:
        run: Any run.
        populations: The rasters to show, in order; the most telling ones if None, see
            `telling`.
        most: How many rasters at most when `populations` is None.

    Raises:
        KeyError: if a population was not recorded.
    """
    recording = run.recording
    panels = [*_stimulus(run), *_ear(run), *_rasters(run, populations, most), *_modulation(run)]
    if len(panels) < 4:
        panels += _traces(run)
    figure, axes = stack(
        [height for height, _ in panels] or [1.0], duration_ms=recording.duration_ms
    )
    for axis, (_, draw) in zip(axes, panels, strict=False):
        draw(axis)
    figure.align_ylabels(axes)
    return figure


def telling(run: Run, most: int) -> list[str]:
    """The populations worth a raster, in the run's order.

    First the cells that the ear drives, then those that release a transmitter, then those whose
    rate peaks highest above its mean, beyond what chance spikes at that mean would do.
    """
    spikes = run.recording.spikes
    ear = tonotopic(run)
    first = {*ear[1:2], *_releasing(run)}

    def eventful(name: str) -> float:
        edges, rate = rate_course(spikes[name], nice_bin(run.recording.duration_ms, most=100))
        counts = rate * np.diff(edges) / 1000.0 * spikes[name].n_units
        mean = float(counts.mean())
        return (float(counts.max()) - 3.0 * mean**0.5 - 1.0) / mean if mean else -np.inf

    candidates = [name for name in spikes if name not in ear[:1]]
    candidates.sort(key=lambda name: (name not in first, -eventful(name)))
    kept = set(candidates[:most])
    return [name for name in spikes if name in kept]


def _releasing(run: Run) -> set[str]:
    modulation = run.provenance.resolved.get("modulation") or {}
    if not isinstance(modulation, dict):
        return set()
    return {
        str(entry.get("released_by")) for entry in modulation.values() if isinstance(entry, dict)
    }


def _stimulus(run: Run) -> list[Panel]:
    duration_ms = run.recording.duration_ms
    shown = []
    for unit in ("Pa", "degC"):
        shown += [key for key, signal in run.signals.items() if signal.unit == unit][:1]
    walk = walk_of(run)
    if not shown and walk is None:
        shown = list(run.signals)[:1]
    panels: list[Panel] = [
        (0.6, partial(draw_signal, name=key, signal=run.signals[key], duration_ms=duration_ms))
        for key in shown
    ]
    if walk is not None:
        panels.append((0.7, partial(_draw_walk, walk=walk, duration_ms=duration_ms)))
    return panels


def _ear(run: Run) -> list[Panel]:
    return [(1.15, partial(_draw_ear, run=run, name=name)) for name in tonotopic(run)[:1]]


def _rasters(run: Run, populations: Sequence[str] | None, most: int) -> list[Panel]:
    recording = run.recording
    names = telling(run, most) if populations is None else list(populations)
    colours = colour_of(list(recording.spikes))
    panels: list[Panel] = []
    for name in names:
        spikes = recording.spikes[name]
        draw = partial(
            draw_raster, spikes=spikes, coordinates=run.coordinates.get(name, {}), name=name,
            colour=colours[name], duration_ms=recording.duration_ms,
        )  # fmt: skip
        panels.append((0.75 if spikes.n_units > 60 else 0.55, draw))
    return panels


def _modulation(run: Run) -> list[Panel]:
    recording = run.recording
    colours = colour_of(list(recording.modulators))
    panels: list[Panel] = []
    for name, course in recording.modulators.items():
        draw = partial(
            draw_concentration, name=name, course=course, colour=colours[name],
            duration_ms=recording.duration_ms,
        )  # fmt: skip
        panels.append((0.6, draw))
    if recording.factors:
        panels.append((0.8, partial(_draw_factors, recording=recording)))
    return panels


def _traces(run: Run) -> list[Panel]:
    recording = run.recording
    return [
        (0.8, partial(draw_trace, trace=trace, duration_ms=recording.duration_ms))
        for trace in list(recording.traces.values())[:2]
    ]


def _draw_ear(axis: Axes, run: Run, name: str) -> None:
    mesh = draw_neurogram(
        axis, run.recording.spikes[name], run.coordinates[name]["cf_hz"], name,
        run.recording.duration_ms,
    )  # fmt: skip
    rate_bar(mesh, axis)


def _draw_walk(axis: Axes, walk: Walk, duration_ms: float) -> None:
    scale, _ = time_scale(duration_ms)
    heading(axis, "path", "position in the arena")
    times = np.arange(walk.x_m.size) * walk.dt_ms / scale
    for values, colour, label in ((walk.x_m, INK, "x"), (walk.y_m, PALETTE[4], "y")):
        axis.plot(times, values, color=colour, label=label)
    above(axis)
    axis.set_ylabel("position (m)")


def _spelt(key: str) -> str:
    target, _, parameter = key.partition(".")
    return f"{words(target)} {parameter}"  # parameters keep their symbol, such as g_L


def _draw_factors(axis: Axes, recording: Recording) -> None:
    """All factors in one panel; the reasoner's is the thick one."""
    scale, _ = time_scale(recording.duration_ms)
    heading(axis, "modulated parameters", f"thick: handed to the {REASONER}")
    axis.axhline(1.0, color=MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    others = iter((PALETTE[2], PALETTE[0], PALETTE[3], PALETTE[4], PALETTE[5], PALETTE[6]) * 9)
    for key in sorted(recording.factors, key=is_for_reasoner):
        course = recording.factors[key]
        handed = is_for_reasoner(key)
        axis.plot(
            course.times_ms / scale, course.values, label=_spelt(key),
            color=HANDED_OVER if handed else next(others), linewidth=1.8 if handed else 1.0,
        )  # fmt: skip
    above(axis)
    axis.set_ylabel("factor")
    axis.margins(y=0.12)
