"""The stimulus: sound pressure, temperature, a path, or any other signal of the run."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from neuro.signal import Signal
from sims.report.figures._data import envelope, labelled, pretty_unit, words
from sims.report.figures._style import (
    EMBER, INK, PALETTE, Picture, heading, stack, styled, time_scale,
)  # fmt: skip
from sims.result import Run

__all__ = ["draw_signal", "stimulus"]

SYMBOLS = {"Pa": "p", "degC": "T", "m": "position", "rad": "angle"}
COLUMNS = 1400
LINES = 6  # more channels than this are shown as an image


@styled
def stimulus(run: Run) -> Picture:
    """Every signal of the run's stimulus over time, one panel each.

    Long signals are drawn as the envelope of their extremes, so that no peak is lost.

    Raises:
        ValueError: if the run has no signals.
    """
    if not run.signals:
        raise ValueError("a picture of the stimulus needs a run with signals, found none")
    duration_ms = run.recording.duration_ms
    figure, axes = stack([0.85] * len(run.signals), duration_ms=duration_ms)
    for axis, (name, signal) in zip(axes, run.signals.items(), strict=True):
        draw_signal(axis, name, signal, duration_ms)
    return figure


def draw_signal(axis: Axes, name: str, signal: Signal, duration_ms: float) -> None:
    """One signal into an axis whose unit of time `time_scale` gave."""
    scale, _ = time_scale(duration_ms)
    heading(axis, words(name.replace(".", " ")), _detail(signal))
    channels = signal.values.reshape(signal.values.shape[0], -1)
    quantity = SYMBOLS.get(signal.unit, "value")
    if channels.shape[1] > LINES:
        axis.imshow(
            channels.T, extent=(0.0, signal.duration_ms / scale, -0.5, channels.shape[1] - 0.5),
            origin="lower", aspect="auto", cmap=EMBER,
        )  # fmt: skip
        axis.set_ylabel("channel")
        return
    for index, channel in enumerate(channels.T):
        colour = INK if channels.shape[1] == 1 else PALETTE[index]
        if channel.size > 2 * COLUMNS:
            at, low, high = envelope(channel, COLUMNS)
            axis.fill_between(
                at * signal.dt_ms / scale, low, high, color=colour, linewidth=0.3, alpha=0.85
            )
        else:
            axis.plot(signal.times_ms / scale, channel, color=colour, label=f"channel {index + 1}")
    if channels.shape[1] > 1:
        axis.legend(loc="upper right", ncols=channels.shape[1])
    axis.set_ylabel(labelled(quantity, signal.unit))
    axis.locator_params(axis="y", nbins=4)
    axis.margins(y=0.1)


def _detail(signal: Signal) -> str:
    if signal.unit != "Pa":
        low, high = float(signal.values.min()), float(signal.values.max())
        unit = pretty_unit(signal.unit)
        return f"{low:.3g} to {high:.3g} {unit}".rstrip()
    rms = float(np.sqrt(np.mean(np.square(signal.values))))
    if rms == 0.0:
        return "silence"
    return f"{20.0 * np.log10(rms / 20e-6):.0f} dB SPL over the whole sound"
