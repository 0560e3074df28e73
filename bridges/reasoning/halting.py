"""When to stop thinking: the two rules by which slots of a batch halt, one by one.

Adaptive computation in the manner of TRM and HRM. In training each slot of the batch holds one
item until its halt head says the answer is right, or its budget is spent; then the slot takes the
next item, while its neighbours think on (`carry.refilled`). `supervision` applies both rules,
`evaluation` the first, and only when asked to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bridges.reasoning.settings import ReasonerSettings

__all__ = ["exploration", "wants_to_halt"]


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
