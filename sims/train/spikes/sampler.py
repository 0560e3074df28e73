"""In which order items are met: a new permutation an epoch, known by its number alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.wiring import generator

__all__ = ["Sampler"]


class Sampler:
    """Draws item indices 0..n-1, each once an epoch.

    The whole state is how many were drawn: the order of an epoch is a function of the seed and
    the epoch's number, so that a resumed training goes on where it was.

    >>> a, b = Sampler(5, seed=1), Sampler(5, seed=1, drawn=3)
    >>> whole = a.draw(8)
    >>> bool((whole[3:] == b.draw(5)).all()), sorted(whole[:5].tolist())
    (True, [0, 1, 2, 3, 4])
    """

    def __init__(self, n: int, *, seed: int, drawn: int = 0) -> None:
        self.n, self.seed, self.drawn = n, seed, drawn

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The next `how_many` indices."""
        parts: list[NDArray[np.int64]] = []
        wanted = how_many
        while wanted:
            epoch, position = divmod(self.drawn, self.n)
            order = generator(self.seed, "epoch", epoch).permutation(self.n)
            part = order[position : position + wanted]
            parts.append(part)
            self.drawn += part.size
            wanted -= part.size
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
