"""Sounds: what comes out has the level, the rate and the channel that were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from encoders.sound import REFERENCE_PA, Sound, at_level, load_sound, resample


def tone(hz: float, rate_hz: float, seconds: float = 0.5, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@given(
    level_db=st.floats(-20, 120),
    amplitude=st.floats(1e-3, 0.9),
    offset=st.floats(-0.1, 0.1),
)
def test_a_level_is_the_rms_whatever_the_recording_gain_and_offset(
    level_db: float, amplitude: float, offset: float
) -> None:
    samples = offset + tone(440, 16000, 0.1, amplitude)
    before = samples.copy()
    pressure = at_level(Sound(samples, 16000), level_db)
    assert rms(pressure.values) == pytest.approx(REFERENCE_PA * 10 ** (level_db / 20), rel=1e-9)
    assert pressure.unit == "Pa" and pressure.dt_ms == pytest.approx(1 / 16)
    assert np.array_equal(samples, before)


def test_a_reference_tone_of_94_db_is_one_pascal() -> None:
    """0 dB SPL is 20 µPa of RMS, so 93.979 dB are 1 Pa; a sine's peak is sqrt(2) times that."""
    pressure = at_level(Sound(tone(1000, 16000), 16000), 20 * np.log10(1 / 20e-6)).values
    assert rms(pressure) == pytest.approx(1.0, rel=1e-9)
    assert pressure.max() == pytest.approx(np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_resampling_keeps_a_tone_in_time_and_size(rate_hz: int) -> None:
    """1 kHz, far inside every band: the middle equals the tone sampled anew, to -50 dB."""
    out = resample(Sound(tone(1000, rate_hz), rate_hz), 40000)
    wanted = tone(1000, 40000)
    assert out.rate_hz == 40000
    assert abs(out.values.size - wanted.size) <= 1
    middle = slice(4000, 16000)
    assert rms(out.values[middle] - wanted[middle]) < 10 ** (-50 / 20) * rms(wanted)


def test_resampling_down_removes_what_the_lower_rate_cannot_carry() -> None:
    mixed = Sound(tone(1000, 48000) + tone(15000, 48000), 48000)
    out = resample(mixed, 16000).values[2000:6000]
    assert rms(out - tone(1000, 16000)[2000:6000]) < 0.01 * rms(out)  # else 15 kHz folds to 1 kHz


@pytest.mark.parametrize(
    ("format_", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", None)]
)
def test_every_promised_format_is_read(tmp_path: Path, format_: str, subtype: str | None) -> None:
    samples = tone(500, 16000)
    path = tmp_path / f"tone.{format_.lower()}"
    soundfile.write(path, samples, 16000, format=format_, subtype=subtype)
    sound = load_sound(path)
    assert sound.rate_hz == 16000
    assert sound.duration_ms == pytest.approx(500)
    tolerance = 0.05 if format_ == "OGG" else 1e-3  # Vorbis is lossy
    assert rms(sound.values - samples) < tolerance * rms(samples)


def test_a_stereo_recording_gives_each_ear_or_the_mean(tmp_path: Path) -> None:
    left, right = tone(300, 16000, amplitude=0.4), tone(700, 16000, amplitude=0.2)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    for channel, wanted in (("left", left), ("right", right), ("mix", (left + right) / 2)):
        values = load_sound(path, channel).values  # type: ignore[arg-type]
        assert values == pytest.approx(wanted - wanted.mean(), abs=1e-6)


def test_a_real_recording_is_read(real_sound: Path) -> None:
    sound = load_sound(real_sound)
    assert sound.rate_hz == 48000
    assert 1000 < sound.duration_ms < 2000
    assert rms(at_level(sound, 70).values) == pytest.approx(REFERENCE_PA * 10**3.5)
