"""Answers of a reasoner that no longer learns: after its whole budget, or when it is content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.checked import check_batch
from bridges.reasoning.halting import wants_to_halt
from bridges.reasoning.modulation import budgets
from bridges.reasoning.reasoner import Reasoner, Thought
from bridges.reasoning.supervision import Forward, stirred, thinking
from neuro.errors import ConfigError

__all__ = ["Answered", "Refinement", "evaluate", "refinement"]


class Answered(NamedTuple):
    """What a reasoner answers.

    Attributes:
        predictions: `(items, answers)` the likeliest symbols.
        logits: `(items, answers, vocabulary)`.
        halt: `(items,)` logit that every answer is right.
        steps: `(items,)` supervision steps taken: the budget, or fewer where it was content.
    """

    predictions: Tensor
    logits: Tensor
    halt: Tensor
    steps: Tensor


class Refinement(NamedTuple):
    """An answer as it came about, one entry a supervision step.

    Attributes:
        predictions: `(steps, items, answers)`.
        halt: `(steps, items)` logits.
        y, z: `(steps, items, positions, hidden)`; z is None where there is one state only.
    """

    predictions: Tensor
    halt: Tensor
    y: Tensor
    z: Tensor | None


@torch.no_grad()
def evaluate(
    model: Reasoner,
    batch: Batch,
    *,
    halting: bool = False,
    generator: torch.Generator | None = None,
    forward: Forward | None = None,
) -> Answered:
    """Think about a batch for all of `steps_max`, or, with `halting`, until the halt head is
    content with an item, which then keeps the answer it had. Nothing learns.

    An item whose modulation scales its budget stops there; it is neutral to its neighbours.
    """
    check_batch(model.settings, batch)
    limit = budgets(model.settings.steps_max, batch.modulation, batch.labels[:, 0])
    going = torch.ones_like(limit, dtype=torch.bool)
    steps = torch.zeros_like(limit)
    logits = halt = torch.empty(0)
    for done, thought in enumerate(_thoughts(model, batch, int(limit.max()), generator, forward)):
        if done == 0:
            logits, halt = thought.logits, thought.halt
        logits = torch.where(going[:, None, None], thought.logits, logits)
        halt = torch.where(going, thought.halt, halt)
        steps = steps + going
        going = going & (steps < limit)
        if halting:
            going = going & ~wants_to_halt(model.settings, thought.halt, thought.go_on)
            if not going.any():
                break
    return Answered(logits.argmax(-1), logits, halt, steps)


@torch.no_grad()
def refinement(
    model: Reasoner,
    batch: Batch,
    *,
    steps: int | None = None,
    generator: torch.Generator | None = None,
) -> Refinement:
    """Every step of thinking about a few items: for pictures, not for scores.

    Args:
        steps: Supervision steps; the model's `steps_max` by default.
    """
    check_batch(model.settings, batch)
    count = model.settings.steps_max if steps is None else steps
    if count < 1:
        raise ConfigError(f"a refinement needs 1 step or more, found {count}")
    thoughts = list(_thoughts(model, batch, count, generator, None))
    latent = [thought.state.z for thought in thoughts if thought.state.z is not None]
    return Refinement(
        torch.stack([thought.logits.argmax(-1) for thought in thoughts]),
        torch.stack([thought.halt for thought in thoughts]),
        torch.stack([thought.state.y for thought in thoughts]),
        torch.stack(latent) if latent else None,
    )


def _thoughts(
    model: Reasoner,
    batch: Batch,
    steps: int,
    generator: torch.Generator | None,
    forward: Forward | None,
) -> Iterator[Thought]:
    step = thinking(model, forward)
    state: State = model.start(batch.labels.shape[0])
    for _ in range(steps):
        thought = step(batch, stirred(state, batch.modulation, generator))
        state = thought.state
        yield thought
