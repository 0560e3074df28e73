"""What a reasoner over spikes answers when it may think for so many steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch
from bridges.reasoning.evaluation import evaluate
from bridges.reasoning.modulation import Modulation
from bridges.reasoning.reasoner import Reasoner
from neuro.errors import ConfigError

__all__ = ["Answers", "answer"]

_BATCH = 256


class Answers(NamedTuple):
    """Answers to some items, on the CPU.

    Attributes:
        logits: `(items, classes)`.
        halt: `(items,)` logit of the halt head.
        steps: `(items,)` supervision steps that were run: the budget, or fewer where the halt
            head stopped it.
    """

    logits: Tensor
    halt: Tensor
    steps: Tensor


def answer(
    model: Reasoner,
    inputs: Tensor,
    *,
    budget: int,
    early: bool = False,
    pause: Callable[[], None] = lambda: None,
) -> Answers:
    """Think about `(items, token, feature)` for `budget` steps, or until content if `early`.

    With `early` an item keeps the answer it gave when its halt head first said so.

    Args:
        pause: Called before each batch of items; what it raises ends the thinking.

    Raises:
        ConfigError: if the budget is below 1.
    """
    if budget < 1:
        raise ConfigError(f"an answer needs a budget of 1 step or more, found {budget}")
    device, parts = model.start_y.device, []
    factor = budget / model.settings.steps_max
    for first in range(0, inputs.shape[0], _BATCH):
        pause()
        some = inputs[first : first + _BATCH].to(device)
        n = some.shape[0]
        allowed = Modulation(budget=torch.full((n,), factor, device=device))
        nothing = torch.full((n, 1), IGNORED, device=device)
        found = evaluate(
            model, Batch(labels=nothing, sensory=some, modulation=allowed), halting=early
        )
        parts.append((found.logits[:, 0].cpu(), found.halt.cpu(), found.steps.cpu()))
    logits, halt, steps = zip(*parts, strict=True)
    return Answers(torch.cat(logits), torch.cat(halt), torch.cat(steps))
