"""Augmentations of ARC tasks: a symmetry of the square and a permutation of the colours.

Any grid, any pair and any task can be augmented, an answer to an augmented task can be brought
back, and the name of an augmented puzzle tells how, in the words of the public builder:
`007bbfb7|||t3|||0251346789`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.puzzles._arc_kernels import FIRST_COLOUR, SIDE, cropped, draw_augmentations, pack
from sims.puzzles._draws import stream_key
from sims.puzzles.arc_tasks import Pair
from sims.puzzles.dihedral import N_DIHEDRAL, dihedral, undone
from sims.puzzles.puzzle_set import PuzzleError, Tokens

__all__ = [
    "Augmentation", "augmentations", "canonical_pair", "grid_of_tokens", "task_number",
    "tokens_of_grid",
]  # fmt: skip

_BETWEEN = "|||"


@dataclass(frozen=True)
class Augmentation:
    """Colour `c` becomes `colours[c]`; then the grid is turned by `dihedral(…, symmetry)`."""

    symmetry: int = 0
    colours: tuple[int, ...] = tuple(range(10))

    def __post_init__(self) -> None:
        if not 0 <= self.symmetry < N_DIHEDRAL or sorted(self.colours) != list(range(10)):
            raise PuzzleError(
                "an augmentation must be a symmetry 0 to 7 and an order of the colours 0 to 9, "
                f"found {self.symmetry} and {self.colours}"
            )

    def __call__(self, grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The augmented grid."""
        return dihedral(np.array(self.colours, np.uint8)[grid], self.symmetry)  # type: ignore[return-value]

    def inverse(self, grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The grid that was augmented."""
        back = np.argsort(self.colours).astype(np.uint8)
        return back[undone(grid, self.symmetry)]

    def name(self, task: str) -> str:
        """What an augmented puzzle is called."""
        colours = "".join(map(str, self.colours))
        return f"{task}{_BETWEEN}t{self.symmetry}{_BETWEEN}{colours}"

    @staticmethod
    def of(name: str) -> tuple[str, Augmentation]:
        """The task and the augmentation that a puzzle's name tells.

        Raises:
            PuzzleError: if the name has another form.

        >>> Augmentation.of("ab|||t2|||0132456789")[1].symmetry
        2
        """
        if _BETWEEN not in name:
            return name, Augmentation()
        parts = name.rsplit(_BETWEEN, 2)
        symmetry = parts[1] if len(parts) == 3 else ""
        digits = parts[-1]
        known = {f"t{k}": k for k in range(N_DIHEDRAL)}
        if symmetry not in known or not (digits.isascii() and digits.isdigit()):
            raise PuzzleError(
                f"an augmented puzzle must be named TASK|||tK|||COLOURS, found `{name[:60]}`"
            )
        return parts[0], Augmentation(known[symmetry], tuple(map(int, digits)))


def canonical_pair(pair: Pair) -> bytes:
    """The same for two pairs if, and only if, an augmentation makes one of the other."""
    return min(_named(tuple(dihedral(grid, number) for grid in pair)) for number in range(8))


def task_number(task: str) -> int:
    """A number that depends on a task's name alone, so that tasks do not depend on each other."""
    return int.from_bytes(hashlib.blake2b(task.encode(), digest_size=8).digest(), "little")


def augmentations(
    task: str, n: int, *, seed: int, first: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Symmetries `(n,)` and colours `(n, 10)` of augmentation `first`, … of a task.

    They may repeat; a function of the seed, the name and the number.
    """
    symmetries, colours = np.empty(n, np.int64), np.empty((n, 10), np.int64)
    number = np.uint64(task_number(task))
    draw_augmentations(stream_key(seed, "arc augmentation"), number, first, symmetries, colours)
    return symmetries, colours


def tokens_of_grid(grid: NDArray[np.uint8], row: int = 0, column: int = 0) -> NDArray[np.uint8]:
    """A grid as `(900,)` tokens of a 30x30 board, its upper left corner at `row`, `column`.

    Raises:
        PuzzleError: if it does not fit there.
    """
    if not (0 <= row <= SIDE - grid.shape[0] and 0 <= column <= SIDE - grid.shape[1]):
        raise PuzzleError(
            f"a grid must fit on 30 x 30, found {grid.shape[0]} x {grid.shape[1]} at {row}, "
            f"{column}"
        )
    out = np.empty((1, SIDE * SIDE), np.uint8)
    zero = np.zeros(1, np.int64)
    pack(grid, zero, np.arange(10)[None], zero + row, zero + column, out)
    return out[0]


def grid_of_tokens(tokens: Tokens) -> NDArray[np.uint8]:
    """The grid in the upper left corner of a board: the largest rectangle of colours there.

    It has no rows where there is none, as in the answer of a model that is wrong.
    """
    board = np.ascontiguousarray(tokens)
    if board.size != SIDE * SIDE:
        raise PuzzleError(f"an ARC board must have 900 tokens, found {board.size}")
    high, wide = cropped(board.reshape(-1))
    return (board.reshape(SIDE, SIDE)[:high, :wide] - FIRST_COLOUR).astype(np.uint8)


def _named(grids: tuple[NDArray[np.integer], ...]) -> bytes:
    """Shapes and colours, these named in the order in which they appear; black stays 0."""
    flat = np.concatenate([grid.reshape(-1) for grid in grids])
    colours, first = np.unique(flat, return_index=True)
    names = np.zeros(10, np.uint8)
    names[[c for c in colours[np.argsort(first)] if c]] = np.arange(
        1, 1 + np.count_nonzero(colours)
    )
    return bytes(side for grid in grids for side in grid.shape) + names[flat].tobytes()
