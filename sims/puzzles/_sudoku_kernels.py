"""The compiled Sudoku solver: candidates as bits, naked and hidden singles, then guesses."""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
import numpy as np

from neuro.compiled import kept
from sims.puzzles._compiling import compiled, copied
from sims.puzzles._draws import below, permuted, stream, stream_key
from sims.puzzles._sudoku_symmetry_kernels import draw_symmetry, turn

__all__ = ["VIEWS", "fill", "graded", "make_boards", "search", "start"]

VIEWS = 8
"""Symmetric copies that a grade is the mean of; engineering choice."""

_VIEWS_KEY = stream_key(0, "sudoku grade")


@kept
@compiled
def _bits(x):  # pragma: no cover
    """How many candidates."""
    count = 0
    while x:
        x &= x - 1
        count += 1
    return count


@kept
@compiled
def _settle(open_, peers, units, full, queue, n):  # pragma: no cover
    """Naked and hidden singles until none is left; `queue[:n]` are cells that became single.

    Returns whether nothing contradicts.
    """
    size = units.shape[1]
    while True:
        while n:  # naked: what a settled cell holds, its peers do not
            n -= 1
            cell = queue[n]
            bit = open_[cell]
            for j in range(peers.shape[1]):
                peer = peers[cell, j]
                now = open_[peer]
                if now & bit:
                    now ^= bit
                    if now == 0:
                        return False
                    open_[peer] = now
                    if now & (now - 1) == 0:
                        queue[n] = peer
                        n += 1
        for u in range(units.shape[0]):  # hidden: what has one place left in its unit goes there
            once, more, settled = 0, 0, 0
            for j in range(size):
                now = open_[units[u, j]]
                more |= once & now
                once |= now
                if now & (now - 1) == 0:
                    settled |= now
            if once != full:
                return False
            hidden = once & ~more & ~settled
            if hidden:
                for j in range(size):
                    cell = units[u, j]
                    here = open_[cell] & hidden
                    if here:
                        if here & (here - 1):
                            return False
                        open_[cell] = here
                        queue[n] = cell
                        n += 1
                break
        if n == 0:
            return True


@kept
@compiled
def _tightest(open_):  # pragma: no cover
    """The open cell with the fewest candidates, the first of several; -1 if none is open."""
    best, fewest = -1, 99
    for cell in range(open_.size):
        count = _bits(open_[cell])
        if 1 < count < fewest:
            best, fewest = cell, count
            if count == 2:
                break
    return best


@kept
@compiled
def start(board, full):  # pragma: no cover
    """Candidates of each cell of a board, before anything follows from them."""
    open_ = np.empty(board.size, np.int64)
    for cell in range(board.size):
        open_[cell] = full if board[cell] == 0 else 1 << (board[cell] - 1)
    return open_


@kept
@compiled
def search(open_, peers, units, full, limit, solution):  # pragma: no cover
    """Solutions (as far as `limit`) and guesses, until the search is exhausted.

    A guess tries one candidate of the tightest cell; if it is refuted, or has led to a solution,
    the cell goes on without it. The first solution is written to `solution`.
    """
    cells = open_.size
    queue = np.empty(2 * cells, np.int64)
    left = np.empty((cells + 1, cells), np.int64)
    left_cell = np.empty(cells + 1, np.int64)
    depth, found, guesses, n = 0, 0, 0, 0
    for cell in range(cells):
        if open_[cell] & (open_[cell] - 1) == 0:
            queue[n] = cell
            n += 1
    fine = _settle(open_, peers, units, full, queue, n)
    while True:
        cell = _tightest(open_) if fine else -1
        if cell >= 0:
            guesses += 1
            bit = open_[cell] & -open_[cell]
            copied(open_, left[depth])
            left[depth, cell] ^= bit
            left_cell[depth] = cell
            depth += 1
            open_[cell] = bit
            queue[0] = cell
            fine = _settle(open_, peers, units, full, queue, 1)
            continue
        if fine:
            if found == 0:
                for i in range(cells):
                    solution[i] = 1 + _bits(open_[i] - 1)
            found += 1
        if depth == 0 or found >= limit:
            return found, guesses
        depth -= 1
        copied(left[depth], open_)
        cell = left_cell[depth]
        queue[0] = cell
        single = open_[cell] & (open_[cell] - 1) == 0
        fine = _settle(open_, peers, units, full, queue, 1 if single else 0)


@kept
@compiled
def fill(state, peers, units, full, solution):  # pragma: no cover
    """Write a full grid drawn from `state`: a random candidate of a random tightest cell.

    A contradiction begins anew. Every grid can come; they are not all equally likely.
    """
    cells = solution.size
    open_ = np.empty(cells, np.int64)
    queue = np.empty(2 * cells, np.int64)
    order = np.arange(cells)
    while True:
        permuted(state, order)
        open_[:] = full
        fine = True
        while fine:
            best, fewest = -1, 99
            for cell in order:
                count = _bits(open_[cell])
                if 1 < count < fewest:
                    best, fewest = cell, count
            if best < 0:
                break
            bit = open_[best]
            for _ in range(below(state, fewest)):
                bit &= bit - 1
            open_[best] = bit & -bit
            queue[0] = best
            fine = _settle(open_, peers, units, full, queue, 1)
        if fine:
            for i in range(cells):
                solution[i] = 1 + _bits(open_[i] - 1)
            return


@kept
@compiled
def graded(board, box_rows, box_columns, peers, units):  # pragma: no cover
    """Guesses that the board takes, the mean over itself and `VIEWS - 1` symmetric copies.

    Whether it takes any at all does not depend on the view, so one is enough if it takes none.
    """
    size = units.shape[1]
    full = (1 << size) - 1
    solution = np.empty(board.size, np.uint8)
    _, total = search(start(board, full), peers, units, full, 2, solution)
    if total == 0:
        return 0
    rows, columns = np.empty(size, np.int64), np.empty(size, np.int64)
    digits = np.empty(size + 1, np.int64)
    copy = np.empty(board.size, np.uint8)
    for view in range(1, VIEWS):
        state = stream(_VIEWS_KEY, 0, view)
        transpose = draw_symmetry(state, box_rows, box_columns, rows, columns, digits)
        turn(board, transpose, rows, columns, digits, copy)
        _, guesses = search(start(copy, full), peers, units, full, 2, solution)
        total += guesses
    return (2 * total + VIEWS) // (2 * VIEWS)


@kept
@compiled
def make_boards(
    key, first, box_rows, box_columns, peers, units, low, high, boards, solutions, guesses
):  # pragma: no cover
    """Boards number `first`, `first + 1`, … with one solution each, as many as there is room for.

    Clues are taken from a full grid in a random order, each only if the solution stays the only
    one, until the number of clues is one drawn from `low … high`, or no clue can be spared.
    """
    cells = boards.shape[1]
    full = (1 << units.shape[1]) - 1
    order = np.arange(cells)
    other = np.empty(cells, np.uint8)
    for row in range(boards.shape[0]):
        state = stream(key, first + row, 0)
        board = boards[row]
        fill(state, peers, units, full, solutions[row])
        copied(solutions[row], board)
        for i in range(cells):
            order[i] = i
        permuted(state, order)
        wanted = low + below(state, high - low + 1)
        clues = cells
        for cell in order:
            if clues <= wanted:
                break
            value = board[cell]
            board[cell] = 0
            open_ = start(board, full)
            open_[cell] ^= 1 << (value - 1)
            found, _ = search(open_, peers, units, full, 1, other)
            if found:
                board[cell] = value
            else:
                clues -= 1
        guesses[row] = graded(board, box_rows, box_columns, peers, units)
