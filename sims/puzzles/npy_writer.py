"""Write a puzzle set in the public layout, group by group, whole or not at all.

    DIR/{train,test}/all__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy
    DIR/{train,test}/dataset.json       what the public trainers read, no key more
    DIR/{train,test}/all__grades.npy    ours, of groups
    DIR/identifiers.json                name of each puzzle identifier
    DIR/ember.json                      ours: kind, shape, how the set was made, and a digest of
                                        each other file

Arrays are written as they come, so a set may be larger than memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.files.regular import open_regular
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet, PuzzleSplit
from sims.store.atomic import atomic_folder, check_writable, write_json

__all__ = [
    "FORMAT", "NAME", "SPLITS", "SUMMED", "PuzzleWriter", "SplitWriter", "check_place", "digest_of",
    "write_puzzles", "writing_puzzles",
]  # fmt: skip

FORMAT = 1
"""Version of our own part; a reader refuses another one."""

SPLITS = ("train", "test")
NAME = "all"  # of the only subset, in the public builders too

SUMMED = (
    *(
        f"{split}/{NAME}__{field}.npy"
        for split in SPLITS
        for field in (
            "inputs", "labels", "puzzle_identifiers", "puzzle_indices", "group_indices", "grades",
        )
    ),
    *(f"{split}/dataset.json" for split in SPLITS),
    "identifiers.json",
)  # fmt: skip
"""Files of a set whose digests `ember.json` holds."""


class SplitWriter:
    """Appends groups to the files of one split."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        folder.mkdir()
        self.folder = folder
        self._inputs = files.enter_context(_GrowingNpy(folder / f"{NAME}__inputs.npy"))
        self._labels = files.enter_context(_GrowingNpy(folder / f"{NAME}__labels.npy"))
        self._identifiers: list[NDArray[np.int32]] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._puzzles: list[int] = []
        self._grades: list[int] = []

    def group(
        self,
        inputs: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        identifiers: Sequence[int] | NDArray[np.integer] | None = None,
        sizes: Sequence[int] | NDArray[np.integer] | None = None,
        grade: int | None = None,
    ) -> None:
        """Append a group; by default each example is a puzzle with the blank identifier, 0.

        Args:
            inputs, labels: `(n_examples, length)`, the examples of one puzzle after another.
            identifiers: Of each puzzle.
            sizes: Examples of each puzzle.
            grade: How hard it is; for all groups or for none.
        """
        each = np.ones(len(inputs), np.int64) if sizes is None else np.asarray(sizes, np.int64)
        self._inputs.append(inputs)
        self._labels.append(labels)
        self._sizes.append(each)
        self._puzzles.append(each.size)
        numbers = np.zeros(each.size) if identifiers is None else identifiers
        self._identifiers.append(np.asarray(numbers, np.int32))
        if grade is not None:
            self._grades.append(grade)

    def finish(self, format: PuzzleFormat) -> None:
        """Write the index arrays and what the public trainers want to know."""
        sizes = np.concatenate([*self._sizes, np.zeros(0, np.int64)])
        _save(self.folder, "puzzle_indices", _starts(sizes))
        _save(self.folder, "group_indices", _starts(self._puzzles))
        _save(
            self.folder,
            "puzzle_identifiers",
            np.concatenate([*self._identifiers, np.zeros(0, np.int32)]),
        )
        if self._grades:
            _save(self.folder, "grades", np.array(self._grades, np.int32))
        write_json(self.folder / "dataset.json", {
            "pad_id": format.pad_id,
            "ignore_label_id": format.ignore_label_id,
            "blank_identifier_id": format.blank_identifier_id,
            "vocab_size": format.vocabulary,
            "seq_len": format.length,
            "num_puzzle_identifiers": format.n_identifiers,
            "total_groups": len(self._puzzles),
            "mean_puzzle_examples": float(sizes.mean()) if sizes.size else 0.0,
            "total_puzzles": sizes.size,
            "sets": [NAME],
        })  # fmt: skip


class PuzzleWriter:
    """Two splits, and what is said about them."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder, self._files = folder, files
        self.train, self.test = (SplitWriter(folder / split, files) for split in SPLITS)

    def finish(
        self,
        format: PuzzleFormat,
        about: dict[str, Any],
        *,
        identifiers: Sequence[str] = ("<blank>",),
        more: dict[str, Any] | None = None,
    ) -> None:
        """Close the arrays and write everything else; `more` are further JSON files by name."""
        self._files.close()
        for split in (self.train, self.test):
            split.finish(format)
        write_json(self._folder / "identifiers.json", list(identifiers))
        for name, value in (more or {}).items():
            write_json(self._folder / name, value)
        write_json(self._folder / "ember.json", {
            "format": FORMAT, "kind": format.kind, "rows": format.rows,
            "columns": format.columns, "box": format.box, "about": about,
            "sums": {name: digest_of(self._folder / name) for name in SUMMED
                     if (self._folder / name).is_file()},
        })  # fmt: skip


def digest_of(path: Path) -> str:
    """A digest of a file's content, in hexadecimal.

    Raises:
        StoreError: if it is missing or no regular file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing_puzzles(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[PuzzleWriter]:
    """Give a writer; when the block ends well the set is at `path`, else nothing is.

    With `force` an older puzzle set is replaced, in one step; nothing else ever is.

    Raises:
        StoreError: if `path` is a full folder and no puzzle set that may be replaced, or cannot
            be written.
    """
    with atomic_folder(path, replace=_replaced(path, force)) as folder, ExitStack() as files:
        yield PuzzleWriter(folder, files)


def check_place(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuse early, before a long making, a folder that could not be written at its end.

    Raises:
        StoreError: as `writing_puzzles` would.
    """
    if not force and _replaced(path, force=True):
        raise StoreError(
            f"`{path}` already holds a puzzle set; replace it with `--force` or give another folder"
        )
    empty = Path(path).is_dir() and not any(Path(path).iterdir())
    check_writable(path, force=empty or _replaced(path, force), folder=True)


def write_puzzles(path: str | os.PathLike[str], puzzles: PuzzleSet, *, force: bool = False) -> Path:
    """Write a whole set, such as one that was read from another place.

    Raises:
        StoreError: if it cannot be written.
    """
    with writing_puzzles(path, force=force) as writer:
        for split, to in ((puzzles.train, writer.train), (puzzles.test, writer.test)):
            _copy(split, to)
        names = puzzles.identifiers or ("<blank>",)
        writer.finish(puzzles.format, dict(puzzles.about), identifiers=names)
    return Path(path)


def _replaced(path: str | os.PathLike[str], force: bool) -> bool:
    return force and (Path(path) / "train" / "dataset.json").is_file()


def _copy(split: PuzzleSplit, to: SplitWriter) -> None:
    starts = np.asarray(split.puzzle_indices)
    for g in range(split.n_groups):
        first, beyond = (int(split.group_indices[g + k]) for k in (0, 1))
        rows = slice(int(starts[first]), int(starts[beyond]))
        to.group(
            np.asarray(split.inputs[rows], np.uint8),
            np.asarray(split.labels[rows], np.uint8),
            identifiers=split.puzzle_identifiers[first:beyond],
            sizes=np.diff(starts[first : beyond + 1]),
            grade=None if split.grades is None else int(split.grades[g]),
        )


class _GrowingNpy:
    """A `.npy` file of uint8 rows whose number is known when it is closed.

    numpy leaves room in the header for the number to grow (`numpy.lib.format`), so that the
    header can be written again, no longer than before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows, self._length = 0, 0

    def __enter__(self) -> _GrowingNpy:
        self._file: BinaryIO = self._path.open("wb")
        self._header()
        return self

    def append(self, rows: NDArray[np.uint8]) -> None:
        fits = not self._rows or rows.shape[-1] == self._length
        if rows.dtype != np.uint8 or rows.ndim != 2 or not fits:
            raise ValueError(f"rows of {self._length} uint8 are needed, got {rows.shape}")
        self._rows, self._length = self._rows + len(rows), rows.shape[1]
        self._file.write(np.ascontiguousarray(rows).data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.seek(0)
            self._header()
        finally:
            self._file.close()

    def _header(self) -> None:
        shape = (self._rows, self._length)
        about = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, about)


def _save(folder: Path, name: str, values: NDArray[Any]) -> None:
    np.save(folder / f"{NAME}__{name}.npy", values.astype(np.int32), allow_pickle=False)


def _starts(sizes: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64))])
