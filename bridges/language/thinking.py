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
from bridges.reasoning.modulation import Modulation, budgets, check_modulation
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.supervision import stirred
from neuro.errors import ConfigError, SignalError

__all__ = ["Thinking"]


class Thinking:
    """Thinks about what the items of one batch sense, as `look` asks it to.

    Args:
        model: A reasoner over sensory embeddings alone. Its answer `slot`s are what the language
            model reads, as wide as its sense `answer` must be; without slots, every position.
        batch: Items.
        steps: Supervision steps a look. Gradient flows through the last one, as the settings of
            the reasoner say.
        modulation: How each item's reasoning is coloured: `gain` is the factor on what was
            sensed, `noise` is added to the latent state before each step, `budget` scales
            `steps`, 1 at the least. `temperature` divides logits, and the language model reads y
            before there are any, so it changes nothing here.
        generator: On the CPU; where noise is drawn from.

    Raises:
        ConfigError: if the reasoner has other inputs, a number is below 1, the modulation is not
            of `(batch,)` numbers, or its noise has no generator.
    """

    def __init__(
        self,
        model: Reasoner,
        batch: int,
        *,
        steps: int = 1,
        modulation: Modulation | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
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
        if modulation is not None:
            check_modulation(modulation, batch, values=True)
            if modulation.noise is not None and generator is None:
                raise ConfigError("thinking under noise needs a `generator`, found none; pass one")
        device = model.head.weight.device
        self.model, self.steps, self.generator = model, steps, generator
        self.modulation = None if modulation is None else _on(modulation, device)
        start = model.start(batch)
        self._y, self._z = start.y, start.z

    def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> list[Tensor]:
        """y of each of `items` after thinking on about all it has sensed so far.

        An item whose modulation leaves it fewer steps than its neighbours keeps the y it then had.

        Raises:
            ConfigError: if a sensation is not of the reasoner's width.
            SignalError: if there is no such item.
        """
        model, rows = self.model, list(items)
        for item in rows:
            if not 0 <= item < self._y.shape[0]:
                raise SignalError(
                    f"an item must be 0 to {self._y.shape[0] - 1}, found {item}; think with the "
                    "batch that looks"
                )
        batch = self._batch(rows, torch.stack([self._latest(tokens) for tokens in sensed]))
        at = torch.tensor(rows, device=self._y.device)
        state = State(self._y[at], None if self._z is None else self._z[at])
        limit = budgets(self.steps, batch.modulation, at)
        for done in range(int(limit.max())):
            begin = State(state.y.detach(), None if state.z is None else state.z.detach())
            begin = stirred(begin, batch.modulation, self.generator)
            reached = model.thought(model.inputs(batch), begin)
            state = _where(done < limit, reached, state)
        self._y = self._y.index_copy(0, at, state.y.detach())
        if self._z is not None and state.z is not None:
            self._z = self._z.index_copy(0, at, state.z.detach())
        # y leaves in full precision, as it reaches the reasoner's own heads.
        y = state.y.to(model.head.weight.dtype)
        return list(y[:, : model.settings.slots] if model.settings.slots else y)

    def _latest(self, tokens: Tensor) -> Tensor:
        settings, like = self.model.settings, self.model.head.weight
        if tokens.ndim != 2 or tokens.shape[1] != settings.sensory:
            raise ConfigError(
                f"the reasoner thinks about tokens of (token, {settings.sensory}), found "
                f"{tuple(tokens.shape)}"
            )
        part = tokens[-settings.sensory_length :].to(device=like.device, dtype=like.dtype)
        return functional.pad(part, (0, 0, settings.sensory_length - part.shape[0], 0))

    def _batch(self, rows: Sequence[int], sensory: Tensor) -> Batch:
        size, answers = len(sensory), self.model.settings.answers
        labels = torch.zeros(size, answers, dtype=torch.int64, device=sensory.device)
        colour = self.modulation
        if colour is not None:
            colour = Modulation(*(None if part is None else part[list(rows)] for part in colour))
        return Batch(labels, sensory=sensory, modulation=colour)


def _on(modulation: Modulation, device: torch.device) -> Modulation:
    return Modulation(*(None if part is None else part.to(device) for part in modulation))


def _where(goes_on: Tensor, reached: State, kept: State) -> State:
    """The state reached where an item goes on, the one it has where it does not."""
    here = goes_on.view(-1, 1, 1)
    y = torch.where(here, reached.y, kept.y)
    if reached.z is None or kept.z is None:
        return State(y, None)
    return State(y, torch.where(here, reached.z, kept.z))
