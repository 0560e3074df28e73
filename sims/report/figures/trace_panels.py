"""Recorded variables of single cells over time."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from neuro.recording import Recording, Trace
from sims.report.figures._data import envelope, recording_of
from sims.report.figures.style import PALETTE, Picture, heading, stack, styled, time_scale
from sims.report.wording import labelled, words
from sims.result import Run

__all__ = ["draw_trace", "traces"]

COLUMNS = 1400
SHOWN = 4  # cells a panel; more cannot be followed by eye


@styled
def traces(run: Run | Recording, keys: Sequence[str] | None = None) -> Picture:
    """Each recorded variable, one panel each, with its first four cells.

    Args:
        run: A run, or a bare recording.
        keys: Which traces (`population.variable`), in which order; all if None.

    Raises:
        ValueError: if the run recorded no traces.
        KeyError: if one that is asked for was not recorded.
    """
    recording = recording_of(run)
    if not recording.traces:
        raise ValueError("a picture of traces needs a run that recorded some, found none")
    shown = list(recording.traces if keys is None else keys)
    figure, axes = stack([1.0] * len(shown), duration_ms=recording.duration_ms)
    for axis, key in zip(axes, shown, strict=True):
        draw_trace(axis, recording.traces[key], recording.duration_ms)
    return figure


def draw_trace(axis: Axes, trace: Trace, duration_ms: float) -> None:
    """One variable of some cells into an axis; says how many cells it leaves out."""
    scale, _ = time_scale(duration_ms)
    n = trace.data.shape[1]
    shown = min(n, SHOWN)
    names = ", ".join(str(cell) for cell in trace.cells[:shown])
    left_out = f"; {n - shown} more recorded" if n > shown else ""
    kind = "synapse" if trace.of_edges else "cell"
    cells = f"{kind}{'s' if shown != 1 else ''} {names}{left_out}"
    heading(axis, f"{words(trace.population)} {trace.variable}", cells)
    for index in range(shown):
        values = trace.data[:, index]
        colour = PALETTE[index]
        if values.size > 2 * COLUMNS:
            at, low, high = envelope(values, COLUMNS)
            axis.fill_between(
                at * trace.every_ms / scale, low, high, color=colour, linewidth=0.5, alpha=0.8
            )
        else:
            axis.plot(trace.times_ms / scale, values, color=colour, linewidth=0.8, alpha=0.9)
    axis.set_ylabel(labelled(trace.variable, trace.unit))
    axis.locator_params(axis="y", nbins=4)
    axis.margins(y=0.08)
