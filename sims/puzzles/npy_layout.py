"""Read a puzzle set in the public layout, ours or another's, mapped rather than loaded.

Every array is checked before it is trusted: its shape, that indices ascend and end where they
must, and (unless told not to) that each token is in the vocabulary. A set that does not say its
kind gets the one that its length and vocabulary have in the public data sets.
"""

from __future__ import annotations

import json
import os
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from neuro.errors import StoreError
from neuro.files.npy import map_npy
from neuro.files.regular import read_text
from sims.puzzles.npy_writer import FORMAT, SPLITS, SUMMED, digest_of
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet, PuzzleSplit, Tokens
from sims.puzzles.sudoku_grid import BOXES

__all__ = ["read_puzzles"]

_KEYS = ("pad_id", "ignore_label_id", "blank_identifier_id", "vocab_size", "seq_len",
         "num_puzzle_identifiers")  # fmt: skip
_KINDS = ("sudoku", "maze", "arc")
_CHUNK = 1 << 24  # tokens looked at together
_JSON_BYTES = 1 << 28  # more is no description of a puzzle set


def read_puzzles(path: str | os.PathLike[str], *, check_tokens: bool = True) -> PuzzleSet:
    """The puzzle set of a folder; inputs and labels stay on the disk until they are drawn.

    Args:
        check_tokens: Look at every token once; leave it out only for a set that was read before.

    Raises:
        StoreError: if it is no puzzle set, a file is damaged, or its arrays do not fit together;
            the text names the file.
    """
    folder = Path(path)
    if not (folder / "train" / "dataset.json").is_file():
        raise StoreError(
            f"`{folder}` must be a puzzle set, a folder with train/dataset.json, found none; "
            "make one with `ember puzzles make`"
        )
    about = [_metadata(folder / split / "dataset.json") for split in SPLITS]
    for key in _KEYS:
        if about[0][key] != about[1][key]:
            raise StoreError(
                f"`{folder}`: both splits must have the same {key}, found {about[0][key]} in "
                f"train and {about[1][key]} in test"
            )
    ours = _ours(folder / "ember.json")
    if check_tokens:
        _check_sums(folder, ours.get("sums", {}))
    format = _format(folder, about[0], ours)
    train, test = (
        _split(folder / split, said, format, check_tokens)
        for split, said in zip(SPLITS, about, strict=True)
    )
    names = _identifiers(folder / "identifiers.json", format)
    return PuzzleSet(format, train, test, names, ours.get("about", {}))


def _metadata(path: Path) -> dict[str, Any]:
    said = _json(path)
    if not isinstance(said, dict):
        raise StoreError(f"`{path}` must hold an object, found {type(said).__name__}")
    for key in _KEYS:
        value = said.get(key)
        fine = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
        if not fine and not (key == "ignore_label_id" and value is None and key in said):
            found = repr(value) if key in said else "none"
            raise StoreError(f"`{path}`: `{key}` must be a whole number, found {found}")
    sets = said.get("sets", ["all"])
    if not isinstance(sets, list) or len(sets) != 1 or not isinstance(sets[0], str):
        raise StoreError(f"`{path}`: `sets` must name one subset, found {sets!r}")
    name = sets[0]
    if not name or {"/", "\\", "\0"} & set(name) or name.startswith("."):
        raise StoreError(f"`{path}`: a subset must be a plain name, found {name!r}")
    return {**said, "name": name}


def _ours(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    said = _json(path)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        found = said.get("format") if isinstance(said, dict) else type(said).__name__
        raise StoreError(f"`{path}` must be of format {FORMAT}, found {found}; make the set anew")
    if not isinstance(said.get("about", {}), dict):
        raise StoreError(f"`{path}`: `about` must be an object, found {said['about']!r:.40}")
    return said


def _check_sums(folder: Path, sums: Any) -> None:
    """Sets that Ember made hold a digest of each file; those of others do not."""
    if not isinstance(sums, dict) or not set(sums) <= set(SUMMED):
        raise StoreError(f"`{folder / 'ember.json'}`: `sums` must name files of the set")
    for name, said in sums.items():
        if digest_of(folder / name) != said:
            raise StoreError(
                f"`{folder / name}` does not fit its checksum in ember.json, so it was damaged or "
                "changed; make the set anew"
            )


def _format(folder: Path, said: dict[str, Any], ours: dict[str, Any]) -> PuzzleFormat:
    length, kind = said["seq_len"], ours.get("kind", _guess(said["seq_len"], said["vocab_size"]))
    rows, columns = ours.get("rows", isqrt(length)), ours.get("columns", isqrt(length))
    if "rows" not in ours and rows * columns != length:  # not said, and no square
        rows, columns = 1, length
    whole = all(isinstance(n, int) and n > 0 for n in (rows, columns))
    if not whole or rows * columns != length:
        raise StoreError(
            f"`{folder}`: a board must have seq_len = {length} cells, found {rows} x {columns}"
        )
    guessed = BOXES.get(rows) if kind == "sudoku" else None
    return PuzzleFormat(
        kind=kind if kind in _KINDS else "other",
        rows=rows,
        columns=columns,
        vocabulary=said["vocab_size"],
        pad_id=said["pad_id"],
        ignore_label_id=said["ignore_label_id"],
        blank_identifier_id=said["blank_identifier_id"],
        n_identifiers=said["num_puzzle_identifiers"],
        box=_box(folder, ours.get("box", guessed), rows, columns),
    )


def _box(folder: Path, said: Any, rows: int, columns: int) -> tuple[int, int] | None:
    if said is None:
        return None
    fine = isinstance(said, list | tuple) and len(said) == 2
    if not fine or not all(isinstance(n, int) and n > 0 for n in said):
        raise StoreError(f"`{folder}`: a box must be its rows and columns, found {said!r}")
    if rows % said[0] or columns % said[1]:
        raise StoreError(
            f"`{folder}`: boxes must fill a board of {rows} x {columns}, found {said[0]} x "
            f"{said[1]}"
        )
    return said[0], said[1]


def _guess(length: int, vocabulary: int) -> str:
    """What a set of another maker holds, by the numbers that the public builders give each kind."""
    side = isqrt(length)
    if (side, vocabulary) == (30, 12):
        return "arc"
    if side in BOXES and vocabulary == side + 2:
        return "sudoku"
    return "maze" if vocabulary == 6 else "other"


def _split(
    folder: Path, said: dict[str, Any], format: PuzzleFormat, check_tokens: bool
) -> PuzzleSplit:
    def file(field: str) -> Path:
        return folder / f"{said['name']}__{field}.npy"

    inputs, labels = (_array(file(field), 2) for field in ("inputs", "labels"))
    for field, values in (("inputs", inputs), ("labels", labels)):
        if values.shape[1] != format.length:
            raise StoreError(
                f"`{file(field)}` must have rows of seq_len = {format.length} tokens, found "
                f"{values.shape[1]}"
            )
    if len(inputs) != len(labels):
        raise StoreError(
            f"`{folder}` must have a label row for each input row, found {len(labels)} for "
            f"{len(inputs)}"
        )
    identifiers, puzzles, groups = (
        np.array(_array(file(field), 1))
        for field in ("puzzle_identifiers", "puzzle_indices", "group_indices")
    )
    _check_indices(file("puzzle_indices"), puzzles, len(inputs), "examples")
    _check_indices(file("group_indices"), groups, len(puzzles) - 1, "puzzles")
    if len(identifiers) != len(puzzles) - 1:
        raise StoreError(
            f"`{file('puzzle_identifiers')}` must have one entry for each of {len(puzzles) - 1} "
            f"puzzles, found {len(identifiers)}"
        )
    _check_values(file("puzzle_identifiers"), identifiers, format.n_identifiers,
                  "num_puzzle_identifiers")  # fmt: skip
    if check_tokens:
        for field, values in (("inputs", inputs), ("labels", labels)):
            _check_values(file(field), values, format.vocabulary, "vocab_size")
    grades = np.array(_array(file("grades"), 1)) if file("grades").is_file() else None
    if grades is not None and len(grades) != len(groups) - 1:
        raise StoreError(
            f"`{file('grades')}` must have one entry for each of {len(groups) - 1} groups, found "
            f"{len(grades)}"
        )
    return PuzzleSplit(inputs, labels, identifiers, puzzles, groups, grades)


def _array(path: Path, ndim: int) -> Tokens:
    """An array of whole numbers, mapped."""
    if not path.exists():
        raise StoreError(f"`{path}` must be there, as the public layout has it; found none")
    values = map_npy(path)
    if not np.issubdtype(values.dtype, np.integer):
        raise StoreError(f"`{path}` must hold whole numbers, found {values.dtype}")
    if values.ndim != ndim:
        raise StoreError(f"`{path}` must have {ndim} axes, found shape {values.shape}")
    return values


def _check_indices(path: Path, indices: Tokens, n: int, of: str) -> None:
    """They begin at 0, ascend strictly, and end at how many there are."""
    if not len(indices) or indices[0] != 0 or indices[-1] != n:
        found = f"{indices[0]} to {indices[-1]}" if len(indices) else "nothing"
        raise StoreError(f"`{path}` must go from 0 to {n}, the number of {of}, found {found}")
    wrong = np.flatnonzero(np.diff(indices.astype(np.int64)) <= 0)
    if wrong.size:
        at = int(wrong[0])
        raise StoreError(
            f"`{path}` must ascend, found {indices[at]} and then {indices[at + 1]} at {at + 1}"
        )


def _check_values(path: Path, values: Tokens, beyond: int, key: str) -> None:
    rows = max(1, _CHUNK // max(1, values[:1].size))
    for first in range(0, len(values), rows):
        part = values[first : first + rows]
        low, high = int(part.min()), int(part.max())
        if low < 0 or high >= beyond:
            wrong = low if low < 0 else high
            row = first + int(np.argwhere((part < 0) | (part >= beyond))[0][0])
            raise StoreError(
                f"`{path}` must hold 0 to {key} - 1 = {beyond - 1}, found {wrong} (row {row} is "
                "the first that is out of range)"
            )


def _identifiers(path: Path, format: PuzzleFormat) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    names = _json(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StoreError(f"`{path}` must be a list of names")
    if len(names) != format.n_identifiers:
        raise StoreError(
            f"`{path}` must have num_puzzle_identifiers = {format.n_identifiers} names, found "
            f"{len(names)}"
        )
    return tuple(names)


def _json(path: Path) -> Any:
    try:
        return json.loads(read_text(path, _JSON_BYTES))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"cannot read `{path}` as JSON: {reason}") from None
