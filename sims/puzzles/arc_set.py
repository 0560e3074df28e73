"""An ARC set as the public builder makes it: demonstrations to train on, test pairs held out.

A task of the training subset gives all its pairs to train on. A task of the evaluation subset
gives its demonstrations to train on, and its test pairs, which nobody trains on, to test on; both
under the same puzzle identifiers. Unlike there, a pair of the training subset, or a demonstration
of an evaluation task, that is also a test pair of another evaluation task, turned or recoloured or
not, is left out: ARC-AGI-1 has two, in its training subset. Every task is a group of up to
`1 + augment` puzzles that differ; in training each example but one of a puzzle lies anywhere on the
board, in testing all lie in the corner.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro.wiring import generator
from sims.puzzles._arc_kernels import SIDE, draw_places, pack
from sims.puzzles._draws import stream_key
from sims.puzzles.arc_augment import (
    Augmentation,
    augmentations,
    canonical_pair,
    task_number,
)
from sims.puzzles.arc_tasks import SUBSETS, ArcTask, Pair
from sims.puzzles.division import Progress
from sims.puzzles.npy_writer import SplitWriter, writing_puzzles
from sims.puzzles.puzzle_set import PuzzleError, PuzzleFormat

__all__ = ["ArcPlan", "make_arc", "views"]

_TRIES = 5  # augmentations drawn for each one wanted, as in the public builder
_FORMAT = {"kind": "arc", "rows": SIDE, "columns": SIDE, "vocabulary": 12}


@dataclass(frozen=True)
class ArcPlan:
    """What is wanted.

    Attributes:
        augment: Augmentations of each task, besides itself; fewer where it has no more that
            differ.
        tasks: How many tasks of each subset, drawn by the seed; None: all.
        seed: Of everything.

    Raises:
        PuzzleError: if a number is out of range.
    """

    augment: int = 1000
    tasks: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("augment", 0), ("tasks", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise PuzzleError(f"`{name}` must be at least {least}, found {value}")


def make_arc(
    plan: ArcPlan,
    tasks: Mapping[str, Mapping[str, ArcTask]],
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    progress: Progress = lambda done, of: None,
) -> Path:
    """Make a set of the tasks that `read_arc` read and write it, whole or not at all.

    Raises:
        PuzzleError: if fewer tasks are there than asked for.
        StoreError: if it cannot be written.
    """
    chosen = [
        (subset, task)
        for subset in SUBSETS
        for task in _chosen(plan, subset, list(tasks[subset].values()))
    ]
    tested: dict[bytes, set[str]] = {}
    for subset, task in chosen:
        for pair in task.test if subset == "evaluation" else ():
            tested.setdefault(canonical_pair(pair), set()).add(task.name)
    names, left_out = ["<blank>"], []
    with writing_puzzles(path, force=force) as writer:
        for done, (subset, task) in enumerate(chosen):
            progress(done, len(chosen))
            symmetries, colours = views(task, plan.augment, seed=plan.seed)
            numbers = range(len(names), len(names) + symmetries.size)
            names += [
                Augmentation(int(s), tuple(map(int, c))).name(task.name) if k else task.name
                for k, (s, c) in enumerate(zip(symmetries, colours, strict=True))
            ]
            # What a task itself shows of its test pairs, all who solve it are shown.
            own = {task.name} if subset == "evaluation" else set()
            pairs = task.train if subset == "evaluation" else (*task.train, *task.test)
            taught = tuple(p for p in pairs if tested.get(canonical_pair(p), own) <= own)
            left_out += [task.name] * (len(pairs) - len(taught))
            if taught:
                places = _places(taught, task.name, symmetries, seed=plan.seed)
                _write(writer.train, taught, symmetries, colours, places, numbers)
            if subset == "evaluation":
                corner = np.zeros((2, symmetries.size, len(task.test)), np.int64)
                _write(writer.test, task.test, symmetries, colours, corner, numbers)
        progress(len(chosen), len(chosen))
        writer.finish(
            PuzzleFormat(**_FORMAT, n_identifiers=len(names)),  # type: ignore[arg-type]
            {"made": "arc", **asdict(plan), "left_out": left_out},
            identifiers=names,
            more={"test_puzzles.json": {
                task.name: task.to_json() for subset, task in chosen if subset == "evaluation"
            }},
        )  # fmt: skip
    return Path(path)


def views(task: ArcTask, n: int, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Symmetries and colours of a task and of up to `n` augmentations of it, no two alike.

    Two are alike if they make the same grids, as all turns of a symmetric task do.
    """
    symmetries, colours = np.zeros(1, np.int64), np.arange(10)[None]
    kept = [0]
    if n:
        more = augmentations(task.name, _TRIES * n, seed=seed)
        symmetries = np.concatenate([symmetries, more[0]])
        colours = np.concatenate([colours, more[1]])
    seen: set[bytes] = set()
    for first in range(0, symmetries.size, n + 1):
        part = slice(first, min(first + n + 1, symmetries.size))
        for k, looks in enumerate(_looks(task, symmetries[part], colours[part]), start=first):
            if looks not in seen:
                seen.add(looks)
                kept += [k] if k else []
        if len(kept) > n:
            break
    best = kept[: n + 1]
    return symmetries[best], colours[best]


def _looks(task: ArcTask, symmetries: NDArray[np.int64], colours: NDArray[np.int64]) -> list[bytes]:
    """A digest of all grids of a task after each augmentation."""
    pairs = (*task.train, *task.test)
    corner = np.zeros((2, symmetries.size, len(pairs)), np.int64)
    boards = np.concatenate(_packed(pairs, symmetries, colours, corner), axis=1)
    return [hashlib.blake2b(board.tobytes(), digest_size=16).digest() for board in boards]


def _places(
    pairs: tuple[Pair, ...], name: str, symmetries: NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """Rows and columns, `(2, puzzles, examples)`, at which input and output both fit."""
    sides = np.array([np.maximum(i.shape, o.shape) for i, o in pairs])
    turned = np.isin(symmetries, (1, 3, 6, 7))
    heights, widths = (
        np.where(turned[:, None], sides[:, 1 - axis], sides[:, axis]) for axis in (0, 1)
    )
    places = np.empty((2, symmetries.size, len(pairs)), np.int64)
    number = np.uint64(task_number(name))
    draw_places(stream_key(seed, "arc place"), number, 0, heights, widths, places[0], places[1])
    return places


def _packed(
    pairs: tuple[Pair, ...],
    symmetries: NDArray[np.int64],
    colours: NDArray[np.int64],
    places: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Inputs and outputs, `(puzzles, examples, 900)` each."""
    shape = (len(pairs), symmetries.size, SIDE * SIDE)
    inputs, outputs = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for e, pair in enumerate(pairs):
        rows, columns = (np.ascontiguousarray(place[:, e]) for place in places)
        for grid, out in zip(pair, (inputs[e], outputs[e]), strict=True):
            pack(grid, symmetries, colours, rows, columns, out)
    return inputs.swapaxes(0, 1), outputs.swapaxes(0, 1)


def _write(
    to: SplitWriter,
    pairs: tuple[Pair, ...],
    symmetries: NDArray[np.int64],
    colours: NDArray[np.int64],
    places: NDArray[np.int64],
    numbers: range,
) -> None:
    inputs, outputs = _packed(pairs, symmetries, colours, places)
    to.group(
        inputs.reshape(-1, SIDE * SIDE),
        outputs.reshape(-1, SIDE * SIDE),
        identifiers=list(numbers),
        sizes=[len(pairs)] * symmetries.size,
    )


def _chosen(plan: ArcPlan, subset: str, tasks: list[ArcTask]) -> list[ArcTask]:
    if plan.tasks is None:
        return tasks
    if plan.tasks > len(tasks):
        raise PuzzleError(
            f"there must be {plan.tasks} tasks in `{subset}`, found {len(tasks)}; ask for fewer"
        )
    order = generator(plan.seed, "arc tasks", subset).permutation(len(tasks))
    return [tasks[k] for k in sorted(order[: plan.tasks])]
