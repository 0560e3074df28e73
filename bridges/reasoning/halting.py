"""When to stop thinking: slots of a batch that halt one by one and are refilled.

Adaptive computation in the manner of TRM and HRM. In training each slot of the batch holds one
item until the halt head says its answer is right, or its budget is spent; then the slot takes
the next item, while its neighbours think on. The carry therefore lives across optimizer steps
and the shapes never change. Evaluation spends the budget on every item.

`wants_to_halt` and `exploration` are the two rules of a `Reasoner`; `supervision` applies them.
The rest serves the classifier of `trm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bridges.reasoning.settings import ReasonerSettings
from bridges.reasoning.trm import TRM, Carry, Thought
from neuro.errors import ConfigError

__all__ = [
    "EXPLORATION", "Answers", "Slots", "answer", "exploration", "settle", "wants_to_halt",
]  # fmt: skip

EXPLORATION = 0.1
"""Chance that a slot must think on for a random number of steps, halt head or not."""


def wants_to_halt(settings: ReasonerSettings, halt: Tensor, go_on: Tensor) -> Tensor:
    """`(batch,)` bool: whether the halt head finds the answer right, or, where the value of going
    on is learned too, finds halting worth more. Teaches nothing."""
    return (halt > (go_on if settings.q_continue else 0)).detach()


def exploration(settings: ReasonerSettings, generator: torch.Generator, like: Tensor) -> Tensor:
    """The step before which each slot may not halt, `(batch,)` as `like`; drawn anew each step.

    0 for most; with the chance `exploration` one of 2..steps_max, so that long thinking is met in
    training even when the halt head is soon content.
    """
    shape = like.shape
    explores = torch.rand(shape, generator=generator) < settings.exploration
    drawn = torch.randint(2, max(settings.steps_max, 2) + 1, shape, generator=generator)
    return (explores * drawn).to(like)


@dataclass
class Slots:
    """The state of a batch between supervision steps.

    Attributes:
        carry: y and z of each slot.
        items: `(batch,)` which item sits in each slot.
        steps: `(batch,)` supervision steps that item has had.
        halted: `(batch,)` whether the slot is to be refilled before the next step.
    """

    carry: Carry
    items: Tensor
    steps: Tensor
    halted: Tensor

    @classmethod
    def empty(cls, model: TRM, batch: int) -> Slots:
        """All slots halted, so that the first refill fills every one."""
        start = model.start(batch)
        zeros = torch.zeros(batch, dtype=torch.int64)
        halted = torch.ones(batch, dtype=torch.bool)
        return cls(Carry(start.y.clone(), start.z.clone()), zeros, zeros.clone(), halted)

    def refill(self, model: TRM, new_items: Tensor) -> None:
        """Put the `(n_halted,)` new items into the halted slots, each with a fresh state."""
        if new_items.shape != (int(self.halted.sum()),):
            raise ConfigError(
                f"a refill needs {int(self.halted.sum())} items, found {tuple(new_items.shape)}"
            )
        fresh = model.start(self.items.shape[0])
        renew = self.halted[:, None, None]
        self.carry = Carry(
            torch.where(renew, fresh.y, self.carry.y), torch.where(renew, fresh.z, self.carry.z)
        )
        self.items = self.items.masked_scatter(self.halted, new_items)
        self.steps = self.steps.masked_fill(self.halted, 0)
        self.halted = torch.zeros_like(self.halted)


def settle(slots: Slots, thought: Thought, *, max_steps: int, rng: np.random.Generator) -> None:
    """Book one supervision step and mark the slots that halt.

    A slot halts when `halt > 0` or at `max_steps`. With probability 0.1 it may not halt before
    a step drawn from 2..max_steps, so that long thinking is met in training too.
    """
    slots.carry = thought.carry
    slots.steps = slots.steps + 1
    n = slots.steps.shape[0]
    explores = rng.random(n) < EXPLORATION
    at_least = np.where(explores, rng.integers(2, max(max_steps, 2) + 1, size=n), 0)
    wants = thought.halt.detach() > 0
    slots.halted = (wants & (slots.steps >= torch.from_numpy(at_least))) | (
        slots.steps >= max_steps
    )


class Answers(NamedTuple):
    """What a model answers when it may think.

    Attributes:
        logits: `(items, classes)` after the whole budget.
        halt: `(items,)` logit of the halt head after the whole budget.
        steps: `(items,)` supervision steps that were run; the budget for each item, or fewer
            where the halt head stopped it.
    """

    logits: Tensor
    halt: Tensor
    steps: Tensor


@torch.no_grad()
def answer(
    model: TRM, inputs: Tensor, *, budget: int, batch: int = 256, early: bool = False
) -> Answers:
    """Think about `(items, token, feature)` for `budget` steps, or until content if `early`.

    With `early` an item keeps the answer it gave when its halt head first said so.
    """
    if budget < 1:
        raise ConfigError(f"an answer needs a budget of 1 step or more, found {budget}")
    parts = []
    for start in range(0, inputs.shape[0], batch):
        parts.append(_answer_batch(model, inputs[start : start + batch], budget, early))
    logits, halt, steps = zip(*parts, strict=True)
    return Answers(torch.cat(logits), torch.cat(halt), torch.cat(steps))


def _answer_batch(model: TRM, inputs: Tensor, budget: int, early: bool) -> Answers:
    n = inputs.shape[0]
    carry, logits, halt = model(inputs, model.start(n))
    steps = torch.ones(n, dtype=torch.int64)
    going = torch.ones(n, dtype=torch.bool)
    for _ in range(budget - 1):
        if early:
            going = going & (halt <= 0)
            if not going.any():
                break
        carry, new_logits, new_halt = model(inputs, carry)
        logits = torch.where(going[:, None], new_logits, logits)
        halt = torch.where(going, new_halt, halt)
        steps += going
    return Answers(logits, halt, steps)
