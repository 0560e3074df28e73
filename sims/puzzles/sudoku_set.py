"""A Sudoku set made here: boards with one solution, graded, held out, and augmented."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sims.puzzles._draws import stream_key
from sims.puzzles._sudoku_kernels import make_boards
from sims.puzzles.division import Division, Progress, divide, numbered
from sims.puzzles.npy_writer import SplitWriter, writing_puzzles
from sims.puzzles.puzzle_set import PuzzleError, PuzzleFormat
from sims.puzzles.sudoku_grid import Grid, grid_of
from sims.puzzles.sudoku_symmetry import canonical, copies

__all__ = ["HeldOut", "Sudoku", "SudokuPlan", "make_sudoku", "sudokus"]

HeldOut: TypeAlias = Literal["board", "grid", "class"]

_CHUNK = 512  # candidates made at a time: a fifth of a second of 9x9 boards
_AUGMENTED = 4096  # copies made at a time


@dataclass(frozen=True)
class SudokuPlan:
    """What is wanted.

    Attributes:
        size: 4, 6 or 9.
        train, test: Boards of each split.
        augment: Symmetric copies of each training board, besides itself.
        clues: Clues of a board, fewest and most; None: none can be spared (few, and hard).
        guesses: Its grade (see `sims.puzzles.sudoku_solve.grade`), least and most; most may be
            None.
        held_out: What no test board shares with a training board: `board`, itself up to symmetry;
            `grid`, also its solution, augmented training boards included; `class`, also its
            solution up to symmetry.
        seed: Of everything.

    Raises:
        PuzzleError: if it asks for what cannot be.
    """

    size: int = 9
    train: int = 1000
    test: int = 1000
    augment: int = 0
    clues: tuple[int, int] | None = None
    guesses: tuple[int, int | None] = (0, None)
    held_out: HeldOut = "board"
    seed: int = 0

    def __post_init__(self) -> None:
        cells = grid_of(self.size).cells
        for name, least in (("train", 1), ("test", 1), ("augment", 0)):
            if getattr(self, name) < least:
                raise PuzzleError(f"`{name}` must be at least {least}, found {getattr(self, name)}")
        if self.held_out not in ("board", "grid", "class"):
            raise PuzzleError(
                f"held out must be `board`, `grid` or `class`, found `{self.held_out}`"
            )
        low, high = self.clues or (0, cells)
        if not 0 <= low <= high <= cells:
            raise PuzzleError(f"clues must be a range in 0 to {cells}, found {low} to {high}")
        least, most = self.guesses
        if least < 0 or (most is not None and most < least):
            raise PuzzleError(f"guesses must be a range from 0 on, found {least} to {most}")

    @property
    def format(self) -> PuzzleFormat:
        """Tokens are 0 for nothing, 1 for blank, and 1 + each digit."""
        size = self.size
        return PuzzleFormat("sudoku", size, size, size + 2, box=grid_of(size).box)


@dataclass(frozen=True, eq=False)
class Sudoku:
    """One board.

    Attributes:
        board, solution: `(cells,)` digits; 0 for blank.
        guesses: Its grade.
        key, family: See `sims.puzzles.division`.
    """

    board: NDArray[np.uint8]
    solution: NDArray[np.uint8]
    guesses: int
    key: bytes
    family: bytes


def sudokus(
    plan: SudokuPlan, *, workers: int = 1, progress: Progress = lambda done, of: None
) -> Division[Sudoku]:
    """The boards of a plan, before they are augmented; the same for any number of workers.

    Raises:
        PuzzleError: if there are not so many.
    """
    grid, key = grid_of(plan.size), stream_key(plan.seed, f"sudoku {plan.size}")
    low, high = plan.clues or (0, grid.cells)
    least, most = plan.guesses
    dig_to = (low, high) if plan.clues else (0, 0)

    def chunk(number: int) -> tuple[int, list[Sudoku]]:
        boards, solutions = (np.empty((_CHUNK, grid.cells), np.uint8) for _ in range(2))
        guesses = np.empty(_CHUNK, np.int64)
        make_boards(
            key,
            number * _CHUNK,
            *grid.box,
            grid.peers,
            grid.units,
            *dig_to,
            boards,
            solutions,
            guesses,
        )
        clues = (boards > 0).sum(axis=1)
        fit = (guesses >= least) & (clues >= low) & (clues <= high)
        if most is not None:
            fit &= guesses <= most
        return _CHUNK, [
            Sudoku(
                boards[i].copy(), solutions[i].copy(), int(guesses[i]),
                canonical(grid, boards[i]), _family(plan, grid, solutions[i]),
            )
            for i in np.flatnonzero(fit)
        ]  # fmt: skip

    return divide(
        numbered(chunk, workers=workers), train=plan.train, test=plan.test, progress=progress
    )


def make_sudoku(
    plan: SudokuPlan,
    path: str | os.PathLike[str],
    *,
    workers: int = 1,
    force: bool = False,
    progress: Progress = lambda done, of: None,
) -> Path:
    """Make the set of a plan and write it to a folder, whole or not at all.

    Raises:
        PuzzleError: if there are not so many boards.
        StoreError: if it cannot be written.
    """
    with writing_puzzles(path, force=force) as writer:
        division = sudokus(plan, workers=workers, progress=progress)
        avoided = {
            bytes(sudoku.solution) for sudoku in division.kept["test"] if plan.held_out == "grid"
        }
        for item, sudoku in enumerate(division.kept["train"]):
            _write(plan, sudoku, item, avoided, writer.train)
        for sudoku in division.kept["test"]:
            writer.test.group(
                1 + sudoku.board[None], 1 + sudoku.solution[None], grade=sudoku.guesses
            )
        writer.finish(plan.format, {"made": "sudoku", **asdict(plan)})
    return Path(path)


def _family(plan: SudokuPlan, grid: Grid, solution: NDArray[np.uint8]) -> bytes:
    if plan.held_out == "board":
        return b""
    return bytes(solution) if plan.held_out == "grid" else canonical(grid, solution)


def _write(
    plan: SudokuPlan, sudoku: Sudoku, item: int, avoided: set[bytes], to: SplitWriter
) -> None:
    boards, answers = [sudoku.board[None]], [sudoku.solution[None]]
    for more in _copies(plan, sudoku, item, avoided):
        boards.append(more[0])
        answers.append(more[1])
    to.group(1 + np.concatenate(boards), 1 + np.concatenate(answers), grade=sudoku.guesses)


def _copies(
    plan: SudokuPlan, sudoku: Sudoku, item: int, avoided: set[bytes]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Symmetric copies, in parts; one whose solution is held out is passed over."""
    grid, missing, first = grid_of(plan.size), plan.augment, 0
    while missing:
        n = min(missing, _AUGMENTED)
        boards, answers = copies(
            grid, sudoku.board, sudoku.solution, n, seed=plan.seed, item=item, first=first
        )
        first += n
        if avoided:
            fit = [bytes(answer) not in avoided for answer in answers]
            boards, answers = boards[fit], answers[fit]
        missing -= len(boards)
        yield boards, answers
