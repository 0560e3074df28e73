"""Compiled: draw augmentations of ARC grids, and write grids as rows of tokens."""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import numpy as np

from neuro.compiled import kept
from sims.puzzles._compiling import compiled
from sims.puzzles._draws import below, permuted, stream

__all__ = ["ENDS", "FIRST_COLOUR", "SIDE", "cropped", "draw_augmentations", "draw_places", "pack"]

SIDE = 30
ENDS, FIRST_COLOUR = 1, 2


@kept
@compiled
def draw_augmentations(key, item, first, symmetries, colours):  # pragma: no cover
    """Symmetries of the square, and orders of the colours in which 0, black, keeps its place."""
    for k in range(symmetries.size):
        state = stream(key, item, first + k)
        symmetries[k] = below(state, 8)
        colours[k] = np.arange(10)
        permuted(state, colours[k, 1:])


@kept
@compiled
def draw_places(key, item, first, heights, widths, rows, columns):  # pragma: no cover
    """Where each example of each puzzle lies on its board; one of a puzzle's in the corner.

    Arrays are `(puzzles, examples)`; heights and widths are those of the larger of input and
    output.
    """
    n_puzzles, n_examples = rows.shape
    for puzzle in range(n_puzzles):
        state = stream(key, item, first + puzzle)
        stays = below(state, n_examples)
        for e in range(n_examples):
            row = below(state, SIDE - heights[puzzle, e] + 1)
            column = below(state, SIDE - widths[puzzle, e] + 1)
            rows[puzzle, e] = 0 if e == stays else row
            columns[puzzle, e] = 0 if e == stays else column


@kept
@compiled
def pack(grid, symmetries, colours, rows, columns, out):  # pragma: no cover
    """Augmented copies of a grid as tokens, `(copies, 900)`: 0 around it, an edge of 1, colours.

    The edge lies below and to the right, as far as there is room; its corner stays 0.
    """
    height, width = grid.shape
    for k in range(symmetries.size):
        symmetry = symmetries[k]
        board = out[k].reshape(SIDE, SIDE)
        board[:] = 0
        turned = symmetry == 1 or symmetry == 3 or symmetry >= 6
        high, wide = (width, height) if turned else (height, width)
        top, left = rows[k], columns[k]
        for i in range(high):
            for j in range(wide):
                if symmetry == 0:
                    r, c = i, j
                elif symmetry == 1:
                    r, c = j, width - 1 - i
                elif symmetry == 2:
                    r, c = height - 1 - i, width - 1 - j
                elif symmetry == 3:
                    r, c = height - 1 - j, i
                elif symmetry == 4:
                    r, c = i, width - 1 - j
                elif symmetry == 5:
                    r, c = height - 1 - i, j
                elif symmetry == 6:
                    r, c = j, i
                else:
                    r, c = height - 1 - j, width - 1 - i
                board[top + i, left + j] = FIRST_COLOUR + colours[k, grid[r, c]]
        if top + high < SIDE:
            board[top + high, left : left + wide] = ENDS
        if left + wide < SIDE:
            board[top : top + high, left + wide] = ENDS


@kept
@compiled
def cropped(tokens):  # pragma: no cover
    """Rows and columns of the largest rectangle of colours in the upper left corner."""
    board = tokens.reshape(SIDE, SIDE)
    best, high, wide = 0, 0, 0
    columns = SIDE
    for i in range(SIDE):
        for j in range(columns):
            if board[i, j] < FIRST_COLOUR or board[i, j] >= FIRST_COLOUR + 10:
                columns = j
                break
        if (i + 1) * columns > best:
            best, high, wide = (i + 1) * columns, i + 1, columns
    return high, wide
