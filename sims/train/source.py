"""Where a trainer's items come from: in which order, and as which tensors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bridges.reasoning.carry import Batch
from neuro.wiring import generator
from sims.puzzles.epochs import EpochSampler, collate
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet, PuzzleSplit
from sims.train.sampler import Sampler

__all__ = ["PuzzleSource", "Source", "SpikeSource", "as_batch", "puzzle_source"]


class Source(Protocol):
    """Items to train on, known by their numbers."""

    @property
    def n(self) -> int:
        """How many there are."""

    @property
    def position(self) -> list[int]:
        """How far the drawing is: all that is needed to go on, JSON-ready."""

    @position.setter
    def position(self, position: list[int]) -> None: ...

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The numbers of the next items."""

    def batch(self, items: NDArray[np.int64], step: int) -> Batch:
        """Those items as they are seen at a step; a function of both, whatever came before."""


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


class SpikeSource:
    """Scaled tokens of spikes, each item once an epoch, with one answer an item.

    Args:
        inputs: `(items, token, feature)` float32.
        labels: `(items,)` int64.
        noise: Standard deviation of noise on every input, another at each step.
    """

    def __init__(
        self, inputs: torch.Tensor, labels: torch.Tensor, *, seed: int, noise: float = 0.0
    ) -> None:
        self.inputs, self.labels, self.noise = inputs, labels, noise
        self.sampler = Sampler(inputs.shape[0], seed=seed)

    @property
    def n(self) -> int:
        """Items."""
        return self.sampler.n

    @property
    def position(self) -> list[int]:
        """Items that were drawn."""
        return [self.sampler.drawn]

    @position.setter
    def position(self, position: list[int]) -> None:
        (self.sampler.drawn,) = position

    def draw(self, how_many: int) -> NDArray[np.int64]:
        """The next items, over the end of an epoch if need be."""
        return self.sampler.draw(how_many)

    def batch(self, items: NDArray[np.int64], step: int) -> Batch:
        """Those items, with the noise that each has at this step."""
        chosen = torch.from_numpy(items)
        sensory = self.inputs[chosen]
        if self.noise:
            sensory = sensory + self.noise * torch.from_numpy(np.stack([
                generator(self.sampler.seed, "noise", step, int(item)).standard_normal(
                    sensory.shape[1:], dtype=np.float32
                )
                for item in items
            ]))  # fmt: skip
        return Batch(labels=self.labels[chosen].unsqueeze(1), sensory=sensory)
