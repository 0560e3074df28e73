"""A running average of a model, which answers better than its latest weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from neuro.errors import ConfigError

__all__ = ["EMA"]

M = TypeVar("M", bound=nn.Module)


class EMA(Generic[M]):
    """Exponential moving average of a module's whole state, buffers included.

        average <- decay * average + (1 - decay) * value

    Floating-point parameters and buffers are averaged; integer buffers (counters) are copied.
    The early average is not held back by the random start: the decay at update k is
    `min(decay, (1 + k) / (10 + k))`, as in TensorFlow's ExponentialMovingAverage.

    Attributes:
        model: A copy of the module that holds the average; use it for evaluation.
        updates: How often it was updated.
    """

    def __init__(self, model: M, *, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"an average's decay must lie in 0..1 (1 excluded), found {decay}")
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, model: M) -> None:
        """Move the average toward the state of `model`, which it was made from."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        average = self.model.state_dict()
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)
        self.updates += 1

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged tensors by name; `updates` must be kept beside them."""
        return dict(self.model.state_dict())

    def load_state_dict(self, state: Mapping[str, Tensor], *, updates: int) -> None:
        """Continue from a saved average."""
        self.model.load_state_dict(state)
        self.updates = updates
