"""The puzzles of a training: made on first use, and kept under a hash of their making."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import sims.puzzles
from neuro.errors import StoreError
from neuro.files.home import expanded
from neuro.wiring import generator
from sims.config.puzzles import ArcData, FolderData, MazeData, SudokuData
from sims.puzzles.arc_set import ArcPlan, make_arc
from sims.puzzles.arc_tasks import read_arc
from sims.puzzles.division import Progress
from sims.puzzles.maze_set import MazePlan, make_maze
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import PuzzleSet, PuzzleSplit
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku

__all__ = [
    "PuzzleData", "digest_of", "examples_of", "held_out", "identity", "puzzle_folder", "puzzle_set",
]  # fmt: skip

PuzzleData: TypeAlias = SudokuData | MazeData | ArcData | FolderData


_LOOKED_AT = 4096


def identity(data: SudokuData | MazeData | ArcData, *, seed: int) -> dict[str, Any]:
    """All that decides puzzles that are made, JSON-ready: the config, the seed, our own code, and
    of what is read the content and not the path.

    Raises:
        StoreError: if what is to be read is not there.
    """
    said = data.model_dump(mode="json", exclude={"path"})
    about = {"data": said, "seed": seed, "code": _code_hash()}
    if isinstance(data, ArcData):
        about["content"] = _tasks_content(expanded(data.path))
    return about


def puzzle_folder(folder: Path, about: dict[str, Any]) -> Path:
    """Where the puzzles of that identity lie in a cache folder."""
    text = json.dumps(about, sort_keys=True).encode()
    return folder / f"{about['data']['source']}-{hashlib.sha256(text).hexdigest()[:16]}"


def puzzle_set(
    data: PuzzleData,
    *,
    seed: int,
    folder: Path,
    progress: Progress = lambda done, of: None,
) -> tuple[PuzzleSet, Path]:
    """The puzzles: read from `folder`, or made there.

    Args:
        progress: Called with how many puzzles there are, of how many.

    Raises:
        PuzzleError: if there are not so many puzzles of that kind.
        StoreError: if a folder cannot be read or written, or its tokens exceed its vocabulary.
    """
    if isinstance(data, FolderData):
        path = expanded(data.path)
        return read_puzzles(path), path
    path = puzzle_folder(folder, identity(data, seed=seed))
    if not path.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write `{folder}`: {error.strerror or error}") from None
        try:
            _make(data, int(generator(seed, "puzzle set").integers(2**62)), path, progress)
        except StoreError:
            if not path.is_dir():  # else another process was first
                raise
    return read_puzzles(path), path


def _make(data: SudokuData | MazeData | ArcData, seed: int, path: Path, progress: Progress) -> None:
    if isinstance(data, ArcData):
        plan = ArcPlan(augment=data.augment, tasks=data.tasks, seed=seed)
        make_arc(plan, read_arc(expanded(data.path)), path, progress=progress)
    elif isinstance(data, MazeData):
        low, high = data.steps or (None, None)
        mazes = MazePlan(
            size=data.size, train=data.train, test=data.test, augment=data.augment,
            steps=(low, high), walls=data.walls, unique=data.unique, seed=seed,
        )  # fmt: skip
        make_maze(mazes, path, progress=progress)
    else:
        least, *most = data.guesses
        sudokus = SudokuPlan(
            size=data.size, train=data.train, test=data.test, augment=data.augment,
            clues=None if data.clues is None else (data.clues[0], data.clues[1]),
            guesses=(least, most[0] if most else None), held_out=data.held_out, seed=seed,
        )  # fmt: skip
        make_sudoku(sudokus, path, progress=progress)


def held_out(
    split: PuzzleSplit, *, validation: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The groups of the test split that choose among weights, and those that are left to test on.

    They share nothing. A split with few groups gives half of them to each, and one with a single
    group gives it to both, which no figure can mend.
    """
    order = generator(seed, "validation").permutation(split.n_groups)
    if split.n_groups < 2:
        return order, order
    n = min(validation, split.n_groups // 2)
    return np.sort(order[:n]), np.sort(order[n:])


def examples_of(split: PuzzleSplit, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The examples of the first puzzle of each group: the puzzle as it was made."""
    puzzles = np.asarray(split.group_indices)[groups]
    first, beyond = (np.asarray(split.puzzle_indices)[puzzles + k] for k in (0, 1))
    return np.concatenate([np.arange(a, b) for a, b in zip(first, beyond, strict=True)])


def digest_of(puzzles: PuzzleSet) -> str:
    """By which a set is known again, wherever it lies: its format, its indices, and some thousand
    examples all over it."""
    digest = hashlib.blake2b(repr(puzzles.format).encode(), digest_size=16)
    for split in (puzzles.train, puzzles.test):
        for indices in (split.puzzle_identifiers, split.puzzle_indices, split.group_indices):
            digest.update(np.ascontiguousarray(indices, np.int64).data)
        rows = np.unique(np.linspace(0, len(split) - 1, _LOOKED_AT).astype(np.int64))
        for tokens in (split.inputs, split.labels):
            digest.update(np.ascontiguousarray(tokens[rows], np.int64).data)
    return digest.hexdigest()


def _tasks_content(path: Path) -> str:
    """Of ARC tasks, the same for a folder and its archive."""
    digest = hashlib.blake2b(digest_size=16)
    for subset, tasks in sorted(read_arc(path).items()):
        said = {name: tasks[name].to_json() for name in sorted(tasks)}
        digest.update(json.dumps({subset: said}).encode())
    return digest.hexdigest()


def _code_hash() -> str:
    """Of the sources that turn a config into puzzles: a changed maker means new puzzles."""
    digest = hashlib.sha256()
    for file in sorted(Path(sims.puzzles.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
