"""The recursive reasoner beside the language model: what it makes of a sensation becomes tokens.

Each item has its own state (y, z), which goes on from look to look: a new sensation changes what
is thought about, not what was thought. The reasoner works on a fixed number of sensory tokens,
the latest; while there are fewer, the rest are silent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.reasoner import Reasoner
from neuro.errors import ConfigError

__all__ = ["Thinking"]


class Thinking:
    """Thinks about what the items of one batch sense, as `look` asks it to.

    Args:
        model: A reasoner over sensory embeddings alone. Its answer `slot`s are what the language
            model reads, as wide as its sense `answer` must be; without slots, every position.
        batch: Items.
        steps: Supervision steps a look. Gradient flows through the last one, as the settings of
            the reasoner say.

    Raises:
        ConfigError: if the reasoner has other inputs, or a number is below 1.
    """

    def __init__(self, model: Reasoner, batch: int, *, steps: int = 1) -> None:
        settings = model.settings
        if settings.length or settings.puzzle_ids or not settings.sensory:
            raise ConfigError(
                "a reasoner that thinks about sensations must take these and nothing else, found "
                f"{settings.length} tokens and {settings.puzzle_ids} puzzles; set both to 0"
            )
        if batch < 1 or steps < 1:
            raise ConfigError(
                f"thinking needs a batch and steps of 1 or more, found {batch} and {steps}"
            )
        self.model, self.steps = model, steps
        start = model.start(batch)
        self._y, self._z = start.y, start.z

    def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> list[Tensor]:
        """y of each of `items` after thinking on about all it has sensed so far.

        Raises:
            ConfigError: if a sensation is not of the reasoner's width.
        """
        model, rows = self.model, list(items)
        batch = self._batch(sensed)
        y, z = self._y[rows], None if self._z is None else self._z[rows]
        for _ in range(self.steps):
            y, z = model.recursion(model.inputs(batch), State(y.detach(), z))
            z = None if z is None else z.detach()
        self._y = self._y.index_copy(0, torch.tensor(rows, device=y.device), y.detach())
        if self._z is not None and z is not None:
            self._z = self._z.index_copy(0, torch.tensor(rows, device=z.device), z)
        slots = model.settings.slots
        return list(y[:, :slots] if slots else y)

    def _batch(self, sensed: Sequence[Tensor]) -> Batch:
        settings = self.model.settings
        like, length = self.model.head.weight, settings.sensory_length
        latest = []
        for tokens in sensed:
            if tokens.ndim != 2 or tokens.shape[1] != settings.sensory:
                raise ConfigError(
                    f"the reasoner thinks about tokens of (token, {settings.sensory}), found "
                    f"{tuple(tokens.shape)}"
                )
            part = tokens[-length:].to(device=like.device, dtype=like.dtype)
            latest.append(functional.pad(part, (0, 0, length - part.shape[0], 0)))
        labels = torch.zeros(len(latest), settings.answers, dtype=torch.int64, device=like.device)
        return Batch(labels, sensory=torch.stack(latest))
