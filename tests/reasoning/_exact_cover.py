"""A second Sudoku solver that shares nothing with Ember's: exact cover by Knuth's Algorithm X.

Knuth 2000, "Dancing links"; sets instead of links.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def all_solutions(board: NDArray[np.integer], box: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Every solution of a board, one after another."""
    size = len(board)
    choices: dict[tuple[int, int, int], list[tuple[str, int, int]]] = {}
    for row in range(size):
        for column in range(size):
            of_box = row // box[0] * box[0] + column // box[1]
            for digit in range(1, size + 1):
                if board[row, column] in (0, digit):
                    choices[row, column, digit] = [
                        ("cell", row, column), ("row", row, digit),
                        ("column", column, digit), ("box", of_box, digit),
                    ]  # fmt: skip
    needs: dict[tuple[str, int, int], set[tuple[int, int, int]]] = {}
    for kind in ("cell", "row", "column", "box"):
        for a in range(size):
            for b in range(size):
                needs[kind, a, b + (kind != "cell")] = set()
    for choice, met in choices.items():
        for need in met:
            needs[need].add(choice)
    for solution in _search(needs, choices, []):
        grid = np.zeros((size, size), np.uint8)
        for row, column, digit in solution:
            grid[row, column] = digit
        yield grid


def _search(needs, choices, taken):  # type: ignore[no-untyped-def]
    if not needs:
        yield list(taken)
        return
    need = min(needs, key=lambda n: (len(needs[n]), n))
    for choice in sorted(needs[need]):
        removed = []
        for met in choices[choice]:
            for rival in needs[met]:
                for other in choices[rival]:
                    if other != met:
                        needs[other].remove(rival)
            removed.append(needs.pop(met))
        yield from _search(needs, choices, [*taken, choice])
        for met in reversed(choices[choice]):
            needs[met] = removed.pop()
            for rival in needs[met]:
                for other in choices[rival]:
                    if other != met:
                        needs[other].add(rival)
