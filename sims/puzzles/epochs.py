"""In which order puzzles are met: every epoch one puzzle of each group, known by its number alone.

As in the public trainers, a group counts once an epoch however many augmentations it has: one
puzzle of it is drawn, and all of that puzzle's examples follow each other in a random order.
Unlike there, a puzzle that a batch has no room for goes on in the next batch, and the last batch
of an epoch is not dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.wiring import generator
from sims.puzzles.puzzle_set import IGNORED, PuzzleError, PuzzleFormat, PuzzleSplit, Tokens

__all__ = ["Batch", "EpochSampler", "collate", "epoch_batches", "epoch_order", "in_order"]


class Batch(NamedTuple):
    """Examples together.

    Attributes:
        inputs: `(n, length)` int32 tokens.
        labels: `(n, length)` int32 tokens; `IGNORED` where nothing is marked.
        puzzles: `(n,)` int32 puzzle identifiers.
    """

    inputs: NDArray[np.int32]
    labels: NDArray[np.int32]
    puzzles: NDArray[np.int32]


def epoch_order(split: PuzzleSplit, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The examples of an epoch in order: a function of the seed and the epoch's number."""
    rng = generator(seed, "puzzles", epoch)
    groups = rng.permutation(split.n_groups)
    first = np.asarray(split.group_indices[:-1], np.int64)[groups]
    beyond = np.asarray(split.group_indices[1:], np.int64)[groups]
    puzzles = rng.integers(first, beyond)
    begin = np.asarray(split.puzzle_indices[:-1], np.int64)[puzzles]
    size = np.asarray(split.puzzle_indices[1:], np.int64)[puzzles] - begin
    place = np.repeat(np.arange(size.size), size)
    within = np.arange(place.size) - np.repeat(np.cumsum(size) - size, size)
    if size.size and size.max() > 1:  # shuffled within their puzzles: sorted by place, then key
        order = np.lexsort((rng.random(place.size), place))
        within = within[order]
    return np.repeat(begin, size) + within


class EpochSampler:
    """Draws examples without end; how many were drawn in which epoch is the whole state.

    Args:
        split: Where from.
        seed: Of the order.
        epoch, position: Where to go on: `position` examples of `epoch` were drawn.
    """

    def __init__(self, split: PuzzleSplit, *, seed: int, epoch: int = 0, position: int = 0) -> None:
        if not split.n_groups:
            raise PuzzleError("a split must have a puzzle to draw, found none")
        self.split, self.seed, self.epoch, self.position = split, seed, epoch, position
        self._order = epoch_order(split, seed=seed, epoch=epoch)

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The next `how_many` examples, over the end of an epoch if need be."""
        parts: list[NDArray[np.int64]] = []
        wanted = how_many
        while wanted:
            part = self._order[self.position : self.position + wanted]
            parts.append(part)
            self.position += part.size
            wanted -= part.size
            if self.position == self._order.size:
                self.epoch, self.position = self.epoch + 1, 0
                self._order = epoch_order(self.split, seed=self.seed, epoch=self.epoch)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def collate(split: PuzzleSplit, format: PuzzleFormat, examples: Tokens) -> Batch:
    """Those examples as a batch; a memory-mapped split is read here, row by row."""
    labels = split.labels[examples].astype(np.int32)
    if format.ignore_label_id is not None:
        labels[labels == format.ignore_label_id] = IGNORED
    return Batch(
        split.inputs[examples].astype(np.int32),
        labels,
        split.puzzle_identifiers[split.puzzle_of(examples)].astype(np.int32),
    )


def epoch_batches(
    split: PuzzleSplit, format: PuzzleFormat, batch: int, *, seed: int, epoch: int
) -> Iterator[Batch]:
    """The batches of one epoch; the last one may be smaller.

    Raises:
        PuzzleError: if `batch` is not positive.
    """
    order = epoch_order(split, seed=seed, epoch=epoch)
    for first in _starts(order.size, batch):
        yield collate(split, format, order[first : first + batch])


def in_order(split: PuzzleSplit, format: PuzzleFormat, batch: int) -> Iterator[Batch]:
    """Every example once, as they lie, to be tested on; the last batch may be smaller.

    Raises:
        PuzzleError: if `batch` is not positive.
    """
    for first in _starts(len(split), batch):
        yield collate(split, format, np.arange(first, min(first + batch, len(split))))


def _starts(n: int, batch: int) -> range:
    if batch < 1:
        raise PuzzleError(f"a batch must have at least 1 example, found {batch}")
    return range(0, n, batch)
