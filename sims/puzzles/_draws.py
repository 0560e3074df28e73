"""Random draws inside compiled loops, counted: each a function of a key and its number alone.

A stream is an array of four words: key, item, part, and how many words were drawn. Its numbers
are those of the engine's generator, Philox4x32-10, so that no item depends on another and any
number of workers makes the same set.
"""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import numpy as np

from neuro.backends.numba.random import philox, seed_key, stream_of
from neuro.compiled import kept
from sims.puzzles._compiling import compiled

__all__ = ["below", "chance", "permuted", "stream", "stream_key"]

_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)


def stream_key(seed: int, what: str) -> np.uint64:
    """The key of all draws of one purpose."""
    return np.uint64(int(seed_key(seed)) ^ (stream_of(what) << 32))


@kept
@compiled
def stream(key, item, part):  # pragma: no cover
    """The stream of part `part` of item `item`, from its beginning."""
    state = np.zeros(4, np.uint64)
    state[0] = np.uint64(key)
    state[1] = np.uint64(item)
    state[2] = np.uint64(part)
    return state


@kept
@compiled
def _word(state):  # pragma: no cover
    at = state[3]
    state[3] = at + _ONE
    a, _, _, _ = philox(at & _LOW, state[2] & _LOW, state[1] & _LOW, state[1] >> _32, state[0])
    return a


@kept
@compiled
def below(state, n):  # pragma: no cover
    """A number in 0 … n - 1; for n below 1000 each is as likely to within one in four million."""
    return np.int64((_word(state) * np.uint64(n)) >> _32)


@kept
@compiled
def chance(state):  # pragma: no cover
    """A number in [0, 1)."""
    return np.float64(np.int64(_word(state))) * 2.0**-32


@kept
@compiled
def permuted(state, values):  # pragma: no cover
    """Shuffle in place (Fisher & Yates)."""
    for last in range(values.size - 1, 0, -1):
        other = below(state, last + 1)
        values[last], values[other] = values[other], values[last]
