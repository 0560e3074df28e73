"""Spoken digits: many espeak-ng voices, and a person's recordings as an extra test."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from encoders.sound import Sound, load_sound
from neuro.errors import ConfigError
from neuro.files.home import expanded
from sims.config.loading import content_hash
from sims.config.train import DigitsData
from sims.dataset import espeak
from sims.dataset.labelled import LabelledSound, Material, Split

__all__ = ["CLASSES", "digits", "trimmed"]

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RECORDED = "recorded"
QUIET_DB = -40.0  # re the loudest frame: where a word begins and ends; engineering choice
_FRAME_MS = 5.0


def digits(data: DigitsData) -> Material:
    """Ten digits, each by every voice at every pitch and speed; whole voices choose and test.

    Raises:
        ConfigError: if espeak-ng is not installed, lacks a voice, or the folder of recordings
            lacks a digit.
    """
    version = espeak.version()
    for voice in (*data.voices, *data.validation, *data.held_out):
        espeak.check_voice(voice)
    sounds = []
    splits: tuple[tuple[Split, tuple[str, ...]], ...] = (
        ("train", data.voices),
        ("validation", data.validation),
        ("test", data.held_out),
    )
    for split, voices in splits:
        for voice in voices:
            for pitch in data.pitches:
                for speed in data.speeds:
                    for label, word in enumerate(CLASSES):
                        key = f"{voice}-p{pitch}-s{speed}-{word}"
                        make = partial(_spoken, word, voice, pitch, speed)
                        sounds.append(LabelledSound(key, label, voice, split, make))
    about: dict[str, object] = {"espeak-ng": version}
    if data.recordings is not None:
        files = _recordings(expanded(data.recordings))
        about["recordings"] = {file.name: content_hash(file) for file in files}
        for label, file in enumerate(files):
            key, recorded = f"{RECORDED}-{CLASSES[label]}", partial(_recorded, file)
            sounds.append(LabelledSound(key, label, RECORDED, "extra", recorded))
    return Material(CLASSES, tuple(sounds), about)


def trimmed(sound: Sound) -> Sound:
    """The sound without the quiet before and after it, more than 40 dB below its loudest 5 ms."""
    frame = max(1, round(_FRAME_MS * sound.rate_hz / 1000.0))
    n = -(-sound.values.size // frame)
    power = np.square(np.pad(sound.values, (0, n * frame - sound.values.size)))
    power = power.reshape(n, frame).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10.0 ** (QUIET_DB / 10.0))
    kept = sound.values[loud[0] * frame : (loud[-1] + 1) * frame]
    return Sound(kept, sound.rate_hz, sound.name)


def _spoken(word: str, voice: str, pitch: int, speed: int) -> Sound:
    return trimmed(espeak.speak(word, voice=voice, pitch=pitch, speed=speed))


def _recorded(file: Path) -> Sound:
    return trimmed(load_sound(file))


def _recordings(folder: Path) -> list[Path]:
    files = [folder / f"{digit}.wav" for digit in range(len(CLASSES))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ConfigError(
            f"`data.recordings` must be a folder with 0.wav to 9.wav, found no {missing[0]} in "
            f"`{folder}`; install the system package asterisk-core-sounds-en-wav, or set "
            "data.recordings=null to do without the extra test"
        )
    return files
