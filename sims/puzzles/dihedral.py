"""The eight symmetries of a square, numbered as in the public data sets.

0 as it is; 1, 2, 3 turned by as many quarters, counter-clockwise; 4 mirrored left to right; 5 top
to bottom; 6 transposed; 7 a quarter turn and then mirrored left to right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sims.puzzles.puzzle_set import PuzzleError

__all__ = ["INVERSE", "N_DIHEDRAL", "dihedral", "undone"]

N_DIHEDRAL = 8
INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
"""The number of the symmetry that undoes each."""


def dihedral(grid: NDArray[np.integer], number: int) -> NDArray[np.integer]:
    """The grid, or the last two axes of a stack of them, after symmetry `number`.

    Raises:
        PuzzleError: if there is no such number.

    >>> dihedral(np.array([[1, 2], [3, 4]]), 1).tolist()
    [[2, 4], [1, 3]]
    """
    if not 0 <= number < N_DIHEDRAL:
        raise PuzzleError(f"a symmetry of the square must be 0 to 7, found {number}")
    if number < 4:
        return np.rot90(grid, number, axes=(-2, -1))
    if number == 4:
        return np.flip(grid, -1)
    if number == 5:
        return np.flip(grid, -2)
    turned = np.swapaxes(grid, -1, -2)
    return turned if number == 6 else np.flip(np.rot90(grid, 1, axes=(-2, -1)), -1)


def undone(grid: NDArray[np.integer], number: int) -> NDArray[np.integer]:
    """The grid before symmetry `number`."""
    return dihedral(grid, INVERSE[number])
