"""A set of mazes made here: long shortest paths, held out up to symmetry, seen from eight sides."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sims.puzzles._draws import stream_key
from sims.puzzles._maze_kernels import GOAL, START, make_mazes
from sims.puzzles.dihedral import N_DIHEDRAL, dihedral
from sims.puzzles.division import Division, Progress, divide, numbered
from sims.puzzles.maze_path import CHARSET
from sims.puzzles.npy_writer import writing_puzzles
from sims.puzzles.puzzle_set import PuzzleError, PuzzleFormat

__all__ = ["HARD", "Maze", "MazePlan", "Walls", "make_maze", "mazes"]

Walls: TypeAlias = Literal["carved", "scattered"]

HARD = 110 / 30
"""Steps of a shortest path per cell of a side from which a maze is hard: the published set of
30x30 mazes has paths of more than 110 (Wang et al. 2025, arXiv 2506.21734)."""

_SIZES = (5, 60)
_CHUNK = 256
_SHARES = {"carved": (0.0, 0.1), "scattered": (0.3, 0.5)}
"""Of walls that are opened again, engineering choice; of cells that are walls, as in mazes of
Lehnert et al. 2024 (arXiv 2402.14083)."""

_WINDING = 0.9  # chance that the newest corridor goes on; engineering choice: long corridors


@dataclass(frozen=True)
class MazePlan:
    """What is wanted.

    Attributes:
        size: Cells of a side, 5 to 60; the published set has 30.
        train, test: Mazes of each split.
        augment: How many of the other seven views of a training maze are added.
        steps: Steps of a shortest path, fewest and most; fewest by default `HARD * size`.
        walls: `carved`, corridors with few loops; `scattered`, each cell a wall by chance, where
            paths are short and seldom unique.
        unique: Whether there must be no other path as short.
        seed: Of everything.

    Raises:
        PuzzleError: if it asks for what cannot be.
    """

    size: int = 30
    train: int = 1000
    test: int = 1000
    augment: int = 0
    steps: tuple[int | None, int | None] = (None, None)
    walls: Walls = "carved"
    unique: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not _SIZES[0] <= self.size <= _SIZES[1]:
            raise PuzzleError(
                f"a maze must have size {_SIZES[0]} to {_SIZES[1]}, found {self.size}"
            )
        for name, least, most in (("train", 1, None), ("test", 1, None), ("augment", 0, 7)):
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                bounds = f"at least {least}" if most is None else f"{least} to {most}"
                raise PuzzleError(f"`{name}` must be {bounds}, found {value}")
        if self.walls not in _SHARES:
            raise PuzzleError(f"walls must be `carved` or `scattered`, found `{self.walls}`")
        low, high = self.range
        if not 1 <= low <= high:
            raise PuzzleError(f"steps must be a range from 1 on, found {low} to {high}")

    @property
    def range(self) -> tuple[int, int]:
        """Steps, fewest and most."""
        low, high = self.steps
        return (
            round(HARD * self.size) if low is None else low,
            self.size * self.size if high is None else high,
        )

    @property
    def format(self) -> PuzzleFormat:
        """Tokens are 0 for nothing and 1 + the place in `CHARSET`."""
        return PuzzleFormat("maze", self.size, self.size, len(CHARSET) + 1)


@dataclass(frozen=True, eq=False)
class Maze:
    """One maze.

    Attributes:
        board, answer: `(size, size)` tokens.
        steps: Of its shortest path.
        key: The same for mazes that a symmetry, or start for goal, makes one of the other.
    """

    board: NDArray[np.uint8]
    answer: NDArray[np.uint8]
    steps: int
    key: bytes
    family: bytes = b""


def mazes(
    plan: MazePlan, *, workers: int = 1, progress: Progress = lambda done, of: None
) -> Division[Maze]:
    """The mazes of a plan, before they are augmented; the same for any number of workers.

    Raises:
        PuzzleError: if there are not so many.
    """
    size, key = plan.size, stream_key(plan.seed, f"maze {plan.size}")
    low, high = _SHARES[plan.walls]
    least, most = plan.range

    def chunk(number: int) -> tuple[int, list[Maze]]:
        boards, answers = (np.empty((_CHUNK, size * size), np.uint8) for _ in range(2))
        steps = np.empty(_CHUNK, np.int64)
        make_mazes(
            key, number * _CHUNK, size, plan.walls == "carved", low, high, _WINDING, plan.unique,
            least, most, boards, answers, steps,
        )  # fmt: skip
        return _CHUNK, [
            _maze(boards[i].reshape(size, size), answers[i].reshape(size, size), int(steps[i]))
            for i in np.flatnonzero(steps)
        ]

    return divide(
        numbered(chunk, workers=workers), train=plan.train, test=plan.test, progress=progress
    )


def make_maze(
    plan: MazePlan,
    path: str | os.PathLike[str],
    *,
    workers: int = 1,
    force: bool = False,
    progress: Progress = lambda done, of: None,
) -> Path:
    """Make the set of a plan and write it to a folder, whole or not at all.

    Raises:
        PuzzleError: if there are not so many mazes.
        StoreError: if it cannot be written.
    """
    with writing_puzzles(path, force=force) as writer:
        division = mazes(plan, workers=workers, progress=progress)
        for split, views in (("train", 1 + plan.augment), ("test", 1)):
            to = writer.train if split == "train" else writer.test
            for maze in division.kept["train" if split == "train" else "test"]:
                to.group(_views(maze.board, views), _views(maze.answer, views), grade=maze.steps)
        writer.finish(plan.format, {"made": "maze", **asdict(plan), "steps": plan.range})
    return Path(path)


def _views(grid: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    return np.stack([dihedral(grid, k).reshape(-1) for k in range(n)]).astype(np.uint8)


def _maze(board: NDArray[np.uint8], answer: NDArray[np.uint8], steps: int) -> Maze:
    names = np.arange(len(CHARSET) + 1, dtype=np.uint8)
    names[[START, GOAL]] = GOAL, START
    views = (
        dihedral(side, k).tobytes() for side in (board, names[board]) for k in range(N_DIHEDRAL)
    )
    return Maze(board, answer, steps, min(views))
