"""Population rates over time."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.report.figures._data import nice_bin, rate_course, recording_of
from sims.report.figures.style import Picture, colour_of, heading, stack, styled, time_scale
from sims.report.wording import words
from sims.result import Run

__all__ = ["draw_rate", "rates"]


@styled
def rates(
    run: Run | Recording, populations: Sequence[str] | None = None, *, bin_ms: float | None = None
) -> Picture:
    """Mean rate of a cell (spikes/s) in each population over time, one panel each.

    Args:
        run: A run, or a bare recording.
        populations: Which, in which order; all if None.
        bin_ms: Width of the bins; about 200 bins if None.

    Raises:
        KeyError: if a population was not recorded.
    """
    recording = recording_of(run)
    names = list(recording.spikes if populations is None else populations)
    colours = colour_of(list(recording.spikes))
    width_ms = bin_ms or nice_bin(recording.duration_ms, most=200)
    figure, axes = stack([0.55] * max(len(names), 1), duration_ms=recording.duration_ms)
    for axis, name in zip(axes, names, strict=False):
        draw_rate(axis, recording.spikes[name], width_ms, colours[name], recording.duration_ms)
        heading(axis, words(name))
    axes[0].set_title(f"bins of {width_ms:g} ms", loc="right", fontsize=7, alpha=0.7)
    return figure


def draw_rate(axis: Axes, spikes: Spikes, bin_ms: float, colour: str, duration_ms: float) -> None:
    """One population's rate into an axis whose unit of time `time_scale` gave."""
    scale, _ = time_scale(duration_ms)
    edges_ms, rate = rate_course(spikes, bin_ms)
    axis.stairs(rate, edges_ms / scale, color=colour, fill=True, alpha=0.25, linewidth=0)
    axis.stairs(rate, edges_ms / scale, color=colour, linewidth=0.9)
    axis.set_ylim(0.0, max(1.0, 1.08 * float(rate.max(initial=0.0))))
    axis.set_ylabel("spikes/s")
    axis.locator_params(axis="y", nbins=3)
