"""Back ends as a user names them: `numba,brian,numba:precision=float64,threads=2`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from neuro.backends import backend_named
from neuro.errors import ConfigError, nearest

__all__ = ["Named", "named", "reference_of"]


@dataclass(frozen=True)
class Named:
    """One back end with its settings.

    Attributes:
        label: As it was named, in one form: `numba:precision=float64,threads=2`.
        options: What was given, but for `threads`.
    """

    label: str
    name: str
    options: Mapping[str, Any]
    threads: int = 1

    @property
    def file(self) -> str:
        """The label as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9.]+", "_", self.label)

    @property
    def precision(self) -> str:
        """What the back end computes in, by its option; empty if it has no such option."""
        settings = {**backend_named(self.name).options, **self.options}
        return str(settings.get("precision") or settings.get("dtype") or "")


def named(text: str | Sequence[str]) -> tuple[Named, ...]:
    """The back ends that `text` lists: `name`, or `name:option=value,option=value`, by commas.

    Raises:
        ConfigError: if one is unknown, has no such option, or is named twice.
    """
    pieces: list[str] = []
    for part in [text] if isinstance(text, str) else text:
        for piece in map(str.strip, part.split(",")):
            if pieces and "=" in piece and ":" not in piece.partition("=")[0]:
                pieces[-1] += f",{piece}"  # a further option of the one before
            else:
                pieces.append(piece)
    found = tuple(_one(piece) for piece in pieces if piece)
    for number, one in enumerate(found):
        if one.label in [other.label for other in found[:number]]:
            raise ConfigError(f"--backends: each may be named once, found `{one.label}` twice")
    return found


def reference_of(chosen: Sequence[Named], text: str = "") -> tuple[Named, str]:
    """The one that the others are compared with, and why that one.

    `text` names it. Otherwise it is `brian`, or else the first in double precision, or else the
    first.

    Raises:
        ConfigError: if `text` names none of them.
    """
    if text:
        (wanted, *more) = named(text) or (None,)
        for one in chosen:
            if not more and wanted == one:
                return one, "named by --reference"
        listed = ", ".join(one.label for one in chosen)
        raise ConfigError(f"--reference must be one of --backends ({listed}), found `{text}`")
    for one in chosen:
        if one.label == "brian":
            return one, "it is Brian2"
    for one in chosen:
        if one.precision == "float64" or one.name == "brian":
            return one, "the first in double precision"
    return chosen[0], "the first; none computes in double precision"


def _one(piece: str) -> Named:
    name, _, given = piece.partition(":")
    backend = backend_named(name)
    options: dict[str, Any] = {}
    for setting in filter(None, given.split(",")):
        key, equals, value = setting.partition("=")
        if key not in backend.options:
            raise ConfigError(
                f"back end `{name}` has no option `{key}`{nearest(key, backend.options)} "
                f"(known: {', '.join(backend.options) or 'none'})"
            )
        if not equals:
            raise ConfigError(f"option `{key}` needs a value, as `{name}:{key}=…`, found none")
        options[key] = _value(key, value, backend.options[key])
    shown = ",".join(f"{key}={value}" for key, value in options.items())
    threads = options.pop("threads", 1)
    return Named(f"{name}:{shown}" if shown else name, name, options, threads)


def _value(key: str, text: str, default: Any) -> Any:
    """The option's value, of the kind that its default has; any kind if that is None."""
    if isinstance(default, str):
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if default is not None and type(value) is not type(default):
        kind = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        raise ConfigError(
            f"option `{key}` must be {kind.get(type(default).__name__, 'of its kind')}, "
            f"found `{text}`"
        )
    return value
