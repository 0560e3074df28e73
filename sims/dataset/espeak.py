"""Speech from espeak-ng, a program of the system, called as such."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from encoders.sound import Sound, load_sound
from neuro.errors import ConfigError, nearest

__all__ = ["check_voice", "speak", "version"]

_TIMEOUT_S = 30.0


def version() -> str:
    """What espeak-ng says of itself.

    Raises:
        ConfigError: if it is not installed.
    """
    return _run("--version").split("Data at")[0].strip()


def check_voice(name: str) -> None:
    """Refuse a voice such as `en-us+f2` that espeak-ng does not have.

    It would itself take an unknown variant (the part after `+`) for no variant at all.

    Raises:
        ConfigError: if espeak-ng is not installed, or lacks the voice or the variant.
    """
    language, plus, variant = name.partition("+")
    if language not in (languages := _languages()):
        raise ConfigError(
            f"espeak-ng has no voice `{language}`{nearest(language, languages)} "
            "(see `espeak-ng --voices`)"
        )
    if plus and variant not in (variants := _variants()):
        raise ConfigError(
            f"espeak-ng has no voice variant `{variant}`{nearest(variant, variants)} "
            "(see `espeak-ng --voices=variant`)"
        )


def speak(text: str, *, voice: str, pitch: int = 50, speed: int = 175) -> Sound:
    """Let espeak-ng say `text`.

    Args:
        text: What to say.
        voice: Such as `en-gb` or `en-us+f2`; see `check_voice`.
        pitch: 0..99 on espeak-ng's own scale; 50 is the voice's usual pitch.
        speed: Words a minute.

    Raises:
        ConfigError: if espeak-ng is not installed or fails.
        SignalError: if what it says cannot be heard.
    """
    with tempfile.TemporaryDirectory(prefix="ember-") as folder:
        file = Path(folder) / "said.wav"
        _run("-v", voice, "-p", str(pitch), "-s", str(speed), "-w", str(file), "--", text)
        sound = load_sound(file)
    return Sound(sound.values, sound.rate_hz, name=f"`{text}` said by {voice}")


@lru_cache(maxsize=1)
def _languages() -> frozenset[str]:
    return frozenset(fields[1] for fields in _listed("--voices"))


@lru_cache(maxsize=1)
def _variants() -> frozenset[str]:
    return frozenset(
        field.removeprefix("!v/")
        for fields in _listed("--voices=variant")
        for field in fields
        if field.startswith("!v/")
    )


def _listed(option: str) -> list[list[str]]:
    return [line.split() for line in _run(option).splitlines()[1:] if len(line.split()) > 3]


def _run(*arguments: str) -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise ConfigError(
            "spoken digits need the program `espeak-ng`, found none on the PATH; install the "
            "system package espeak-ng, or train on `source: voices`, which needs nothing"
        )
    try:
        done = subprocess.run(  # fixed program, arguments as a list: nothing for a shell
            [program, *arguments],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.CalledProcessError as error:
        reason = " ".join((error.stderr or error.stdout or "").split())
        raise ConfigError(f"espeak-ng {' '.join(arguments)} failed: {reason}") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"espeak-ng {' '.join(arguments)} gave no answer in {_TIMEOUT_S:g} s"
        ) from None
    return done.stdout
