"""Counter-based random numbers inside kernels: Philox4x32-10.

A number is a function of (seed, stream, cell, step) alone, so neither threads, nor order, nor
chunking can change it. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import hashlib
import math

import numba
import numpy as np

__all__ = ["normal", "philox", "seed_key", "stream_of", "uniform"]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32, _5, _6 = np.uint64(32), np.uint64(5), np.uint64(6)


def seed_key(seed: int) -> np.uint64:
    """The 64-bit key of a run's seed (any integer)."""
    digest = hashlib.blake2b(str(int(seed)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def stream_of(name: str) -> int:
    """A 32-bit stream number that depends on a part's name alone; low bits left for draws."""
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") & 0xFFFFFF00


@numba.njit(inline="always")
def philox(c0, c1, c2, c3, key):  # type: ignore[no-untyped-def]
    """Four 32-bit random words (as uint64) for a 4-word counter and a 64-bit key."""
    k0, k1 = key & _LOW, key >> _32
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW,
        )  # fmt: skip
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@numba.njit
def uniform(key, stream, cell, step):  # type: ignore[no-untyped-def]
    """One double in [0, 1), 53 random bits."""
    at = np.uint64(step)
    a, b, _, _ = philox(at & _LOW, at >> _32, np.uint64(cell), np.uint64(stream), key)
    return ((a >> _5) * 67108864.0 + (b >> _6)) / 9007199254740992.0


@numba.njit
def normal(key, stream, cell, step):  # type: ignore[no-untyped-def]
    """One standard normal double (Box & Muller 1958)."""
    at = np.uint64(step)
    a, b, c, d = philox(at & _LOW, at >> _32, np.uint64(cell), np.uint64(stream), key)
    radius = ((a >> _5) * 67108864.0 + (b >> _6) + 1.0) / 9007199254740992.0  # in (0, 1]
    angle = ((c >> _5) * 67108864.0 + (d >> _6)) / 9007199254740992.0
    return math.sqrt(-2.0 * math.log(radius)) * math.cos(2.0 * math.pi * angle)
