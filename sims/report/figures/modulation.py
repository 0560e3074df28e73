"""Neuromodulation over time: concentrations, and the factors they put on parameters."""

from __future__ import annotations

from matplotlib.axes import Axes

from neuro.modulation import REASONER
from neuro.recording import Course, Recording
from sims.report.figures._data import recording_of
from sims.report.figures.style import (
    MUTED,
    PALETTE,
    Picture,
    colour_of,
    heading,
    stack,
    styled,
    time_scale,
)
from sims.report.wording import labelled, words
from sims.result import Run

__all__ = ["draw_concentration", "draw_factor", "modulators"]

HANDED_OVER = PALETTE[1]  # what reaches the reasoner stands out from what stays in the circuit


@styled
def modulators(run: Run | Recording) -> Picture:
    """Each transmitter's concentration (nM), then each factor, on one time axis.

    A factor of 1 (dashed) leaves its parameter as written. Factors on `reasoner` are the
    numbers handed to the reasoning model.

    Raises:
        ValueError: if the run has no modulation.
    """
    recording = recording_of(run)
    if not (recording.modulators or recording.factors):
        raise ValueError("a picture of modulation needs a run with modulators, found none")
    n = len(recording.modulators) + len(recording.factors)
    figure, axes = stack([0.7] * n, duration_ms=recording.duration_ms)
    panels = iter(axes)
    colours = colour_of(list(recording.modulators))
    for name, course in recording.modulators.items():
        draw_concentration(next(panels), name, course, colours[name], recording.duration_ms)
    for key in sorted(recording.factors, key=is_for_reasoner):
        draw_factor(next(panels), key, recording.factors[key], recording.duration_ms)
    return figure


def is_for_reasoner(key: str) -> bool:
    """Whether a factor is handed to the reasoning model and not to the circuit."""
    return key.partition(".")[0] == REASONER


def draw_concentration(
    axis: Axes, name: str, course: Course, colour: str, duration_ms: float
) -> None:
    """One concentration into an axis whose unit of time `time_scale` gave."""
    scale, _ = time_scale(duration_ms)
    heading(axis, words(name), f"peak {course.values.max():.3g} {course.unit}")
    axis.fill_between(course.times_ms / scale, 0.0, course.values, color=colour, alpha=0.2, lw=0)
    axis.plot(course.times_ms / scale, course.values, color=colour)
    axis.set_ylim(0.0, max(1e-9, 1.1 * float(course.values.max())))
    axis.set_ylabel(labelled("conc.", course.unit))
    axis.locator_params(axis="y", nbins=3)


def draw_factor(axis: Axes, key: str, course: Course, duration_ms: float) -> None:
    """One factor into an axis; 1 is dashed, and its extreme is written beside the name."""
    scale, _ = time_scale(duration_ms)
    values = course.values
    extreme = values[abs(values - 1.0).argmax()]
    target, _, parameter = key.partition(".")
    note = f"factor on {parameter}, furthest ×{extreme:.3g}"
    handed = is_for_reasoner(key)
    heading(axis, words(target), note + (", handed to the reasoning model" if handed else ""))
    axis.axhline(1.0, color=MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    axis.plot(course.times_ms / scale, values, color=HANDED_OVER if handed else PALETTE[2])
    reach = max(0.05, 1.15 * float(abs(values - 1.0).max()))
    low = 1.0 - (reach if values.min() < 1.0 else 0.2 * reach)
    high = 1.0 + (reach if values.max() > 1.0 else 0.2 * reach)
    axis.set_ylim(max(0.0, low), high)
    axis.set_ylabel("factor")
    axis.locator_params(axis="y", nbins=3)
