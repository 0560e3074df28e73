"""Solve a Sudoku, say whether its solution is the only one, and how many guesses it takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sims.puzzles._sudoku_kernels import graded, search, start
from sims.puzzles.puzzle_set import PuzzleError
from sims.puzzles.sudoku_grid import Grid, grid_of

__all__ = ["LEVELS", "Solved", "grade", "level", "solve", "sudoku_board"]

LEVELS = (("easy", 0), ("medium", 1), ("hard", 4), ("extreme", 12))
"""Names of grades, with the fewest guesses each begins at; engineering choice: of 9x9 boards whose
clues are taken away at random until none can be spared, the hardest hundredth is extreme."""


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


def level(guesses: int) -> str:
    """What a grade is called.

    >>> level(0), level(3), level(100)
    ('easy', 'medium', 'extreme')
    """
    return [name for name, least in LEVELS if guesses >= least][-1]


def grade(board: ArrayLike) -> int:
    """How hard a board with one solution is: the guesses of `solve`, the mean of eight views.

    The views are the board and seven symmetric copies, always the same symmetries. A single view
    says little: which of several tightest cells comes first can decide between 3 guesses and 30.

    Raises:
        PuzzleError: if it is no board, or has not one solution.
    """
    found = solve(board)
    if found.n_solutions != 1:
        some = "several" if found.n_solutions else "none"
        raise PuzzleError(f"a board must have one solution to be graded, found {some}")
    values, grid = _checked(np.asarray(board))
    return int(graded(values, *grid.box, grid.peers, grid.units))


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
    from deciding the board, not how lucky the solver was. Which of several tightest cells comes
    first still plays a part: `grade` takes the mean of eight views of the board.

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
