"""The rhythm that a population of fibres keeps to, and how steady it is from cycle to cycle.

A voice opens and closes the glottis once a cycle; fibres of every place fire in step with it.
What tells a voice under stress is in the small differences between neighbouring cycles: jitter
(of their durations) and shimmer (of their strengths), measured here from spikes alone, by the
definitions that voice clinics use for the sound (local jitter and shimmer; Titze 1994,
"Workshop on acoustic voice analysis").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bridges.features.bins import n_bins_of
from bridges.features.intervals import excess_coincidence, fine_counts
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.units import admit, quantities

__all__ = ["CYCLE_FEATURES", "Rhythm", "cycle_features", "rhythm"]

# Engineering choices, all of them about how spikes are filtered, not about voices:
FRAME_MS = 0.25  # a sixteenth of the shortest cycle at 250 Hz
OCTAVE_GUARD = 0.75  # the first peak at least this high, of the highest, is the period
BANDWIDTH_OCTAVES = 0.3  # half a standard deviation keeps 1.2 octaves, neighbours stay apart
CYCLE_FEATURES = ("period", "jitter", "strength", "shimmer", "repeats_1", "repeats_2", "repeats_4")


@dataclass(frozen=True, eq=False)
class Rhythm:
    """The common rhythm of a window of spikes.

    Attributes:
        frequency_hz: Its usual rate.
        repeats: Excess coincidence of spikes one, two and four periods apart.
        marks_ms: `(n_cycles + 1,)` crests of the summed activity in the rhythm's band.
        strength: `(n_cycles,)` amplitude of each cycle, in spikes per frame.
        phases_rad: `(n_spikes,)` phase of each spike, 0 at the crests, in 0..2π.
    """

    frequency_hz: float
    repeats: tuple[float, float, float]
    marks_ms: NDArray[np.float64]
    strength: NDArray[np.float64]
    phases_rad: NDArray[np.float64]

    def __post_init__(self) -> None:
        admit(self)


@quantities
def rhythm(
    spikes: Spikes, *, low_hz: float, high_hz: float, channels: ArrayLike | None = None
) -> Rhythm:
    """Find the rhythm between `low_hz` and `high_hz` that the channels share.

    The period is the delay at which the spikes of a channel repeat best, to half a frame of
    0.25 ms. Around that frequency each channel's activity is filtered; the channels answer with
    different delays (the cochlea's travelling wave), so they are joined by their first complex
    principal component, whose phase is the rhythm's. It is found in noise too: its `repeats`
    then are near 0.

    Args:
        spikes: Their window must be a whole number of 0.25 ms frames, and hold two cycles of
            `low_hz` at least.
        channels: `(n_units,)` channel of each unit; None makes each unit its own channel.

    Raises:
        ConfigError: if the band or the window does not allow it.
    """
    if not 0 < low_hz < high_hz <= 250.0 / FRAME_MS:
        raise ConfigError(
            f"a rhythm must be sought between 0 and {250.0 / FRAME_MS:g} Hz, "
            f"found {low_hz:g}..{high_hz:g} Hz"
        )
    if spikes.duration_ms < 2000.0 / low_hz:
        raise ConfigError(
            f"a rhythm of {low_hz:g} Hz needs a window of {2000.0 / low_hz:g} ms or more, "
            f"found {spikes.duration_ms:g} ms"
        )
    frames = fine_counts(spikes, dt_ms=FRAME_MS, channels=channels)
    period, repeats = _period(frames, low_hz, high_hz)
    wave = _shared_wave(frames, 1.0 / period)
    # Noise can turn the phase back for a moment; a crest is met once all the same.
    phase = np.maximum.accumulate(np.unwrap(np.angle(wave)))
    centres_ms = spikes.t_start_ms + (np.arange(phase.size) + 0.5) * FRAME_MS
    turns = np.arange(np.ceil(phase[0] / (2 * np.pi)), np.floor(phase[-1] / (2 * np.pi)) + 1)
    marks = np.interp(turns * 2 * np.pi, phase, centres_ms)
    return Rhythm(
        frequency_hz=1000.0 / (period * FRAME_MS),
        repeats=repeats,
        marks_ms=marks,
        strength=np.interp((marks[:-1] + marks[1:]) / 2, centres_ms, np.abs(wave)),
        phases_rad=np.mod(np.interp(spikes.times_ms, centres_ms, phase), 2 * np.pi),
    )


@quantities
def cycle_features(found: Rhythm, spikes: Spikes, *, bin_ms: float) -> Tensor:
    """The course of a rhythm, `(n_bins, 7)` float32, columns as in `CYCLE_FEATURES`.

    Per time bin, over the cycles in it and half a bin to either side: log2 of the period over
    10 ms; mean change of duration from one cycle to the next, relative to the period (jitter);
    log of the strength; mean relative change of strength (shimmer). Then the three `repeats`
    of the whole window, the same in every bin.

    Raises:
        ConfigError: if the window is no whole number of bins.
    """
    n_bins = n_bins_of(spikes, bin_ms)
    centres_ms = spikes.t_start_ms + (np.arange(n_bins) + 0.5) * bin_ms
    columns = np.zeros((n_bins, len(CYCLE_FEATURES)))
    columns[:, 4:] = found.repeats
    durations, strength = np.diff(found.marks_ms), found.strength
    if durations.size >= 2:
        middles_ms = found.marks_ms[:-1] + durations / 2
        period = 1000.0 / found.frequency_hz
        change = np.abs(np.diff(durations)) / period
        swing = np.abs(np.diff(strength)) / max(float(strength.mean()), 1e-9)
        for column, (when_ms, values) in enumerate((
            (middles_ms, np.log2(np.maximum(durations, 1e-3) / 10.0)),
            (found.marks_ms[1:-1], change),
            (middles_ms, np.log(np.maximum(strength, 1e-3))),
            (found.marks_ms[1:-1], swing),
        )):  # fmt: skip
            columns[:, column] = _local_means(when_ms, values, np.asarray(centres_ms), bin_ms)
    return torch.from_numpy(columns).to(torch.float32)


def _local_means(
    when_ms: NDArray[np.float64],
    values: NDArray[np.float64],
    centres_ms: NDArray[np.float64],
    reach_ms: float,
) -> NDArray[np.float64]:
    """Mean of the values within `reach_ms` of each centre; the nearest one if there are none."""
    first = np.searchsorted(when_ms, centres_ms - reach_ms)
    last = np.searchsorted(when_ms, centres_ms + reach_ms)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    nearest = np.abs(when_ms[None, :] - centres_ms[:, None]).argmin(axis=1)
    means = (sums[last] - sums[first]) / np.maximum(last - first, 1)
    return np.where(last > first, means, values[nearest])


def _period(
    frames: NDArray[np.float64], low_hz: float, high_hz: float
) -> tuple[float, tuple[float, float, float]]:
    """The best period in frames, and the excess coincidence at 1, 2 and 4 of it."""
    shortest, longest = 1000.0 / high_hz / FRAME_MS, 1000.0 / low_hz / FRAME_MS
    first, last = int(shortest), int(np.ceil(longest))
    reach = min(4 * last + 2, frames.shape[1] - 1)
    excess = excess_coincidence(frames, longest=reach)
    kernel = np.hanning(5)  # over three frames: a period rarely is a whole number of them
    smooth = np.convolve(excess, kernel / kernel.sum(), mode="same")
    lags = np.arange(first, last + 1)
    before, here, after = (smooth[lags + step] for step in (-1, 0, 1))
    # A period rarely is a whole number of frames: the top of a parabola through three of them.
    bend = 2 * here - before - after
    inner = (here >= before) & (here >= after) & (bend > 0)
    aside = np.where(inner, 0.5 * (after - before) / np.where(inner, bend, 1.0), 0.0)
    tops = lags + aside
    # Half a frame is what a top may be off; it keeps rhythms beyond the band out.
    within = (tops >= shortest - 0.5) & (tops <= longest + 0.5)
    sought = np.where(within, here, -np.inf)
    high = np.flatnonzero(inner & within & (sought >= OCTAVE_GUARD * sought.max()))
    found = tops[high[0] if high.size else sought.argmax()]
    period = float(np.clip(found, shortest, longest))
    repeats = tuple(
        float(np.interp(k * period, np.arange(reach + 1), smooth)) if k * period <= reach else 0.0
        for k in (1, 2, 4)
    )
    return period, (repeats[0], repeats[1], repeats[2])


def _shared_wave(frames: NDArray[np.float64], centre: float) -> NDArray[np.complex128]:
    """Analytic signal of the channels' first principal component around `centre` per frame."""
    n = frames.shape[1]
    spectrum = np.fft.fft(frames - frames.mean(axis=1, keepdims=True), n=2 * n, axis=1)
    frequency = np.fft.fftfreq(2 * n)
    positive = frequency > 0
    octaves = np.log2(frequency[positive] / centre)
    gain = np.zeros(2 * n)
    gain[positive] = 2 * np.exp(-0.5 * (octaves / BANDWIDTH_OCTAVES) ** 2)
    waves = np.fft.ifft(spectrum * gain, axis=1)[:, :n]
    _, vectors = np.linalg.eigh(waves @ waves.conj().T)
    shared = vectors[:, -1].conj() @ waves
    # A component's phase is free: turn it so that its crests are those of the summed activity.
    turn = np.vdot(shared, waves.sum(axis=0))
    return np.asarray(shared * np.exp(1j * np.angle(turn)), dtype=np.complex128)
