"""The puzzles of a training: made on first use, and kept under a hash of their making."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import sims.puzzles
from neuro.errors import StoreError
from neuro.wiring import generator
from sims.config.puzzles import ArcData, FolderData, MazeData, SudokuData
from sims.puzzles.arc_set import ArcPlan, make_arc
from sims.puzzles.arc_tasks import read_arc
from sims.puzzles.division import Progress
from sims.puzzles.maze_set import MazePlan, make_maze
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import PuzzleSet, PuzzleSplit
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku

__all__ = ["PuzzleData", "examples_of", "held_out", "identity", "puzzle_folder", "puzzle_set"]

PuzzleData: TypeAlias = SudokuData | MazeData | ArcData | FolderData


def identity(data: PuzzleData, *, seed: int) -> dict[str, Any]:
    """All that decides the puzzles, JSON-ready: the config, the seed and our own code; of what is
    read, the content and not the path.

    Raises:
        StoreError: if what is to be read is not there.
    """
    said = data.model_dump(mode="json", exclude={"path"})
    if isinstance(data, FolderData):
        return {"data": said, "content": _content(Path(data.path).expanduser())}
    about = {"data": said, "seed": seed, "code": _code_hash()}
    if isinstance(data, ArcData):
        about["content"] = _tasks_content(Path(data.path).expanduser())
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
        path = Path(data.path).expanduser()
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
        make_arc(plan, read_arc(Path(data.path).expanduser()), path, progress=progress)
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


def _content(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "blake2b").digest())
    return digest.hexdigest()


def _tasks_content(path: Path) -> str:
    """Of ARC tasks, the same for a folder and its archive."""
    digest = hashlib.blake2b(digest_size=16)
    for subset, tasks in sorted(read_arc(path).items()):
        said = {name: tasks[name].to_json() for name in sorted(tasks)}
        digest.update(json.dumps({subset: said}).encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    for split in ("train", "test"):
        if not (path / split).is_dir():
            raise StoreError(f"`{path}` must be a puzzle set, found no folder `{split}` in it")
        yield from sorted(file for file in (path / split).iterdir() if file.is_file())


def _code_hash() -> str:
    """Of the sources that turn a config into puzzles: a changed maker means new puzzles."""
    digest = hashlib.sha256()
    for file in sorted(Path(sims.puzzles.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
