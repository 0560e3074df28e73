"""The puzzles of a set, epoch by epoch, as the tensors of a reasoner."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bridges.reasoning.carry import Batch
from sims.puzzles.epochs import EpochSampler, collate
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet, PuzzleSplit

__all__ = ["PuzzleSource", "as_batch", "puzzle_source"]


class PuzzleSource:
    """The training split of a puzzle set, epoch by epoch; see `sims.puzzles.epochs`.

    Args:
        puzzle_vectors: Whether batches name their puzzles.
    """

    def __init__(
        self, split: PuzzleSplit, format: PuzzleFormat, *, seed: int, puzzle_vectors: bool = False
    ) -> None:
        self.split, self.format, self.puzzle_vectors = split, format, puzzle_vectors
        self.sampler = EpochSampler(split, seed=seed)

    @property
    def n(self) -> int:
        """Examples of all puzzles."""
        return len(self.split)

    @property
    def position(self) -> list[int]:
        """Epoch, and examples of it that were drawn."""
        return [self.sampler.epoch, self.sampler.position]

    @position.setter
    def position(self, position: list[int]) -> None:
        epoch, place = position
        self.sampler = EpochSampler(self.split, seed=self.sampler.seed, epoch=epoch, position=place)

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The next examples, over the end of an epoch if need be."""
        return self.sampler.draw(how_many)

    def batch(self, items: NDArray[np.int64], step: int) -> Batch:
        """The examples of those numbers."""
        return as_batch(self.split, self.format, items, puzzle_vectors=self.puzzle_vectors)


def as_batch(
    split: PuzzleSplit,
    format: PuzzleFormat,
    items: NDArray[np.int64],
    *,
    puzzle_vectors: bool = False,
) -> Batch:
    """Examples of a split as the tensors of a reasoner."""
    found = collate(split, format, items)
    return Batch(
        labels=torch.from_numpy(found.labels).long(),
        tokens=torch.from_numpy(found.inputs).long(),
        puzzle=torch.from_numpy(found.puzzles).long() if puzzle_vectors else None,
    )


def puzzle_source(puzzles: PuzzleSet, *, seed: int, puzzle_vectors: bool) -> PuzzleSource:
    """What a puzzle set is trained from."""
    return PuzzleSource(puzzles.train, puzzles.format, seed=seed, puzzle_vectors=puzzle_vectors)
