"""What leaves a Sudoku a Sudoku: relabelled digits, shuffled rows, columns and boxes, transposing.

Rows may be shuffled within their band of boxes, and bands among each other; columns likewise;
where boxes are square the board may be transposed. These, with any relabelling of the digits,
are all symmetries of a Sudoku (Russell & Jarvis 2006, "Mathematics of Sudoku II"): 128 x 4! of
the 4x4 board, 3,456 x 6! of the 6x6 and 3,359,232 x 9! of the 9x9 board.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from sims.puzzles._draws import stream, stream_key
from sims.puzzles._sudoku_symmetry_kernels import augment_boards, canonical_form, draw_symmetry
from sims.puzzles.sudoku_grid import Grid

__all__ = ["Symmetry", "canonical", "copies", "drawn", "line_orders"]

_STREAM = "sudoku symmetry"


@dataclass(frozen=True, eq=False)
class Symmetry:
    """One symmetry of a board; row `i`, column `j` of the new board is what was at `rows[i]`,
    `columns[j]`, of the transposed board if `transpose`, with digit `d` renamed to `digits[d]`.

    `digits[0]` is 0: blank stays blank.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    digits: NDArray[np.int64]
    transpose: bool = False

    def __call__(self, board: NDArray[np.integer]) -> NDArray[np.integer]:
        """The symmetric copy of a board, or of a stack of boards."""
        turned = np.swapaxes(board, -1, -2) if self.transpose else board
        moved = turned[..., self.rows[:, None], self.columns]
        return self.digits[moved].astype(board.dtype)

    def inverse(self) -> Symmetry:
        """The symmetry that undoes this one."""
        rows, columns = np.argsort(self.rows), np.argsort(self.columns)
        if self.transpose:
            rows, columns = columns, rows
        return Symmetry(rows, columns, np.argsort(self.digits), self.transpose)


def drawn(grid: Grid, *, seed: int, item: int = 0, copy: int = 0) -> Symmetry:
    """A random symmetry: a function of the seed and of two numbers, such as board and copy."""
    rows, columns = np.empty(grid.size, np.int64), np.empty(grid.size, np.int64)
    digits = np.empty(grid.size + 1, np.int64)
    state = stream(stream_key(seed, _STREAM), item, copy)
    transpose = draw_symmetry(state, *grid.box, rows, columns, digits)
    return Symmetry(rows, columns, digits, bool(transpose))


def copies(
    grid: Grid,
    board: NDArray[np.uint8],
    answer: NDArray[np.uint8],
    n: int,
    *,
    seed: int,
    item: int,
    first: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """`n` symmetric copies of a board and its answer, `(n, cells)` each.

    Copy `k` is what `drawn(grid, seed=seed, item=item, copy=first + k)` makes of them.
    """
    boards, answers = (np.empty((n, grid.cells), np.uint8) for _ in range(2))
    augment_boards(
        stream_key(seed, _STREAM), item, first, *grid.box,
        board.reshape(-1), answer.reshape(-1), boards, answers,
    )  # fmt: skip
    return boards, answers


def canonical(grid: Grid, board: NDArray[np.uint8]) -> bytes:
    """The same for two boards if, and only if, a symmetry makes one of the other.

    It is the smallest of all symmetric boards, read row by row with blank as 0.
    """
    best = np.empty(grid.cells, np.int64)
    rows, columns = grid.box
    canonical_form(
        board.reshape(-1), rows, 2 if rows == columns else 1,
        line_orders(grid.size, columns), best,
    )  # fmt: skip
    return best.astype(np.uint8).tobytes()


@cache
def line_orders(size: int, per_box: int) -> NDArray[np.int64]:
    """`(n, size)` every order of lines that keeps those of a box together."""
    within = list(permutations(range(per_box)))
    n_groups = size // per_box
    return np.array([
        [group * per_box + j for group, order in zip(groups, orders, strict=True) for j in order]
        for groups in permutations(range(n_groups))
        for orders in product(within, repeat=n_groups)
    ])  # fmt: skip
