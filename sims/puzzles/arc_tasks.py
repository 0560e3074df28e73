"""ARC-AGI tasks from their public JSON: a folder, or the archive it was packed in.

Each file is one task: `{"train": [{"input": grid, "output": grid}, …], "test": […]}`, a grid being
rows of colours 0 to 9, at most 30 by 30 (Chollet 2019, arXiv 1911.01547).
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.files.regular import read_bytes
from sims.store.atomic import naming

__all__ = ["MAX_SIDE", "SUBSETS", "ArcTask", "Pair", "read_arc", "shared_tasks"]

Pair: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]

MAX_SIDE = 30
SUBSETS = ("training", "evaluation")
_MAX_BYTES = 1 << 22  # of one task; the largest public one has 69 kB


@dataclass(frozen=True, eq=False)
class ArcTask:
    """One task: pairs that show what is to be done, and pairs to do it on."""

    name: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]

    def to_json(self) -> dict[str, Any]:
        """As in its public file."""
        return {
            kind: [{"input": i.tolist(), "output": o.tolist()} for i, o in pairs]
            for kind, pairs in (("train", self.train), ("test", self.test))
        }


def read_arc(path: str | os.PathLike[str]) -> dict[str, dict[str, ArcTask]]:
    """The tasks of ARC-AGI-1 or of ARC-AGI-2, `{"training": {name: task}, "evaluation": …}`.

    Args:
        path: The folder that holds `training` and `evaluation`, one above it that holds them in
            `data`, or a `.tar.gz` of either. Nothing is unpacked.

    Raises:
        StoreError: if there is no such folder, or a file in it is no ARC task; the text names it.
    """
    where = Path(path)
    tasks: dict[str, dict[str, ArcTask]] = {subset: {} for subset in SUBSETS}
    homes: dict[str, str] = {}
    with naming(path):
        for subset, name, text in _archived(where) if where.is_file() else _in_folder(where):
            place = f"{path}: {subset}/{name}.json"
            if name in homes:
                raise StoreError(f"`{place}` must be one task, found it in {homes[name]} too")
            homes[name] = subset
            tasks[subset][name] = _task(name, text, place)
    for subset in SUBSETS:
        if not tasks[subset]:
            raise StoreError(
                f"`{path}` must hold ARC tasks in `training` and `evaluation`, found none in "
                f"`{subset}`; give the folder `data` of a copy of ARC-AGI-1 or ARC-AGI-2"
            )
    return tasks


def shared_tasks(a: Mapping[str, ArcTask], b: Mapping[str, ArcTask]) -> set[str]:
    """Names of tasks of `a` of which a test pair occurs in `b`, under whatever name.

    ARC-AGI-2 took over most of ARC-AGI-1: who trains on one must not be tested on the other.
    """
    known = {_digest(pair) for task in b.values() for pair in (*task.train, *task.test)}
    return {name for name, task in a.items() if any(_digest(pair) in known for pair in task.test)}


def _digest(pair: Pair) -> bytes:
    text = json.dumps([grid.tolist() for grid in pair]).encode()
    return hashlib.blake2b(text, digest_size=16).digest()


def _in_folder(where: Path) -> Iterator[tuple[str, str, bytes]]:
    home = where / "data" if (where / "data").is_dir() else where
    for subset in SUBSETS:
        for file in sorted((home / subset).glob("*.json")):
            if file.stat().st_size > _MAX_BYTES:
                raise StoreError(f"`{file}` must be an ARC task, found a file of > 4 MiB")
            yield subset, file.stem, read_bytes(file, _MAX_BYTES)


def _archived(where: Path) -> Iterator[tuple[str, str, bytes]]:
    try:
        with tarfile.open(where, "r:gz") as archive:
            found = []
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.suffix != ".json" or name.parent.name not in SUBSETS:
                    continue
                file = archive.extractfile(member)
                if file is None or member.size > _MAX_BYTES:
                    raise StoreError(f"`{where}: {name}` must be an ARC task of at most 4 MiB")
                found.append((name.parent.name, name.stem, file.read()))
    except StoreError:
        raise
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise StoreError(f"cannot read `{where}` as a .tar.gz: {error}") from None
    yield from sorted(found, key=lambda task: (SUBSETS.index(task[0]), task[1]))


def _task(name: str, text: bytes, place: str) -> ArcTask:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"cannot read `{place}` as JSON: {error}") from None
    if not isinstance(said, dict):
        raise StoreError(f"`{place}` must hold `train` and `test`, found {type(said).__name__}")
    parts = []
    for kind in ("train", "test"):
        pairs = said.get(kind)
        if not isinstance(pairs, list) or not pairs:
            raise StoreError(f"`{place}`: `{kind}` must be a list of pairs, found none")
        parts.append(tuple(_pair(pair, f"{place}: {kind} {n}") for n, pair in enumerate(pairs)))
    return ArcTask(name, parts[0], parts[1])


def _pair(said: Any, place: str) -> Pair:
    if not isinstance(said, dict) or not {"input", "output"} <= said.keys():
        raise StoreError(f"`{place}` must have an input and an output; both are needed to score")
    return _grid(said["input"], place), _grid(said["output"], place)


def _grid(rows: Any, place: str) -> NDArray[np.uint8]:
    fine = isinstance(rows, list) and 1 <= len(rows) <= MAX_SIDE
    fine = fine and all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows)
    if not fine or not 1 <= len(rows[0]) <= MAX_SIDE:
        raise StoreError(f"`{place}`: a grid must be 1 to 30 rows of 1 to 30 colours, all as long")
    for colour in (colour for row in rows for colour in row):
        if not isinstance(colour, int) or isinstance(colour, bool) or not 0 <= colour <= 9:
            raise StoreError(f"`{place}`: a colour must be 0 to 9, found {str(colour)[:20]!r}")
    return np.array(rows, np.uint8)
