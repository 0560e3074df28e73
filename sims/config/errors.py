"""One line for a person: file, line, key, what was found, what was expected, nearest name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from neuro.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["TAG", "KeyPath", "KeyProblem", "Where", "hint", "one_line", "refusal", "shown", "spell"]

KeyPath: TypeAlias = tuple[str | int, ...]

TAG = "\x00"
"""First character of the names pydantic gives to branches of a choice: no key of a file has it."""


class Where(NamedTuple):
    """Where a value came from: a file and its line, or the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class KeyProblem(ValueError):
    """What a validator finds wrong, at a key below the one it was given.

    Args:
        problem: What was found and what was expected; no line breaks.
        at: The key below the validated value, `("parameters", "tau")` for instance.
    """

    def __init__(self, problem: str, at: KeyPath = ()) -> None:
        super().__init__(problem)
        self.at = at


def spell(path: Sequence[str | int]) -> str:
    """The dotted path as it is written on the command line."""
    return ".".join(str(part) for part in path)


def shown(value: object, limit: int = 60) -> str:
    """A value as the user wrote it, in backticks, on one line and not too long."""
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(str(key) for key in value) + "}"
    else:
        text = str(value)
    text = " ".join(text.split())
    return f"`{text if len(text) <= limit else text[: limit - 3] + '...'}`"


def hint(name: object, known: Iterable[str]) -> str:
    """The nearest known name, or all of them where none is near and they are few."""
    known = list(known)
    near = nearest(str(name), known)
    if near or not known or len(known) > 12:
        return near
    return f", expected {'one of ' if len(known) > 1 else ''}" + ", ".join(
        f"`{other}`" for other in known
    )


def refusal(where: Where, path: Sequence[str | int], problem: str) -> ConfigError:
    """The error for one key, `file:line: key: problem`; without what is not known."""
    source = f"{where}: " if where.source else ""
    key = f"{spell(path)}: " if path else ""
    return ConfigError(f"{source}{key}{problem}")


def one_line(error: ValidationError, where: Callable[[KeyPath], Where]) -> ConfigError:
    """The first thing pydantic refused, and how many more there are.

    `where` says where the value at a path came from; a path it does not know stands for the
    nearest value above it.
    """
    details = error.errors(include_url=False)
    first = details[0]
    path = tuple(part for part in first["loc"] if not str(part).startswith(TAG))
    cause = (first.get("ctx") or {}).get("error")
    if isinstance(cause, KeyProblem):
        path += cause.at
    if path and path[-1] == "[key]":  # pydantic's mark for a mapping's key instead of its value
        path = path[:-1]
    if first["type"] == "missing":
        path, problem = path[:-1], f"the key `{path[-1]}` is missing"
    else:
        problem = _problem(first["type"], first.get("ctx") or {}, first["input"], first["msg"])
    more = len(details) - 1
    rest = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
    return refusal(where(path), path, problem + rest)


def _problem(kind: str, context: Mapping[str, Any], found: object, message: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _EXPECTED:
        text = "the text " if isinstance(found, str) and kind not in _NAMES else ""
        return f"expected {_EXPECTED[kind]}, found {text}{shown(found)}"
    if kind in _LIMITS:
        limit, text = _LIMITS[kind]
        return f"expected a number {text} {context[limit]:g}, found {shown(found)}"
    if kind in ("literal_error", "enum"):
        choices = str(context["expected"]).replace("'", "`")
        return f"expected {choices}, found {shown(found)}{nearest(str(found), _names(choices))}"
    if kind in ("too_short", "too_long"):
        return f"{message[0].lower()}{message[1:]}".replace("Tuple", "the list")
    return f"{message[0].lower()}{message[1:]}, found {shown(found)}"


def _names(choices: str) -> Iterable[str]:
    return choices.split("`")[1::2]


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_pattern_mismatch": "a name (letters, digits and _, not starting with a digit)",
    "string_too_short": "text that is not empty",
}
_NAMES = {"string_pattern_mismatch", "string_too_short"}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}
