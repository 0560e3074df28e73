"""Poisson arrivals from outside: the same numbers as on numba."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neuro.backends.norse.random import stream_of, words
from neuro.build import BuiltBackground

__all__ = ["Arrivals"]

_RARE = 2.0**-6  # arrivals a step below which 32 bits do not hold their distribution
_TILE = 64  # cells that share 16 counters of four words


class Arrivals(torch.nn.Module):
    """How many spikes reach each cell of a background's target in each step.

    A number is how many steps of the Poisson distribution function lie below a random word of 32
    bits; of 64 where arrivals are rare.
    """

    def __init__(self, built: BuiltBackground, n: int) -> None:
        super().__init__()
        self._n, self._stream = n, stream_of(f"background {built.background.name}")
        rare = _rare_ladder(built.arrivals) if built.arrivals < _RARE else []
        self._rare = [divmod(each, 2**32) for each in rare]
        lowest, ladder = _ladder(built.arrivals)
        self._lowest = lowest
        self.register_buffer("_steps", torch.from_numpy(ladder), persistent=False)

    def draw(
        self, seeds: int | Sequence[int], first_step: int, n_steps: int, dtype: torch.dtype
    ) -> Tensor:
        """`(n_steps, n_seeds, n)` counts, for each cell and step."""
        ladder: Tensor = self.get_buffer("_steps")
        drawn = self._words(self._stream, seeds, first_step, n_steps)
        if not self._rare:
            return (torch.searchsorted(ladder, drawn) + self._lowest).to(dtype)
        rest = self._words(self._stream + 1, seeds, first_step, n_steps)
        found = torch.zeros_like(drawn)
        for high, low in self._rare:
            found += (drawn > high) | ((drawn == high) & (rest > low))
        return found.to(dtype)

    def _words(
        self, stream: int, seeds: int | Sequence[int], first_step: int, n_steps: int
    ) -> Tensor:
        """`(n_steps, n_seeds, n)` random words of 32 bits."""
        tiles, device = -(-self._n // _TILE), self.get_buffer("_steps").device
        four = words(seeds, stream, 16 * tiles, first_step, n_steps, device)
        # Each tile of 64 cells: the first words of its 16 counters, then the second, …
        drawn = torch.stack([w.expand(four[2].shape) for w in four], -2)
        shape = drawn.shape[:2]
        drawn = drawn.view(*shape, 4, tiles, 16).transpose(2, 3).reshape(*shape, -1)
        return drawn[..., : self._n].contiguous()


def _rare_ladder(arrivals: float) -> list[int]:
    """The Poisson distribution function in 64 bits, from 0 arrivals on."""
    from scipy.special import pdtrc

    steps: list[int] = []
    while (beyond := int(float(pdtrc(len(steps), arrivals)) * 2.0**64)) > 0:
        steps.append(2**64 - 1 - beyond)
    return steps


def _ladder(arrivals: float) -> tuple[int, np.ndarray]:
    """The Poisson distribution function in 32 bits, from where it leaves 0 to where it is 1."""
    from scipy.stats import poisson

    lowest = max(0, int(poisson.ppf(2.0**-33, arrivals)))
    highest = int(poisson.isf(2.0**-33, arrivals)) + 1
    steps = np.rint(poisson.cdf(np.arange(lowest, highest + 1), arrivals) * 2.0**32) - 1
    return lowest, np.clip(steps, 0, 2**32 - 1).astype(np.int64)
