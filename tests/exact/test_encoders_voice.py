"""The voice synthesiser: what is asked for is found again in the waveform."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, filtfilt, find_peaks, lfilter, resample_poly

from encoders.source_filter import OUTPUT_RMS, Voice, pulse_times_s, synthesize
from encoders.voice import calm, distressed, embedded_sound
from neuro.errors import SignalError

RATE_HZ = 16000
STEADY = ((0.0, 1.0), (1.0, 1.0))


def local(values: np.ndarray) -> float:
    """Mean difference of neighbours over the mean: local jitter or shimmer, as Praat has it."""
    return float(np.abs(np.diff(values)).mean() / values.mean())


def closures(samples: np.ndarray, voice: Voice) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and strengths of glottal closures, by undoing the formants (inverse filter)."""
    source = samples
    for formant_hz, bandwidth_hz in zip(voice.formants_hz, voice.bandwidths_hz, strict=True):
        radius = np.exp(-np.pi * bandwidth_hz / RATE_HZ)
        b = 2 * radius * np.cos(2 * np.pi * formant_hz / RATE_HZ)
        source = lfilter([1, -b, radius**2], [1 - b + radius**2], source)
    source = filtfilt(*butter(4, 4000 / (RATE_HZ / 2)), source)
    fine = -resample_poly(source, 16, 1)
    peaks, _ = find_peaks(fine, distance=int(0.6 * 16 * RATE_HZ / voice.f0_hz), height=fine.std())
    peaks = peaks[3:-3]  # the filters' ends
    before, at, after = fine[peaks - 1], fine[peaks], fine[peaks + 1]
    offset = 0.5 * (before - after) / (before - 2 * at + after)
    return (peaks + offset) / (16 * RATE_HZ), at


@pytest.mark.parametrize("f0_hz", [110, 220])
@pytest.mark.parametrize(("jitter", "shimmer"), [(0.001, 0.0), (0.005, 0.02), (0.03, 0.1)])
def test_jitter_and_shimmer_are_recovered_from_the_waveform(
    f0_hz: float, jitter: float, shimmer: float
) -> None:
    """At 0.1 % the periods differ by 5 to 9 µs, a tenth of a sample."""
    voice = Voice(f0_hz=f0_hz, jitter=jitter, shimmer=shimmer, breathiness=0, envelope=STEADY)
    found = [
        closures(synthesize(voice, duration_s=3, sample_rate_hz=RATE_HZ, seed=seed), voice)
        for seed in range(3)
    ]
    periods = [np.diff(times) for times, _ in found]
    assert min(p.size for p in periods) > 0.95 * 3 * f0_hz - 8  # every pulse was found
    assert np.mean([local(p) for p in periods]) == pytest.approx(jitter, rel=0.08)
    assert np.mean([1 / p.mean() for p in periods]) == pytest.approx(f0_hz, rel=0.01)
    if shimmer:
        assert np.mean([local(strength) for _, strength in found]) == pytest.approx(
            shimmer, rel=0.08
        )
    else:
        assert np.mean([local(strength) for _, strength in found]) < 0.002


def test_without_jitter_the_waveform_has_none() -> None:
    voice = Voice(f0_hz=187.3, jitter=0, shimmer=0, breathiness=0, envelope=STEADY)
    times, strengths = closures(synthesize(voice, duration_s=2, seed=1), voice)
    assert times.size > 350
    assert local(np.diff(times)) < 2e-4
    assert local(strengths) < 1e-3
    # Control: pulses bound to samples would jitter by far more than that.
    assert local(np.diff(np.round(times * RATE_HZ) / RATE_HZ)) > 2e-3


def test_breathiness_is_the_ratio_of_noise_to_voice() -> None:
    """The voiced part is the same for one seed, so a difference of two voices is noise."""
    clean = Voice(breathiness=0, envelope=STEADY)
    voiced = synthesize(clean, duration_s=1, seed=2)
    noisy = synthesize(replace(clean, breathiness=0.5), duration_s=1, seed=2)
    share = float(voiced @ noisy / (voiced @ voiced))  # undoes the common level
    noise = noisy - share * voiced
    assert np.std(noise) / np.std(share * voiced) == pytest.approx(0.5, rel=0.05)


def test_the_spectrum_peaks_at_the_formants() -> None:
    """A whisper shows the vocal tract without harmonics."""
    voice = Voice(breathiness=100, formants_hz=(700.0, 1800.0), bandwidths_hz=(60.0, 90.0))
    samples = synthesize(voice, duration_s=4, seed=3)
    frames = samples[: 250 * 256].reshape(250, 256) * np.hanning(256)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(0)
    frequency = np.fft.rfftfreq(256, 1 / RATE_HZ)
    peaks = frequency[find_peaks(power, prominence=0.05 * power.max())[0]]
    assert peaks == pytest.approx([700, 1800], abs=RATE_HZ / 256)


def test_f0_follows_its_contour_and_tremor() -> None:
    voice = Voice(f0_hz=200, contour=((0, 0.8), (1, 1.2)), jitter=0, tremor_depth=0)
    times, _ = pulse_times_s(voice, 1.0, seed=1)
    f0 = 1 / np.diff(times)
    assert f0 == pytest.approx(200 * (0.8 + 0.4 * times[:-1]), rel=1e-9)
    shaken = replace(voice, contour=STEADY, tremor_hz=5, tremor_depth=0.1)
    times, _ = pulse_times_s(shaken, 1.0, seed=1)
    f0 = 1 / np.diff(times)
    assert (f0.min(), f0.max()) == pytest.approx((180, 220), rel=0.005)
    spectrum = np.abs(np.fft.rfft(np.interp(np.arange(200) / 200, times[:-1], f0 - f0.mean())))
    assert spectrum.argmax() == 5


def test_same_seed_same_samples_and_level() -> None:
    voice = calm(4)
    one, again, other = (synthesize(voice, duration_s=0.5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.size == 8000
    assert np.sqrt(np.mean(one**2)) == pytest.approx(OUTPUT_RMS)


def test_calm_and_distressed_are_the_same_speaker_but_for_micro_timing() -> None:
    timing = ("jitter", "tremor_hz", "tremor_depth")
    for speaker in range(50):
        quiet, upset = calm(speaker), distressed(speaker)
        assert replace(quiet, **{name: getattr(upset, name) for name in timing}) == upset
        assert all(getattr(quiet, name) < getattr(upset, name) for name in timing)
        assert quiet == calm(speaker)
    voices = [calm(speaker) for speaker in range(50)]
    assert len({voice.f0_hz for voice in voices}) == 50
    assert len({voice.formants_hz for voice in voices}) == 50


def test_mean_f0_does_not_tell_the_states_apart() -> None:
    """Within one speaker the mean period differs by less than its own standard error."""
    differences = []
    for speaker in range(60):
        counts = [
            pulse_times_s(voice, 2.0, seed=speaker)[1].size
            for voice in (calm(speaker), distressed(speaker))
        ]
        differences.append(np.log(counts[1] / counts[0]))
    standard_error = np.std(differences) / np.sqrt(len(differences))
    assert abs(np.mean(differences)) < max(3 * standard_error, 0.002)


def test_a_state_is_recovered_from_the_waveform() -> None:
    """The harmonics' noise and the closures' jitter separate the states in every speaker."""
    for speaker in range(8):
        measured = []
        for voice in (calm(speaker), distressed(speaker)):
            samples = synthesize(replace(voice, breathiness=0), duration_s=1, seed=speaker)
            times, _ = closures(samples, voice)
            measured.append(local(np.diff(times)))
        assert measured[1] > 1.5 * measured[0]


def test_the_startle_sound_has_one_sudden_loud_onset() -> None:
    sound = embedded_sound("startle")
    frame = np.abs(sound.values[: 1500 * 16]).reshape(1500, 16).max(1)  # peak in each ms
    loud = np.flatnonzero(frame > 0.1 * frame.max())
    assert sound.duration_ms == pytest.approx(1500)
    assert loud[0] == pytest.approx(900, abs=10)
    murmur, cry = (
        np.sqrt(np.mean(sound.values[round(a * 16000) : round(b * 16000)] ** 2))
        for a, b in ((0.1, 0.7), (0.9, 1.4))
    )
    louder_db = 20 * np.log10(cry / murmur)
    assert louder_db == pytest.approx(40.0, abs=0.01)
    # Prose that says by how much mirrors this, in the config and in the docstring.
    shown = (Path(__file__).parents[2] / "configs/startle.yaml").read_text("utf-8")
    for text in (shown, embedded_sound.__doc__ or ""):
        assert re.search(r"(\d+) dB\s+louder", text)[1] == f"{louder_db:.0f}"  # type: ignore[index]
    assert frame[200:600].min() > 0  # but it is there


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"f0_hz": 5.0}, "f0_hz in 20..2000"),
        ({"jitter": 0.5}, "jitter in 0..0.2"),
        ({"formants_hz": (500.0,)}, "1 formants and 5 bandwidths"),
    ],
)
def test_a_voice_out_of_range_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(SignalError, match=words):
        Voice(**change)  # type: ignore[arg-type]


def test_an_utterance_that_cannot_be_is_refused() -> None:
    with pytest.raises(SignalError, match="two periods"):
        synthesize(Voice(), duration_s=0.001)
    with pytest.raises(SignalError, match="sampling rate above 9000 Hz"):
        synthesize(Voice(), duration_s=1, sample_rate_hz=8000)
