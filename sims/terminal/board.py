"""A puzzle and its answer on a terminal, side by side if they fit, with every mistake in red."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from sims.puzzles.puzzle_set import PuzzleFormat

__all__ = ["solved_board"]

_MAZE = {0: " ", 1: "█", 2: " ", 3: "S", 4: "G", 5: "·"}
"""Tokens of a maze: nothing, wall, floor, start, goal, path."""
_ARC = ("black", "blue", "red", "green", "yellow", "bright_black", "magenta", "dark_orange",
        "cyan", "dark_red")  # fmt: skip
_SIDE_BY_SIDE = 16  # columns of a board of which two fit into 80 characters
_ARC_FIRST = 2  # token of the colour 0; 0 and 1 are the padding and the end of a grid


def solved_board(
    format: PuzzleFormat,
    puzzle: NDArray[np.integer],
    answer: NDArray[np.integer],
    truth: NDArray[np.integer],
) -> Table:
    """Two boards: what was asked, and what was answered.

    Args:
        puzzle, answer, truth: `(length,)` tokens; a negative one in `truth` is not marked.
    """
    from rich.table import Table

    given = answer == puzzle
    styles = np.where(given, "", np.where((answer == truth) | (truth < 0), "bold green",
                                          "bold red"))  # fmt: skip
    plain = np.full(puzzle.size, "", dtype=object)
    boards = {"puzzle": _board(format, puzzle, plain), "answer": _board(format, answer, styles)}
    table = Table(box=None, padding=(0, 4, 0, 0), show_header=False)
    if format.columns > _SIDE_BY_SIDE:
        for name, board in boards.items():
            table.add_row(name)
            table.add_row(board)
    else:
        table.add_row(*boards)
        table.add_row(*boards.values())
    return table


def _board(format: PuzzleFormat, tokens: NDArray[np.integer], styles: NDArray[np.str_]) -> Text:
    from rich.text import Text

    shape = (format.rows, format.columns)
    board, coloured = tokens.reshape(shape), styles.reshape(shape)
    down, across = format.box or shape
    text = Text()
    for row in range(format.rows):
        if row:
            text.append("\n")
        if format.box and row and row % down == 0:
            text.append(_rule(format.columns, across) + "\n")
        for column in range(format.columns):
            if format.box and column and column % across == 0:
                text.append("│ ")
            mark, own = _mark(format, int(board[row, column]))
            text.append(mark, style=own or str(coloured[row, column]))
    return text


def _mark(format: PuzzleFormat, token: int) -> tuple[str, str]:
    """What stands for a token, and its own style where it has one."""
    if format.kind == "sudoku":
        return (f"{token - 1} " if token > 1 else ". "), ""
    if format.kind == "maze":
        return 2 * _MAZE.get(token, "?"), ""
    if format.kind == "arc":
        colour = token - _ARC_FIRST
        if not 0 <= colour < len(_ARC):
            return "  ", ""
        return f"{colour} ", f"on {_ARC[colour]}"
    return f"{token} ", ""


def _rule(columns: int, across: int) -> str:
    return "┼─".join("──" * across for _ in range(columns // across))
