"""What a supervision step is marked by: the answer's cross-entropy and the halt head's honesty."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bridges.reasoning.trm import Thought

__all__ = ["log_stablemax", "stablemax_cross_entropy", "supervision_loss"]

HALT_WEIGHT = 0.5


def log_stablemax(logits: Tensor) -> Tensor:
    """Log of stablemax over the last axis, in float64.

    Stablemax is softmax with `s(x) = x + 1` for x >= 0 and `1 / (1 - x)` below in place of the
    exponential, which lets cross-entropy fall without the logits growing into rounding error
    (Prieto et al. 2025, "Grokking at the edge of numerical stability").
    """
    logits = logits.to(torch.float64)
    # log s, written so that neither branch meets a pole where the other one is meant.
    log_s = torch.where(
        logits >= 0,
        torch.log1p(torch.clamp(logits, min=0)),
        -torch.log1p(torch.clamp(-logits, min=0)),
    )
    return log_s - torch.logsumexp(log_s, dim=-1, keepdim=True)


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`-log stablemax(logits)[label]` of each item, float64, from `(batch, classes)`."""
    return -log_stablemax(logits).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def supervision_loss(thought: Thought, labels: Tensor) -> Tensor:
    """Mean over the batch of the answer's loss plus half the halt head's.

    The halt head learns whether the answer is right just now: binary cross-entropy against
    `argmax(logits) == label`, through which no gradient flows back into the comparison.
    """
    right = (thought.logits.detach().argmax(-1) == labels).to(thought.halt.dtype)
    halting = functional.binary_cross_entropy_with_logits(thought.halt, right, reduction="none")
    return (stablemax_cross_entropy(thought.logits, labels) + HALT_WEIGHT * halting).mean()
