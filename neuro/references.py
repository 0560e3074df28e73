"""Names of parts: each its own, and known where another part refers to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from neuro.errors import NetworkError, nearest, shown

__all__ = ["check_name", "known_name", "unique"]


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


def check_name(what: str, name: object) -> None:
    """Refuse a name that is empty, no text, or text that no file can hold.

    Raises:
        NetworkError: it begins with `what`.
    """
    if not (isinstance(name, str) and name):
        raise NetworkError(f"{what} must be a text of at least one character, found {shown(name)}")
    if not name.isascii() and any("\ud800" <= each <= "\udfff" for each in name):
        raise NetworkError(f"{what} must be text that UTF-8 can write, found {name!r}")


def unique(kind: str, items: Sequence[Named]) -> None:
    """Refuse parts whose name `check_name` refuses, or is that of another.

    Raises:
        NetworkError: naming the kind of part.
    """
    for item in items:
        check_name(f"the name of each {kind}", item.name)
    for name, times in Counter(item.name for item in items).items():
        if times > 1:
            raise NetworkError(f"each {kind} needs a name of its own, found `{name}` {times} times")


def known_name(where: str, name: str, known: Iterable[str]) -> None:
    """Refuse a reference to a name that nothing has.

    Raises:
        NetworkError: with the names that there are.
    """
    known = set(known)
    if name not in known:
        raise NetworkError(
            f"{where} must be one of {', '.join(sorted(known)) or '(none)'}, found `{name}`"
            + nearest(name, known)
        )
