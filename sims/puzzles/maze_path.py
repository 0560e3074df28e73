"""Mazes as text and tokens, and whether an answer is a shortest path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sims.puzzles._maze_kernels import GOAL, OPEN, PATH, START, WALL, spread
from sims.puzzles.puzzle_set import PuzzleError

__all__ = ["CHARSET", "is_shortest_path", "maze_text", "shortest"]

CHARSET = "# SGo"
"""Wall, open, start, goal, path: tokens 1 to 5, as in the public data set; 0 is nothing."""


def maze_text(maze: NDArray[np.integer]) -> str:
    """A maze as lines of text.

    >>> print(maze_text(np.array([[3, 2], [1, 4]])))
    S
    #G
    """
    return "\n".join("".join(("?" + CHARSET)[token] for token in row).rstrip() for row in maze)


def shortest(board: NDArray[np.integer]) -> tuple[int, int]:
    """Steps of a shortest path from start to goal, and how many there are, up to 2.

    Args:
        board: `(size, size)` tokens; path tokens count as open.

    Returns:
        (-1, 0) if none leads there.

    Raises:
        PuzzleError: if it is no square with one start and one goal.
    """
    values, source, goal = _checked(board)
    steps, ways = np.empty(values.size, np.int64), np.empty(values.size, np.int64)
    spread(values, len(board), source, steps, ways)
    return int(steps[goal]), int(ways[goal])


def is_shortest_path(board: NDArray[np.integer], answer: NDArray[np.integer]) -> bool:
    """Whether an answer marks some shortest path of a maze, and changes nothing else.

    The published score asks for the path in the label, to the token. Where several paths are as
    short, this asks for any of them.
    """
    if answer.shape != board.shape:
        return False
    marked = answer == PATH
    if not (np.where(marked, OPEN, answer) == board).all():
        return False
    steps, _ = shortest(board)
    along, _ = shortest(np.where(marked | np.isin(board, (START, GOAL)), board, WALL))
    return steps > 0 and along == steps and int(marked.sum()) == steps - 1


def _checked(board: NDArray[np.integer]) -> tuple[NDArray[np.uint8], int, int]:
    if board.ndim != 2 or board.shape[0] != board.shape[1]:
        raise PuzzleError(f"a maze must be square, found shape {board.shape}")
    ends = [np.flatnonzero(board == end) for end in (START, GOAL)]
    if any(end.size != 1 for end in ends):
        raise PuzzleError(
            f"a maze must have one start and one goal, found {ends[0].size} and {ends[1].size}"
        )
    values = np.ascontiguousarray(board, np.uint8).reshape(-1)
    return values, int(ends[0][0]), int(ends[1][0])
