"""The geometry of a Sudoku: which cells share a row, a column or a box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from sims.puzzles.puzzle_set import PuzzleError

__all__ = ["BOXES", "Grid", "grid_of"]

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Rows and columns of a box, by the size of the board."""


@dataclass(frozen=True)
class Grid:
    """A board of `size * size` cells, numbered row by row.

    Attributes:
        size: Digits, and cells of a row, a column or a box.
        box: Rows and columns of a box.
    """

    size: int
    box: tuple[int, int]

    @property
    def cells(self) -> int:
        """Of the whole board."""
        return self.size * self.size

    @property
    def full(self) -> int:
        """All candidates as bits."""
        return (1 << self.size) - 1

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """`(3 * size, size)` cells of each row, column and box."""
        at = np.arange(self.cells).reshape(self.size, self.size)
        rows, columns = self.box
        boxes = at.reshape(self.size // rows, rows, self.size // columns, columns)
        return np.concatenate([at, at.T, boxes.swapaxes(1, 2).reshape(self.size, self.size)])

    @cached_property
    def peers(self) -> NDArray[np.int64]:
        """`(cells, n_peers)` the other cells of each cell's row, column and box."""
        found = [set(self.units[(self.units == c).any(axis=1)].flat) for c in range(self.cells)]
        return np.array([sorted(peers - {cell}) for cell, peers in enumerate(found)], np.int64)

    def solved(self, board: NDArray[np.integer]) -> bool:
        """Whether each row, column and box holds every digit once."""
        values = np.sort(np.asarray(board).reshape(-1)[self.units], axis=1)
        return bool((values == np.arange(1, self.size + 1)).all())


@cache
def grid_of(size: int) -> Grid:
    """The grid of 4, 6 or 9.

    Raises:
        PuzzleError: for another size.
    """
    if size not in BOXES:
        raise PuzzleError(f"a Sudoku must have size 4, 6 or 9, found {size}")
    return Grid(size, BOXES[size])
