"""Every unusable stimulus is refused in one line that says what, where and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from encoders import arena_path, auditory_nerve, heat_fibres
from encoders._spiking import draw_spikes
from encoders.cochlea.gammatone import erb_spaced_hz, gammatone
from encoders.cochlea.nerve import auditory_nerve_spikes
from encoders.cochlea.synapse import HIGH
from encoders.sound import Sound, at_level, load_sound
from neuro.errors import SignalError, UnitError
from neuro.signal import Signal
from neuro.units import Hz, celsius, m, m_per_s, ms

RATE = 16000
NOISE = np.random.default_rng(1).normal(0, 0.1, RATE // 4)


def refusal(act: Callable[[], object]) -> str:
    """The message of the refusal: one line, neither empty nor a traceback."""
    with pytest.raises((SignalError, UnitError)) as caught:
        act()
    text = str(caught.value)
    assert text and "\n" not in text and "Traceback" not in text
    return text


def heard(path: Path, **settings: Any) -> Callable[[], object]:
    """The whole way, as a config takes it."""
    return lambda: auditory_nerve(
        duration_ms=100.0, seed=1, file=str(path), n_channels=2, **settings
    )


def wav(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path / "sound.wav", samples, rate, subtype=subtype)
    return path / "sound.wav"


# ---------------------------------------------------------------- sound files

UNUSABLE = {
    "empty": (np.zeros(0), "found none: it is empty"),
    "silent": (np.zeros(RATE), "found it silent: every sample is 0"),
    "dither": (np.random.default_rng(0).choice([0, 1e-5], RATE), "silent: RMS -1"),
    "constant": (np.full(RATE, 0.25), "found it constant: every sample is 0.25"),
    "short": (NOISE[:100], r"at least one frame \(10 ms\), found 6.25 ms"),
    "nan": (
        np.where(np.arange(4000) == 1600, np.nan, NOISE),
        r"found nan at sample 1600 \(0.100 s",
    ),
    "infinite": (np.where(np.arange(4000) == 0, np.inf, NOISE), "found inf at sample 0"),
    "clipped": (np.clip(1e4 * NOISE, -1, 1), "clipped to nothing, found (9|100).* % .*lower gain"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_an_unusable_recording_is_refused(tmp_path: Path, what: str) -> None:
    samples, words = UNUSABLE[what]
    path = wav(tmp_path, samples)
    text = refusal(heard(path))
    assert re.search(words, text)
    assert "sound.wav" in text  # which file


def test_a_usable_recording_is_not() -> None:
    """The same noise, untouched, quiet, offset or lightly clipped."""
    for samples in (NOISE, 1e-3 * NOISE, NOISE + 0.5, np.clip(10 * NOISE, -1, 1)):
        assert Sound(samples, RATE).values.size == NOISE.size
    clicks = np.zeros(RATE)
    clicks[::160] = 1.0  # full scale, but nothing is lost
    assert Sound(clicks, RATE).duration_ms == 1000


def test_clipping_in_integers_is_found_at_either_rail(tmp_path: Path) -> None:
    for subtype in ("PCM_16", "PCM_24", "PCM_U8"):
        path = wav(tmp_path, np.clip(1e4 * NOISE, -1, 1), subtype=subtype)
        assert "clipped" in refusal(lambda path=path: load_sound(path))


@pytest.mark.parametrize(
    "content", [b"", b"not a sound at all", b"RIFF\x24\x00\x00\x00WAVE", b"\x89HDF\r\n\x1a\n" * 50]
)
def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.wav"
    path.write_bytes(content)
    text = refusal(heard(path))
    assert "thing.wav" in text
    assert "cannot be read as a sound" in text or "it is empty" in text


def test_a_truncated_recording_is_refused_or_read_up_to_where_it_ends(tmp_path: Path) -> None:
    whole = wav(tmp_path, NOISE, subtype="PCM_16").read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(whole[: len(whole) // 2])
    assert 50 < load_sound(path).duration_ms < 250
    path.write_bytes(whole[:60])
    assert "at least one frame" in refusal(heard(path))
    path.write_bytes(whole[:30])
    assert "cut.wav" in refusal(heard(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "found nothing there" in refusal(heard(tmp_path / "absent.wav"))
    assert "found a folder there" in refusal(heard(tmp_path))


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = refusal(heard(wav(tmp_path, NOISE), channel="right"))
    assert "found 1" in text and "set channel to mix" in text
    assert "found `middle`" in refusal(heard(wav(tmp_path, NOISE), channel="middle"))


def test_channels_that_cancel_are_refused(tmp_path: Path) -> None:
    path = wav(tmp_path, np.stack([NOISE, -NOISE], axis=1))
    assert "take `left` or `right`" in refusal(heard(path))
    assert load_sound(path, "left").values.size == NOISE.size


def test_a_rate_too_low_for_the_highest_channel_is_refused_and_the_advice_works(
    tmp_path: Path,
) -> None:
    path = wav(tmp_path, NOISE, rate=4000)
    text = refusal(heard(path))
    found = re.search(
        r"sampled at 4000 Hz .* nothing above 2000 Hz.* at 3500 Hz, reaches 3701 Hz; "
        r"set `high` to (\d+) Hz or less",
        text,
    )
    assert found
    advised = float(found[1])
    assert heard(path, high=Hz(advised))()
    assert "set `high`" in refusal(heard(path, high=Hz(advised + 20)))


def test_settings_of_the_ear_are_checked(tmp_path: Path) -> None:
    def ear(**settings: Any) -> str:
        return refusal(lambda: auditory_nerve(**{"duration_ms": 100.0, "seed": 1, **settings}))

    assert "one channel, found channel left of `startle`" in ear(channel="left")
    assert "one channel" in ear(channel="right", embedded="calm")
    assert "found speaker 3 with the file `a.wav`" in ear(speaker=3, file="a.wav")
    assert "earlier `start`" in ear(start=ms(100))
    assert "start within the run" in ear(start=ms(-1))
    assert "longer than 0 ms" in ear(duration_ms=0.0)
    assert "n_channels 0" in ear(n_channels=0)
    assert "fibres_per_channel -1" in ear(fibres_per_channel=-1)
    assert "0 < low <= high" in ear(low=Hz(4000), high=Hz(1000))
    assert "0 < low <= high" in ear(low=Hz(0))
    assert "give one of them" in ear(file="a.wav", embedded="calm")
    assert "set `high`" in ear(embedded="silence", high=Hz(20000))
    assert "set `high`" in ear(embedded="calm", high=Hz(8000))
    # a config's schema refuses these before; a caller in Python gets the same clear line
    assert "found `scream`" in ear(embedded="scream")
    assert "mixed, high, medium or low, found `none`" in ear(spontaneous="none")


def test_lower_levels_check_what_they_are_given() -> None:
    sound = Signal(NOISE, 1 / 16, "Pa")
    cfs = np.array([500.0])
    assert "one channel" in refusal(
        lambda: auditory_nerve_spikes(Signal(np.ones((9, 2)), 1.0), cfs, seed=1, classes=[HIGH])
    )
    assert "found 1 and 0" in refusal(lambda: auditory_nerve_spikes(sound, cfs, seed=1, classes=[]))
    assert "one channel of samples" in refusal(lambda: Sound(np.ones((4, 2)), RATE))
    assert "rate above 0" in refusal(lambda: Sound(NOISE, 0))
    assert "found NaN" in refusal(lambda: at_level(Sound(NOISE, RATE), np.nan))
    assert "half the sampling rate" in refusal(lambda: gammatone(NOISE, RATE, 8000))
    assert "at least one channel" in refusal(lambda: erb_spaced_hz(100, 200, 0))
    assert "absolute refractory" in refusal(
        lambda: draw_spikes(np.ones(9), 1.0, np.uint64(1), absolute_ms=0.5, relative_ms=1)
    )


# ---------------------------------------------------------------- heat


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"onset": ms(500)}, "heat must begin within the run.*earlier `onset`"),
        ({"peak": celsius(20)}, "baseline <= peak.*34 degC and 20 degC"),
        ({"peak": celsius(100)}, "peak <= 70 degC"),
        ({"peak": celsius(np.nan)}, "`peak`: expected a temperature.*found NaN"),
        ({"rise": ms(0), "hold": ms(0)}, "must last"),
        ({"pulses": 0}, "at least one pulse"),
        ({"pulses": 2, "interval": ms(10)}, "at least 700 ms, found 10 ms"),
        ({"distance": m(-1)}, "not be negative"),
        ({"hold": ms(0.25)}, "hold at a whole number of 0.1 ms, found 0.25 ms"),
        ({"onset": ms(1.05)}, "onset at a whole number of 0.1 ms"),
        ({"hold": ms(np.inf)}, "hold at a whole number"),
        ({"n_c": 0}, "need 1 of each"),
        ({"inflammation": 2.0}, "0..1, found 2"),
        ({"duration_ms": -1.0}, "longer than 0 ms"),
    ],
)
def test_heat_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    given = {"duration_ms": 500.0, "seed": 1, **settings}
    assert re.search(words, refusal(lambda: heat_fibres(**given)))


# ---------------------------------------------------------------- paths


def test_a_recorded_path_has_its_own_speed(tmp_path: Path) -> None:
    found = follow(tmp_path, "t,x,y\n0,0.1,0.1\n1,0.2,0.2\n", speed=m_per_s(0.3))
    assert "its own running speed, found speed 0.3 m/s" in found


def follow(path: Path, text: str, **settings: Any) -> str:
    file = path / "path.csv"
    file.write_text(text, encoding="utf-8")
    given = {"duration_ms": 1000.0, "seed": 1, "file": str(file), **settings}
    return refusal(lambda: arena_path(**given))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "row 1: the columns must include.*`t` is missing among .nothing"),
        ("time,x,y\n0,0,0\n", r"row 1: .*`t` is missing among time, x, y"),
        ("0,0.5,0.5\n1,0.5,0.5\n", "row 1: .*`t` is missing"),
        ("t,x\n0,0\n1,0\n", "`y` is missing among t, x"),
        ("t,x,y\n0,0.5,0.5\n", "at least two positions, found 1"),
        ("t,x,y\n0,0.5,0.5\n1,0.5,0.5\n1,0.5,0.5\n", "row 4: t must increase, found 1 s after 1 s"),
        ("t,x,y\n2,0.5,0.5\n1,0.5,0.5\n", "row 3: t must increase, found 1 s after 2 s"),
        ("t,x,y\n0,0.5,0.5\n\n1,nan,0.5\n", "row 4: x must be a finite number, found `nan`"),
        ("t,x,y\n0,0.5,0.5\n1,0.5\n", "row 3: y must be a finite number, found ``"),
        ("t,x,y\n0,0.5,0.5\n1,0.5,north\n", "row 3: y must be a finite number, found `north`"),
        ("t,x,y\n0,0.5,0.5\n1,50,50\n", "row 3: a position must lie in the arena of 1 m by 1 m"),
        ("t,x,y\n0,0.5,0.5\n1,-0.1,0.5\n", "row 3: .*x -0.1 m.*set `width` and `height`"),
    ],
)
def test_an_unusable_path_is_refused_with_its_row(tmp_path: Path, text: str, words: str) -> None:
    message = follow(tmp_path, text)
    assert re.search(words, message)
    assert "path.csv" in message


def test_a_path_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "path.csv"
    file.write_bytes(b"t,x,y\n\xff\xfe\x00\x01,0,0\n")
    assert "must be a CSV text" in refusal(
        lambda: arena_path(duration_ms=100.0, seed=1, file=str(file))
    )
    assert "found nothing there" in refusal(
        lambda: arena_path(duration_ms=100.0, seed=1, file=str(tmp_path / "absent.csv"))
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": m(0)}, "an arena needs a size above 0, found 0 m by 1 m"),
        ({"height": m(-1)}, "an arena needs a size above 0"),
        ({"speed": m_per_s(-0.1)}, "found -0.1 m/s"),
        ({"every": ms(0)}, "found every 0 ms"),
        ({"every": ms(5000)}, r"within the run \(1000 ms\)"),
        ({"duration_ms": 0.0}, "longer than 0 ms"),
    ],
)
def test_a_walk_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    given = {"duration_ms": 1000.0, "seed": 1, **settings}
    assert re.search(words, refusal(lambda: arena_path(**given)))
