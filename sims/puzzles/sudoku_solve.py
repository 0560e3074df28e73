"""Solve a Sudoku, say whether its solution is the only one, and how many guesses it takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sims.puzzles._sudoku_kernels import search, start
from sims.puzzles.puzzle_set import PuzzleError
from sims.puzzles.sudoku_grid import Grid, grid_of

__all__ = ["LEVELS", "Solved", "level", "solve", "sudoku_board"]

LEVELS = (("easy", 0), ("medium", 1), ("hard", 4), ("extreme", 16))
"""Names of grades, with the fewest guesses each begins at; engineering choice."""


@dataclass(frozen=True, eq=False)
class Solved:
    """What a search found.

    Attributes:
        n_solutions: 0, 1, or 2 for two or more.
        guesses: Candidates that were tried where naked and hidden singles led no further, in
            the whole search: until the solution was found and no other one was left. For a board
            with one solution this is how many tries were refuted.
        solution: `(size, size)` the first solution, or None.
    """

    n_solutions: int
    guesses: int
    solution: NDArray[np.uint8] | None

    @property
    def level(self) -> str:
        """The grade of a board with one solution."""
        return level(self.guesses)


def level(guesses: int) -> str:
    """The name of a grade.

    >>> level(0), level(3), level(100)
    ('easy', 'medium', 'extreme')
    """
    return [name for name, least in LEVELS if guesses >= least][-1]


def sudoku_board(text: str) -> NDArray[np.uint8]:
    """A board from text, row by row: digits, and `.` or `0` for blank cells.

    Raises:
        PuzzleError: if it is no board of 4x4, 6x6 or 9x9.
    """
    marks = [mark for mark in text if not mark.isspace()]
    size = isqrt(len(marks))
    known = {".": 0, **{str(digit): digit for digit in range(size + 1)}}
    if len(marks) not in (16, 36, 81) or not set(marks) <= known.keys():
        raise PuzzleError(
            "a Sudoku must be 16, 36 or 81 marks, each a digit up to its size or `.`, found "
            f"{len(marks)} marks: `{text[:20].strip()}`"
        )
    return np.array([known[mark] for mark in marks], np.uint8).reshape(grid_of(size).size, size)


def solve(board: ArrayLike) -> Solved:
    """Search a board for all its solutions, until two are found.

    Naked and hidden singles are filled in until none is left; then one candidate of the cell
    with the fewest (the first of several) is tried, and, if refuted, struck out. Because the
    search goes on until nothing is left, how many guesses it takes tells how far the clues are
    from deciding the board, not how lucky the solver was; which of several tightest cells comes
    first still plays a part, so a turned or relabelled board may take a few more or fewer.

    Args:
        board: `(size, size)` digits; 0 for blank.

    Raises:
        PuzzleError: if it is no board of 4x4, 6x6 or 9x9.

    >>> solve(sudoku_board("1... ..3. .4.. ...2")).n_solutions
    1
    """
    values, grid = _checked(np.asarray(board))
    solution = np.zeros(grid.cells, np.uint8)
    found, guesses = search(
        start(values, grid.full), grid.peers, grid.units, grid.full, 2, solution
    )
    shape = (grid.size, grid.size)
    return Solved(found, guesses, solution.reshape(shape) if found else None)


def _checked(board: NDArray[np.generic]) -> tuple[NDArray[np.uint8], Grid]:
    if board.ndim != 2 or board.shape[0] != board.shape[1]:
        raise PuzzleError(f"a Sudoku must be square, found shape {board.shape}")
    grid = grid_of(board.shape[0])
    if not np.issubdtype(board.dtype, np.integer):
        raise PuzzleError(f"a Sudoku must hold whole numbers, found {board.dtype}")
    if board.min() < 0 or board.max() > grid.size:
        raise PuzzleError(
            f"a Sudoku of size {grid.size} must hold 0 to {grid.size}, found {board.min()} to "
            f"{board.max()}"
        )
    return board.astype(np.uint8).reshape(-1), grid
