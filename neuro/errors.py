"""One exception family: every message says what must hold, what was found and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuro.recording import Recording

_LONGEST_QUOTE = 300
_LONGEST_TEXT = 600


class EmberError(Exception):
    """Base of every error Ember raises on purpose; its text is one line for a person.

    A message may quote any input. `str` shortens what is long and escapes what a terminal would
    obey or could not print; `args` hold the message as it was given.
    """

    def __str__(self) -> str:
        text = re.sub("`[^`]*`", lambda quote: _cut(quote[0], _LONGEST_QUOTE), super().__str__())
        text = _cut(" ".join(text.splitlines()), _LONGEST_TEXT)
        return text if text.isprintable() else "".join(map(_printable, text))


def shown(value: object) -> str:
    """A value for a message: one line of at most 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a whole number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _cut(text: str, longest: int) -> str:
    """A text whose middle is left out if it is longer than `longest`."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 5]} ... {text[-end:]}"


def _printable(letter: str) -> str:
    return letter if letter.isprintable() else ascii(letter)[1:-1]


class UnitError(EmberError, ValueError):
    """A quantity lacks its unit, has an unknown one, or one of the wrong dimension."""


class EquationError(EmberError, ValueError):
    """The text of a neuron or synapse model cannot be read or its dimensions disagree."""


class NetworkError(EmberError, ValueError):
    """A network refers to something that is not there, or its parts do not fit together."""


class SignalError(EmberError, ValueError):
    """A stimulus (sound, temperature, path) or a spike train is unusable."""


class ConfigError(EmberError, ValueError):
    """An experiment file is wrong; the text names file, line and key."""


class StoreError(EmberError, OSError):
    """A file cannot be written, or is truncated, foreign or of an unknown version."""


class SimulationError(EmberError, RuntimeError):
    """A run could not be finished, for instance because a variable became NaN.

    `recording` holds what was recorded until then, or is None.
    """

    def __init__(self, message: str, recording: Recording | None = None) -> None:
        super().__init__(message)
        self.recording = recording


class BackendUnsupported(EmberError, ValueError):
    """A back end lacks a feature that a network needs; raised before anything compiles."""

    def __init__(
        self, model: str, backend: str, missing: Iterable[str], able: Sequence[str]
    ) -> None:
        where = f"Run it on {' or '.join(able)}" if able else "No back end can run it"
        super().__init__(
            f"Back end `{backend}` cannot run `{model}`: it has no {', '.join(sorted(missing))}. "
            f"{where}; see `ember list backends`."
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint `; did you mean X?` with the known name closest to `name`, or an empty text."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""
