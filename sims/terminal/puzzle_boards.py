"""A puzzle and its answer beside each other, on a terminal with or without colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from sims.puzzles.maze_path import CHARSET
from sims.puzzles.puzzle_set import PuzzleFormat, Tokens

__all__ = ["board", "boards"]

_PATH, _GIVEN = Style(color="green", bold=True), Style(dim=True)
_WRONG = Style(color="red", bold=True)
_MAZE = {"#": "██", " ": "  ", "S": "S ", "G": "G ", "o": "• "}
_MAZE_STYLES = {"#": Style(dim=True), "o": _PATH, "S": _PATH, "G": _PATH}

_ARC = ("#000000", "#1e93ff", "#f93c31", "#4fcc30", "#ffdc00", "#999999", "#e53aa3", "#ff851b",
        "#87d8f1", "#921231")  # fmt: skip
"""Colours 0 to 9 as the ARC Prize shows them."""


_BETWEEN = 6  # columns between two boards
_IS_WRONG = 2


def boards(
    format: PuzzleFormat,
    puzzle: Tokens,
    answer: Tokens,
    *,
    width: int,
    truth: Tokens | None = None,
) -> Table:
    """The two boards; what the answer adds is in colour.

    Args:
        puzzle, answer: `(length,)` tokens.
        truth: What would have been right; what is not is red. A negative token is not judged.
        width: Columns of the terminal; the answer goes below the puzzle if that is too narrow.
    """
    asked, said = np.asarray(puzzle), np.asarray(answer)
    added = (asked != said).astype(int)
    if truth is not None:
        added[(np.asarray(truth) >= 0) & (said != np.asarray(truth))] = _IS_WRONG
    texts = [board(format, asked, np.zeros_like(added)), board(format, said, added)]
    framed = format.kind == "maze"  # what is open at the edge would have none
    wide = sum(max(map(len, text.plain.splitlines())) + 2 * framed for text in texts)
    both = [Panel.fit(text, padding=0, border_style=_GIVEN) if framed else text for text in texts]
    table = Table.grid(padding=(0, _BETWEEN, 0, 0))
    if wide + 2 * _BETWEEN <= width:
        table.add_row(*both)
    else:
        for row in (both[0], "", both[1]):
            table.add_row(row)
    return table


def board(format: PuzzleFormat, tokens: Tokens, added: NDArray[np.integer]) -> Text:
    """One board, a line a row; `added` is 1 where a token is new, 2 where it is wrong."""
    shape = (format.rows, format.columns)
    values, new = np.asarray(tokens).reshape(shape), np.asarray(added).reshape(shape)
    if format.kind == "arc":  # only where the grid and its edge are
        used = np.argwhere(values)
        high, wide = used.max(axis=0) + 1 if used.size else (1, 1)
        values, new = values[:high, :wide], new[:high, :wide]
    text = Text(no_wrap=True)
    for row, line in enumerate(values):
        if format.box and row and row % format.box[0] == 0:
            text.append(_rule(format) + "\n", _GIVEN)
        for column, token in enumerate(line):
            if format.box and column and column % format.box[1] == 0:
                text.append("│ ", _GIVEN)
            mark, style = _mark(format, int(token), bool(new[row, column]))
            if new[row, column] == _IS_WRONG:
                style = _WRONG if style is None else style + _WRONG
            text.append(mark, style)
        text.append("\n")
    text.rstrip()
    return text


def _mark(format: PuzzleFormat, token: int, added: bool) -> tuple[str, Style | None]:
    if format.kind == "sudoku":
        mark = "? " if not token else ". " if token == 1 else f"{token - 1} "
        return mark, _PATH if added else None
    if format.kind == "maze":
        mark = CHARSET[token - 1] if 0 < token <= len(CHARSET) else "?"
        return _MAZE.get(mark, "? "), _MAZE_STYLES.get(mark)
    if format.kind == "arc":
        if token > 11:
            return "? ", None
        if token < 2:
            return ("╴ " if token else "  "), _GIVEN
        light = token - 2 in (4, 8)  # black digits on yellow and azure
        return f"{token - 2} ", Style(color="black" if light else "white", bgcolor=_ARC[token - 2])
    return f"{token} ", _PATH if added else None


def _rule(format: PuzzleFormat) -> str:
    across = format.box[1] if format.box else format.columns
    return "┼─".join(["──" * across] * (format.columns // across))
