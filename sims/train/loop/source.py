"""Where a trainer's items come from: in which order, and as which tensors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridges.reasoning.carry import Batch

__all__ = ["Source"]


class Source(Protocol):
    """Items to train on, known by their numbers."""

    @property
    def n(self) -> int:
        """How many there are."""

    @property
    def position(self) -> list[int]:
        """How far the drawing is: all that is needed to go on, JSON-ready."""

    @position.setter
    def position(self, position: list[int]) -> None: ...

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The numbers of the next items."""

    def batch(self, items: NDArray[np.int64], step: int) -> Batch:
        """Those items as they are seen at a step; a function of both, whatever came before."""
