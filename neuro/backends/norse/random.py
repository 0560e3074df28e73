"""The random numbers of the numba back end as tensors: Philox4x32-10.

A number is a function of (seed, stream, cell, step) alone, so it depends neither on the device,
nor on the size of a batch, nor on how many steps are drawn at once: a stochastic population fires
the same spikes here as on numba. Source: Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["normal", "seed_key", "stream_of", "uniform", "words"]

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF


def seed_key(seed: int) -> int:
    """The 64-bit key of a run's seed (any integer)."""
    digest = hashlib.blake2b(str(int(seed)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def stream_of(name: str) -> int:
    """A 32-bit stream number that depends on a part's name alone; low bits left for draws."""
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") & 0xFFFFFF00


def words(
    seeds: int | Sequence[int], stream: int, n: int, first_step: int, n_steps: int,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Four random 32-bit words for each step, seed and cell: int64, `(n_steps, n_seeds, n)`."""
    keys = [seed_key(seed) for seed in ([seeds] if isinstance(seeds, int) else seeds)]

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=device).view(1, -1, 1)

    k0, k1 = column([key & _LOW for key in keys]), column([key >> 32 for key in keys])
    steps = torch.arange(first_step, first_step + n_steps, device=device).view(-1, 1, 1)
    c0, c1 = steps & _LOW, steps >> 32
    c2 = torch.arange(n, device=device).view(1, 1, -1)
    c3 = torch.full((1, 1, 1), stream, dtype=torch.int64, device=device)
    for _ in range(10):
        # A product of two 32-bit words wraps around in int64; its bits are those of uint64.
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _LOW) ^ c1 ^ k0, p1 & _LOW, ((p0 >> 32) & _LOW) ^ c3 ^ k1, p0 & _LOW,
        )  # fmt: skip
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


def uniform(drawn: tuple[Tensor, ...], dtype: torch.dtype) -> Tensor:
    """In [0, 1), 52 random bits: float64 for every `dtype`, as small probabilities demand."""
    a, b = drawn[:2]
    return ((a << 20) | (b >> 12)).to(torch.float64) * 2.0**-52


def normal(drawn: tuple[Tensor, ...], dtype: torch.dtype) -> Tensor:
    """Standard normal (Box & Muller 1958); in types other than float64 its tails end at 8.1."""
    a, b, c, d = drawn
    if dtype == torch.float64:
        u = (((a << 21) ^ (b >> 11)) + 1).to(dtype) * 2.0**-53  # in (0, 1]
        v = ((c << 21) ^ (d >> 11)).to(dtype) * 2.0**-53 - 0.5
    else:
        u = ((a >> 8) + 1).to(torch.float32) * 2.0**-24
        rest = ((c >> 8) + 1).to(torch.float32) * 2.0**-24
        u = torch.where(u == 2.0**-24, u * rest, u)  # the lowest value stands for an interval
        v = (b >> 8).to(torch.float32) * 2.0**-24 - 0.5
    # cos(2 pi v) is, up to sign, sin(2 pi (1/4 - |v|)).
    return torch.sqrt(-2.0 * torch.log(u)) * torch.sin(2 * math.pi * (0.25 - v.abs()))
