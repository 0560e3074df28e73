"""Checks that were passed once, remembered beside the derived programs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version

from neuro.equations.compiler import cache_folder

__all__ = ["once"]

_FORMAT = "3"  # raise when a check becomes stricter


def once(what: object, check: Callable[[], object]) -> None:
    """Run `check`, unless it has passed before for the same `what` with the same Brian2.

    Args:
        what: Its `repr` has everything that the check depends on.
    """
    text = repr((_FORMAT, version("brian2"), version("sympy"), what))
    name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    mark = cache_folder() / f"checked-{name}"
    if mark.exists():
        return
    check()
    with suppress(OSError):  # a full or read-only disk costs time, not the run
        mark.touch()
