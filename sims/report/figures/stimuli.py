"""The stimulus: sound pressure, temperature, a path, or any other signal of the run."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from neuro.signal import Signal
from sims.report.figures._data import Array, envelope
from sims.report.figures.style import (
    EMBER,
    INK,
    PALETTE,
    Picture,
    heading,
    stack,
    styled,
    time_scale,
)
from sims.report.wording import labelled, plain, pretty_unit, words
from sims.result import Run

__all__ = ["draw_signal", "stimulus"]

SYMBOLS = {"Pa": "p", "degC": "T"}
_SHOWN = {"m/ms": (1000.0, "m/s")}  # a coherent unit nobody reads
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
    channels = signal.values.reshape(signal.values.shape[0], -1)
    heading(axis, words(name.replace(".", " ")), _detail(signal))
    if channels.shape[1] > LINES:
        _draw_channels(axis, channels, signal.duration_ms, duration_ms)
        return
    scale, _ = time_scale(duration_ms)
    factor, unit = _SHOWN.get(signal.unit, (1.0, signal.unit))
    for index, channel in enumerate(channels.T * factor):
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
    axis.set_ylabel(labelled(SYMBOLS.get(signal.unit, name.rpartition(".")[2]), unit))
    axis.locator_params(axis="y", nbins=4)
    axis.margins(y=0.1)


def _draw_channels(axis: Axes, channels: Array, length_ms: float, duration_ms: float) -> None:
    """Many channels as an image, each column the mean of the frames it covers."""
    scale, _ = time_scale(duration_ms)
    n = channels.shape[0]
    starts = np.unique(np.linspace(0, n, min(n, COLUMNS // 2), endpoint=False).astype(np.int64))
    mean = np.add.reduceat(channels, starts) / np.diff(np.append(starts, n))[:, None]
    axis.imshow(
        mean.T, extent=(0.0, length_ms / scale, -0.5, channels.shape[1] - 0.5), origin="lower",
        aspect="auto", cmap=EMBER, vmin=min(0.0, float(mean.min())),
        vmax=max(float(np.quantile(mean, 0.99)), 1e-9),
    )  # fmt: skip
    axis.set_ylabel("channel")


def _detail(signal: Signal) -> str:
    if signal.unit != "Pa":
        factor, unit = _SHOWN.get(signal.unit, (1.0, signal.unit))
        low, high = (plain(float(v) * factor) for v in (signal.values.min(), signal.values.max()))
        channels = signal.values.shape[1] if signal.values.ndim == 2 else 1
        several = f"{channels} channels, " if channels > 1 else ""
        return f"{several}{low} to {high} {pretty_unit(unit)}".rstrip()
    return sound_levels(signal)


def sound_levels(signal: Signal) -> str:
    """The RMS level of a pressure over the run, and from its first to its last sample but 0.

    Neither is the config's `level` where the sound is shorter than the run, or begins or ends in
    silence: that is the RMS over the whole sound, silences in it included, before it is padded.
    """
    sounding = np.flatnonzero(signal.values)
    if not sounding.size:
        return "silence"
    whole, part = signal.values, signal.values[sounding[0] : sounding[-1] + 1]
    over_run, while_sounding = (
        20.0 * np.log10(np.sqrt(np.mean(np.square(values))) / 20e-6) for values in (whole, part)
    )
    return f"RMS {while_sounding:.0f} dB SPL while it sounds, {over_run:.0f} dB over the run"
