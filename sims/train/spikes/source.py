"""Items of a spike data set, in an order of their own every epoch, with noise if asked for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bridges.reasoning.carry import Batch
from neuro.wiring import generator
from sims.train.spikes.sampler import Sampler

__all__ = ["SpikeSource"]


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
