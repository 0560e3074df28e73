"""Names of parts: each its own, and known where another part refers to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from neuro.errors import NetworkError, nearest

__all__ = ["known_name", "unique"]


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


def unique(kind: str, items: Sequence[Named]) -> None:
    """Refuse parts whose name is empty, no text, or that of another.

    Raises:
        NetworkError: naming the kind of part.
    """
    for item in items:
        if not (isinstance(item.name, str) and item.name):
            raise NetworkError(
                f"each {kind} needs a name, a text of at least one character, found {item.name!r}"
            )
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
