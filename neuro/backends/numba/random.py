"""Counter-based random numbers inside kernels: Philox4x32-10.

A number is a function of (seed, stream, cell, step) alone, so neither threads, nor order, nor
chunking can change it. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import hashlib
from typing import Any

import numba
import numpy as np

from neuro.backends.numba.intrinsics import float64_of, select
from neuro.backends.numba.mathematics import log32, log64

__all__ = [
    "TILE", "normal32", "normal64", "philox", "poisson_input", "rare_input", "seed_key",
    "stream_of", "uniform",
]  # fmt: skip

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_ONE = np.uint64(0x3FF0000000000000)  # the bits of 1.0
f32, f64 = np.float32, np.float64
TILE = 64  # cells that share 16 counters of four words


def seed_key(seed: int) -> np.uint64:
    """The 64-bit key of a run's seed (any integer)."""
    digest = hashlib.blake2b(str(int(seed)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def stream_of(name: str) -> int:
    """A 32-bit stream number that depends on a part's name alone; low bits left for draws."""
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") & 0xFFFFFF00


_inline: Any = numba.njit(  # type: ignore[call-overload]
    error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
_called: Any = numba.njit(  # type: ignore[call-overload]
    error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@_inline
def _rounds(n, c0, c1, c2, c3, key):
    """The first `n` of Philox's rounds, and the keys of the next."""
    k0, k1 = key & _LOW, key >> _32
    for _ in range(n):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW,
        )  # fmt: skip
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3, k0, k1


@_inline
def philox(c0, c1, c2, c3, key):
    """Four 32-bit random words (as uint64) for a 4-word counter and a 64-bit key."""
    c0, c1, c2, c3, _, _ = _rounds(10, c0, c1, c2, c3, key)
    return c0, c1, c2, c3


@_inline
def _words(key, stream, cell, step):
    at = np.uint64(step)
    return philox(at & _LOW, at >> _32, np.uint64(cell), np.uint64(stream), key)


@_inline
def uniform(key, stream, cell, step):
    """One float64 in [0, 1), 52 random bits: in [1, 2) they are a number's digits as they are."""
    at = np.uint64(step)
    _, c1, c2, _, k0, _ = _rounds(
        9, at & _LOW, at >> _32, np.uint64(cell), np.uint64(stream), key
    )  # fmt: skip
    # The tenth round's first two words, side by side, are one product and one sum without carry.
    both = (_M1 * c2) ^ ((c1 ^ k0) << _32)
    return float64_of(_ONE | (both >> np.uint64(12))) - 1.0


@_inline
def _sine32(x):
    """sin(x) for |x| <= pi/2: its Taylor series, which ends below 1e-9."""
    q = x * x
    y = f32(1.6059043836821613e-10) * q + f32(-2.505210838544172e-08)
    y = y * q + f32(2.7557319223985893e-06)
    y = y * q + f32(-0.0001984126984126984)
    y = y * q + f32(0.008333333333333333)
    y = y * q + f32(-0.16666666666666666)
    y = y * q + f32(1.0)
    return x * y


@_inline
def _sine64(x):
    """sin(x) for |x| <= pi/2: its Taylor series, which ends below 1e-18."""
    q = x * x
    y = f64(-3.868170170630684e-23) * q + f64(1.9572941063391263e-20)
    y = y * q + f64(-8.22063524662433e-18)
    y = y * q + f64(2.8114572543455206e-15)
    y = y * q + f64(-7.647163731819816e-13)
    y = y * q + f64(1.6059043836821613e-10)
    y = y * q + f64(-2.505210838544172e-08)
    y = y * q + f64(2.7557319223985893e-06)
    y = y * q + f64(-0.0001984126984126984)
    y = y * q + f64(0.008333333333333333)
    y = y * q + f64(-0.16666666666666666)
    y = y * q + f64(1.0)
    return x * y


@_inline
def normal32(key, stream, cell, step):
    """One standard normal float32 (Box & Muller 1958); its tails end at 8.1, where 48 bits do."""
    a, b, c, _ = _words(key, stream, cell, step)
    u = f32(np.int32((a >> np.uint64(8)) + np.uint64(1))) * f32(2.0**-24)  # in (0, 1]
    rest = f32(np.int32((c >> np.uint64(8)) + np.uint64(1))) * f32(2.0**-24)
    u = select(u == f32(2.0**-24), u * rest, u)  # the lowest of its values stands for an interval
    v = f32(np.int32(b >> np.uint64(8))) * f32(2.0**-24) - f32(0.5)
    v = select(v < f32(0.0), -v, v)
    # cos(2 pi v) is, up to sign, sin(2 pi (1/4 - v)), which needs no reduction.
    return np.sqrt(f32(-2.0) * log32(u)) * _sine32(f32(6.283185307179586) * (f32(0.25) - v))


@_inline
def normal64(key, stream, cell, step):
    """One standard normal float64 (Box & Muller 1958)."""
    a, b, c, d = _words(key, stream, cell, step)
    u = f64(np.int64(((a << np.uint64(21)) ^ (b >> np.uint64(11))) + np.uint64(1))) * 2.0**-53
    v = f64(np.int64((c << np.uint64(21)) ^ (d >> np.uint64(11)))) * 2.0**-53 - 0.5
    v = select(v < 0.0, -v, v)
    return np.sqrt(-2.0 * log64(u)) * _sine64(6.283185307179586 * (0.25 - v))


@_called
def poisson_input(row, first, step, key, stream, lowest, ladder, weight, words, count, free):
    """Add `weight` times a Poisson number to each cell of `row`, whose length is whole tiles.

    `ladder` holds the distribution function from `lowest` on, times 2**32 and rounded, padded
    with 2**32 - 1 to a multiple of four: the number is how many steps lie below a random word.
    Four steps are tried at a time, and a tile stops when none of its cells needs more. Where
    `free` is not empty, cells in which it is 0 take nothing.
    """
    at = np.uint64(step)
    low, high, own = at & _LOW, at >> _32, np.uint64(stream)
    zero = weight - weight
    one = zero + np.float32(1.0)
    start = lowest * one
    for tile in range(row.size // TILE):
        base = np.uint64(first // 4 + 16 * tile)
        for j in range(16):
            a, b, c, d = philox(low, high, base + np.uint64(j), own, key)
            words[j] = np.uint32(a)
            words[j + 16] = np.uint32(b)
            words[j + 32] = np.uint32(c)
            words[j + 48] = np.uint32(d)
        for j in range(TILE):
            count[j] = start
        k = 0
        more = True
        while more and k < ladder.size:
            c0, c1, c2, c3 = ladder[k], ladder[k + 1], ladder[k + 2], ladder[k + 3]
            more = False
            for j in range(TILE):
                x = words[j]
                count[j] = (
                    count[j] + select(x > c0, one, zero) + select(x > c1, one, zero)
                    + select(x > c2, one, zero) + select(x > c3, one, zero)
                )  # fmt: skip
                more = more | (x > c3)
            k += 4
        cells = row[TILE * tile : TILE * tile + TILE]
        if free.size == 0:
            for j in range(TILE):
                cells[j] += weight * count[j]
        else:
            open_ = free[TILE * tile : TILE * tile + TILE]
            for j in range(TILE):
                cells[j] += select(open_[j] != 0, weight * count[j], zero)


@_called
def rare_input(row, first, step, key, stream, ladder, weight, words, free):
    """As `poisson_input`, for arrivals so rare that their distribution takes 64 bits.

    `ladder` holds it from 0 arrivals on. Nearly always the upper 32 bits say that nothing arrives;
    only a cell of which they do not draws the lower ones, from the next stream.
    """
    at = np.uint64(step)
    low, high, own = at & _LOW, at >> _32, np.uint64(stream)
    first_step = np.uint32(ladder[0] >> _32)
    for tile in range(row.size // TILE):
        base = np.uint64(first // 4 + 16 * tile)
        some = False
        for j in range(16):
            a, b, c, d = philox(low, high, base + np.uint64(j), own, key)
            words[j] = np.uint32(a)
            words[j + 16] = np.uint32(b)
            words[j + 32] = np.uint32(c)
            words[j + 48] = np.uint32(d)
        for j in range(TILE):
            some = some | (words[j] >= first_step)
        if not some:
            continue
        for j in range(TILE):
            cell = TILE * tile + j
            if words[j] < first_step or (free.size != 0 and free[cell] == 0):
                continue
            more = philox(low, high, base + np.uint64(j % 16), own + np.uint64(1), key)
            number = (np.uint64(words[j]) << _32) | more[j // 16]
            for k in range(ladder.size):
                if number > ladder[k]:
                    row[cell] += weight
