"""How the loops over puzzles are compiled, and what they use instead of NumPy's slices."""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
from typing import Any

from numba import njit

from neuro.compiled import kept

__all__ = ["compiled", "copied"]

compiled: Any = njit(nogil=True)


@kept
@compiled
def copied(source, target):  # pragma: no cover
    """Copy number by number: for a slice, Numba compiles the text of its error for seconds."""
    for i in range(target.size):
        target[i] = source[i]
