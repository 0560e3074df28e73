"""Errors from further down, given the place in the config that caused them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from neuro.errors import EmberError
from sims.config.errors import KeyPath, refusal

if TYPE_CHECKING:
    from sims.config.loading import Loaded

__all__ = ["in_equations", "located", "mentioned"]

E = TypeVar("E", bound=EmberError)

_LEFT_SIDE = re.compile(r"\s*(?:d(?P<state>\w+)/dt|(?P<name>\w+))\s*[=:]")


def located(error: E, loaded: Loaded, path: KeyPath) -> E:
    """The same error, its text beginning with file, line and key."""
    problem = " ".join(str(error).split())
    error.args = (str(refusal(loaded.document.where(path), _keys(path), problem)),)
    return error


def _keys(path: KeyPath) -> KeyPath:
    """The path without the line number inside a text."""
    return path[:-1] if len(path) > 1 and path[-2] in ("equations", "edges") else path


def in_equations(path: KeyPath, equations: str, error: EmberError, edges: str = "") -> KeyPath:
    """Where in a model written at `path` an error about it belongs: a key, or one equation.

    Args:
        edges: The second text of a synapse.
    """
    message = str(error).partition(": ")[2] or str(error)
    for key in ("threshold", "reset", "refractory", "current", "on_pre", "on_post", "initial"):
        if message.startswith(key):
            return (*path, key)
    key, text = "equations", equations
    if message.startswith("edges: "):
        key, text, message = "edges", edges, message.removeprefix("edges: ")
    for number, line in enumerate(text.splitlines()):
        left = _LEFT_SIDE.match(line)
        if left is None:
            wrong = bool(line.strip()) and f"`{line.strip()}`" in message
        elif left["state"]:
            wrong = message.startswith((f"d{left['state']}/dt", f"equation of `{left['state']}`"))
        else:
            name = left["name"]
            wrong = message.startswith(
                (f"{name} ", f"{name}:", f"`{name}`", f"equation of `{name}`")
            )
        if wrong:
            return (*path, key, number)
    return (*path, key)


def mentioned(error: EmberError, places: Iterable[tuple[str, KeyPath]]) -> KeyPath:
    """The place of the first name in backticks that an error mentions; the top if none."""
    known = dict(places)
    for name in re.findall(r"`([^`]+)`", str(error)):
        if name in known:
            return known[name]
    return ()
