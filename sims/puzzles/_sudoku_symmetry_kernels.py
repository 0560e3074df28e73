"""Compiled: draw symmetries of a Sudoku, apply them, and find a board's canonical form."""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import numpy as np

from neuro.compiled import kept
from sims.puzzles._compiling import compiled, copied
from sims.puzzles._draws import below, permuted, stream

__all__ = ["augment_boards", "canonical_form", "draw_symmetry", "turn"]


@kept
@compiled
def _lines(state, per_box, lines):  # pragma: no cover
    """A random order of rows (or columns) that keeps those of a box together."""
    n_groups = lines.size // per_box
    groups = np.arange(n_groups)
    within = np.arange(per_box)
    permuted(state, groups)
    for g in range(n_groups):
        permuted(state, within)
        for j in range(per_box):
            lines[g * per_box + j] = groups[g] * per_box + within[j]


@kept
@compiled
def draw_symmetry(state, box_rows, box_columns, rows, columns, digits):  # pragma: no cover
    """Fill in the orders of rows, columns and digits; returns whether to transpose first."""
    transpose = box_rows == box_columns and below(state, 2) == 1
    _lines(state, box_rows, rows)
    _lines(state, box_columns, columns)
    for i in range(digits.size):
        digits[i] = i
    permuted(state, digits[1:])
    return transpose


@kept
@compiled
def turn(board, transpose, rows, columns, digits, out):  # pragma: no cover
    """Write the symmetric copy of a board."""
    size = rows.size
    for i in range(size):
        for j in range(size):
            r, c = rows[i], columns[j]
            at = c * size + r if transpose else r * size + c
            out[i * size + j] = digits[board[at]]


@kept
@compiled
def augment_boards(
    key, item, first, box_rows, box_columns, board, answer, out_boards, out_answers
):  # pragma: no cover
    """Symmetric copies number `first`, … of one board and its answer, one a row of the output."""
    size = box_rows * box_columns
    rows, columns = np.empty(size, np.int64), np.empty(size, np.int64)
    digits = np.empty(size + 1, np.int64)
    for copy in range(out_boards.shape[0]):
        state = stream(key, item, first + copy)
        transpose = draw_symmetry(state, box_rows, box_columns, rows, columns, digits)
        turn(board, transpose, rows, columns, digits, out_boards[copy])
        turn(answer, transpose, rows, columns, digits, out_answers[copy])


@kept
@compiled
def canonical_form(board, box_rows, transposes, column_orders, best):  # pragma: no cover
    """Write the smallest board, read row by row, that any symmetry makes of this one.

    Digits are named in the order in which they appear, so that only orders of rows and columns
    have to be tried; an order is given up at the first row that is greater than the best one's.
    """
    size = column_orders.shape[1]
    best[:] = 255
    source = np.empty((size, size), np.int64)
    names = np.zeros((size + 1, size + 1), np.int64)
    named = np.zeros(size + 1, np.int64)
    chosen = np.empty(size, np.int64)
    row = np.empty(size, np.int64)
    for transpose in range(transposes):
        for i in range(size):
            for j in range(size):
                source[i, j] = board[j * size + i] if transpose else board[i * size + j]
        for k in range(column_orders.shape[0]):
            order = column_orders[k]
            depth = 0
            chosen[0] = -1
            while depth >= 0:
                chosen[depth] += 1
                r = chosen[depth]
                if r == size:
                    depth -= 1
                    continue
                free = True
                for earlier in range(depth):
                    free &= chosen[earlier] != r
                if depth % box_rows:  # in the box of the row before
                    free &= r // box_rows == chosen[depth - 1] // box_rows
                if not free:
                    continue
                copied(names[depth], names[depth + 1])
                count = named[depth]
                verdict = 0
                for j in range(size):
                    value = source[r, order[j]]
                    if value:
                        if names[depth + 1, value] == 0:
                            count += 1
                            names[depth + 1, value] = count
                        value = names[depth + 1, value]
                    row[j] = value
                    if verdict == 0:
                        reference = best[depth * size + j]
                        if value > reference:
                            verdict = 1
                            break
                        if value < reference:
                            verdict = -1
                if verdict > 0:
                    continue
                if verdict < 0:
                    copied(row, best[depth * size : (depth + 1) * size])
                    best[(depth + 1) * size :] = 255
                if depth + 1 == size:
                    continue
                named[depth + 1] = count
                depth += 1
                chosen[depth] = -1
