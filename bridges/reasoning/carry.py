"""What lives across optimizer steps: the state of every slot of a batch, and what sits in it.

A slot holds one item until it halts; then the next item takes its place while its neighbours
think on. Shapes never change: a refill chooses by `where`, so slots that go on keep every bit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bridges.reasoning.modulation import Modulation
from neuro.errors import ConfigError

__all__ = ["IGNORED", "Batch", "Carry", "State", "refilled"]

IGNORED = -100
"""Label of a position where nothing is to be answered."""


class State(NamedTuple):
    """What a reasoner has in mind; each `(batch, position, hidden)`.

    Attributes:
        y: The answer so far; the only state of a transformer, and of a TRM with a single z.
        z: The latent reasoning, or None where there is one state only.
    """

    y: Tensor
    z: Tensor | None


class Batch(NamedTuple):
    """Items, one a row. Which fields are given is fixed by the reasoner's settings.

    Attributes:
        labels: `(batch, answers)` int64; `IGNORED` where nothing is to be answered.
        tokens: `(batch, length)` symbols, or None.
        sensory: `(batch, sensory_length, sensory)` embeddings of unit variance, or None. Of any
            precision; they are reckoned with in that of the weights.
        puzzle: `(batch,)` puzzle of each item, for the published recipe alone, or None.
        modulation: How each item's reasoning is coloured, or None.
    """

    labels: Tensor
    tokens: Tensor | None = None
    sensory: Tensor | None = None
    puzzle: Tensor | None = None
    modulation: Modulation | None = None


class Carry(NamedTuple):
    """A batch of slots between two supervision steps. Nothing in it carries gradient.

    Attributes:
        y, z: The state of each slot; z is None where there is one state only.
        steps: `(batch,)` int64, supervision steps the slot's item has had.
        halted: `(batch,)` bool, whether the slot takes a new item before the next step.
        current: The item in each slot.
    """

    y: Tensor
    z: Tensor | None
    steps: Tensor
    halted: Tensor
    current: Batch

    @property
    def state(self) -> State:
        """Of each slot."""
        return State(self.y, self.z)

    @classmethod
    def empty(cls, start: State, batch: Batch) -> Carry:
        """Every slot halted, so that the first refill fills each with its item of `batch`."""
        rows, device = batch.labels.shape[0], batch.labels.device
        return cls(
            start.y,
            start.z,
            torch.zeros(rows, dtype=torch.int64, device=device),
            torch.ones(rows, dtype=torch.bool, device=device),
            batch,
        )


def refilled(carry: Carry, start: State, batch: Batch) -> Carry:
    """The carry with a new item and a fresh state in every halted slot. Nothing learns here.

    Args:
        start: The state in which an item begins, for the whole batch.
        batch: A candidate for every slot; those of slots that go on are left unused.

    Raises:
        ConfigError: if the batch has other fields or shapes than the one in the slots.
    """
    new, old = carry.halted, carry.current
    return Carry(
        _where(new, start.y, carry.y),
        _where_given(new, start.z, carry.z),
        carry.steps.masked_fill(new, 0),
        torch.zeros_like(new),
        Batch(
            _where(new, batch.labels, old.labels),
            _where_given(new, batch.tokens, old.tokens),
            _where_given(new, batch.sensory, old.sensory),
            _where_given(new, batch.puzzle, old.puzzle),
            _modulation(new, batch.modulation, old.modulation),
        ),
    )


def _where(new: Tensor, fresh: Tensor, old: Tensor) -> Tensor:
    if fresh.shape != old.shape:
        raise ConfigError(
            f"a refill needs the shape of what is in the slots, {tuple(old.shape)}, found "
            f"{tuple(fresh.shape)}"
        )
    return torch.where(new.view(-1, *[1] * (fresh.dim() - 1)), fresh, old)


def _where_given(new: Tensor, fresh: Tensor | None, old: Tensor | None) -> Tensor | None:
    if fresh is None and old is None:
        return None
    if fresh is None or old is None:
        raise ConfigError(
            "a refill needs the fields that the batch in the slots has, found one more or less; "
            "give every batch the same fields"
        )
    return _where(new, fresh, old)


def _modulation(new: Tensor, fresh: Modulation | None, old: Modulation | None) -> Modulation | None:
    if fresh is None and old is None:
        return None
    pairs = zip(fresh or Modulation(), old or Modulation(), strict=True)
    return Modulation(*(_where_given(new, one, other) for one, other in pairs))
