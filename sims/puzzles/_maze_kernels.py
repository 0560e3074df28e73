"""Compiled: draw walls, count shortest paths, and lay a puzzle where there is only one."""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import numpy as np

from neuro.compiled import kept
from sims.puzzles._compiling import compiled, copied
from sims.puzzles._draws import below, chance, permuted, stream

__all__ = ["GOAL", "OPEN", "PATH", "START", "WALL", "make_mazes", "spread"]

WALL, OPEN, START, GOAL, PATH = 1, 2, 3, 4, 5

_DR = (0, 0, 1, -1)
_DC = (1, -1, 0, 0)


@kept
@compiled
def spread(board, size, source, steps, ways):  # pragma: no cover
    """Fewest steps from `source` to each cell (-1: none lead there) and in how many ways, up to 2.

    Returns the cells that are reached, nearest first.
    """
    steps[:] = -1
    ways[:] = 0
    queue = np.empty(size * size, np.int64)
    queue[0], last = source, 1
    steps[source], ways[source] = 0, 1
    at = 0
    while at < last:
        cell = queue[at]
        at += 1
        row, column = cell // size, cell % size
        for k in range(4):
            r, c = row + _DR[k], column + _DC[k]
            if r < 0 or c < 0 or r >= size or c >= size or board[r * size + c] == WALL:
                continue
            near = r * size + c
            if steps[near] < 0:
                steps[near] = steps[cell] + 1
                queue[last] = near
                last += 1
            if steps[near] == steps[cell] + 1:
                ways[near] = min(2, ways[near] + ways[cell])
    return queue[:last]


@kept
@compiled
def _open_around(board, size, cell):  # pragma: no cover
    count = 0
    row, column = cell // size, cell % size
    for k in range(4):
        r, c = row + _DR[k], column + _DC[k]
        if 0 <= r < size and 0 <= c < size and board[r * size + c] != WALL:
            count += 1
    return count


@kept
@compiled
def _scatter(state, board, share):  # pragma: no cover
    for cell in range(board.size):
        board[cell] = WALL if chance(state) < share else OPEN


@kept
@compiled
def _carve(state, board, size, winding, loops):  # pragma: no cover
    """Grow corridors from one cell: a cell is opened if one open cell is beside it, no more.

    With chance `winding` the newest corridor goes on, else any. Then a share `loops` of the
    walls that part two open cells are opened.
    """
    board[:] = WALL
    growing = np.empty(4 * board.size, np.int64)
    growing[0], n = below(state, board.size), 1
    while n:
        at = n - 1 if chance(state) < winding else below(state, n)
        cell = growing[at]
        for i in range(at, n - 1):
            growing[i] = growing[i + 1]
        n -= 1
        if board[cell] != WALL or _open_around(board, size, cell) > 1:
            continue
        board[cell] = OPEN
        row, column = cell // size, cell % size
        sides = np.arange(4)
        permuted(state, sides)
        for k in sides:
            r, c = row + _DR[k], column + _DC[k]
            if 0 <= r < size and 0 <= c < size and board[r * size + c] == WALL:
                growing[n] = r * size + c
                n += 1
    for cell in range(board.size):
        if board[cell] == WALL and _open_around(board, size, cell) == 2 and chance(state) < loops:
            board[cell] = OPEN


@kept
@compiled
def make_mazes(
    key, first, size, carved, low, high, winding, unique, least, most, boards, answers, lengths
):  # pragma: no cover
    """Mazes number `first`, …; `lengths` is 0 where a drawing of walls had no path that will do.

    Start is any open cell; goal any cell to which a shortest path of `least … most` steps leads,
    and no other one if `unique`. `low … high` is the range of the share of walls, or of loops if
    `carved`.
    """
    cells = size * size
    steps, ways = np.empty(cells, np.int64), np.empty(cells, np.int64)
    fit = np.empty(cells, np.int64)
    for row in range(boards.shape[0]):
        state = stream(key, first + row, 0)
        board, answer = boards[row], answers[row]
        lengths[row] = 0
        share = low + (high - low) * chance(state)
        if carved:
            _carve(state, board, size, winding, share)
        else:
            _scatter(state, board, share)
        n_open = 0
        for cell in range(cells):
            if board[cell] == OPEN:
                fit[n_open] = cell
                n_open += 1
        if n_open == 0:
            continue
        source = fit[below(state, n_open)]
        reached = spread(board, size, source, steps, ways)
        n_fit = 0
        for cell in reached:
            if (ways[cell] == 1 or not unique) and least <= steps[cell] <= most:
                fit[n_fit] = cell
                n_fit += 1
        if n_fit == 0:
            continue
        goal = fit[below(state, n_fit)]
        lengths[row] = steps[goal]
        board[source], board[goal] = START, GOAL
        copied(board, answer)
        cell = goal
        while steps[cell] > 1:
            r0, c0 = cell // size, cell % size
            for k in range(4):
                r, c = r0 + _DR[k], c0 + _DC[k]
                if 0 <= r < size and 0 <= c < size and steps[r * size + c] == steps[cell] - 1:
                    cell = r * size + c
                    break
            answer[cell] = PATH
