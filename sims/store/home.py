"""Paths as they are stored: a file that is handed on does not tell its maker's home folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["as_typed", "text_without_home", "with_home", "without_home"]


def without_home(value: Any) -> Any:
    """JSON-ready data in which each path below the home folder begins with `~`.

    A path counts where it is a whole text, a key, or what follows `=` in an override.
    """
    home = _home()
    return _replaced(value, home, "~") if home else value


def with_home(value: Any) -> Any:
    """The same data with the home folder of whoever reads it in the place of `~`."""
    home = _home()
    return _replaced(value, "~", home) if home else value


def text_without_home(text: str) -> str:
    """A text, such as a config's, in which each path below the home folder begins with `~`."""
    home = _home()
    if not home:
        return text
    found, *others = text.split(home + os.sep)
    for part in others:
        # A path begins where no longer one can go through: one that only ends like it stays.
        inside = found[-1:].isalnum() or found[-1:] in tuple("_./~-")
        found += (home if inside else "~") + os.sep + part
    return found


def as_typed(words: Iterable[str]) -> str:
    """A command line that does the same in a shell of whoever reads it, below his own home."""
    typed = []
    for word in without_home(list(words)):
        start = f"~{os.sep}" if word.startswith(f"~{os.sep}") else ""
        rest = word[len(start) :]
        typed.append(start + (shlex.quote(rest) if rest or not start else ""))
    return " ".join(typed)


def _home() -> str:
    try:
        home = str(Path.home())
    except RuntimeError:  # the system knows none
        return ""
    return home if len(home) > 1 else ""


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_path(key, old, new): _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(inner, old, new) for inner in value)
    return _path(value, old, new)


def _path(text: Any, old: str, new: str) -> Any:
    if not isinstance(text, str):
        return text
    start = text.find("=") + 1 if f"={old}{os.sep}" in text else 0
    if not text.startswith(old + os.sep, start):
        return text
    return text[:start] + new + text[start + len(old) :]
