"""Programs that were derived and checks that were passed before, kept on disk between processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

from neuro.cache import read_entry, write_entry
from neuro.equations.shape import deep_calls

__all__ = ["cached", "once"]


class _Kept(Protocol):
    def to_json(self) -> str: ...


_P = TypeVar("_P", bound=_Kept)


def cached(kind: str, key: str, read: Callable[[str], _P], derive: Callable[[], _P]) -> _P:
    """The program kept under this key by the same code; derived, and kept, if there is none."""
    key = f"{_compiler()} {key}"
    if (content := read_entry(kind, key)) is not None:
        return read(content.decode())
    with deep_calls():
        program = derive()
    write_entry(kind, key, program.to_json().encode())
    return program


def once(what: object, check: Callable[[], object]) -> None:
    """Run `check`, unless it has passed before for the same `what` in the same code.

    Args:
        what: Its `repr` has everything that the check depends on.
    """
    key = f"{_compiler()} {what!r}"
    if read_entry("checked", key) is None:
        with deep_calls():
            check()
        write_entry("checked", key, b"")


@lru_cache(maxsize=1)
def _compiler() -> str:
    """What derives the programs: a digest of this folder and of `neuro.units`, and versions."""
    here = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for file in [*sorted(here.glob("*.py")), *sorted((here.parent / "units").glob("*.py"))]:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return f"{digest.hexdigest()} {version('brian2')} {version('sympy')}"
