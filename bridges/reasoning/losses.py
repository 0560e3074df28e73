"""What a supervision step is marked by: the answer's cross-entropy and the halt head's honesty."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bridges.reasoning.carry import IGNORED

__all__ = [
    "Losses", "answer_loss", "correct", "halting_loss", "log_stablemax",
    "stablemax_cross_entropy",
]  # fmt: skip

HALT_WEIGHT = 0.5


class Losses(NamedTuple):
    """Of one supervision step, each a mean over the slots, so that the size of a batch does not
    change the gradient's; published code sums over slots and divides by the batch.

    Attributes:
        total: `answer + (halt + go_on) / 2`, float64: the one to go backward from.
        answer: Stablemax cross-entropy, a mean over each slot's answers first.
        halt: How honestly the halt head tells whether the answer is right.
        go_on: How well the value of going on is foretold; 0 without `q_continue`.
    """

    total: Tensor
    answer: Tensor
    halt: Tensor
    go_on: Tensor

    @classmethod
    def of(cls, answer: Tensor, halt: Tensor, go_on: Tensor | None) -> Losses:
        """From the losses of each slot, `(batch,)`."""
        means = answer.mean(), halt.mean(), halt.new_zeros(()) if go_on is None else go_on.mean()
        return cls(means[0] + HALT_WEIGHT * (means[1] + means[2]), *means)


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


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """`(batch,)` float64: stablemax cross-entropy, a mean over the answers that are labelled.

    Args:
        logits: `(batch, answers, vocabulary)`, through which the answer learns.
        labels: `(batch, answers)`; a slot with `IGNORED` labels only has loss 0.
    """
    labelled = labels != IGNORED
    each = stablemax_cross_entropy(logits, labels.masked_fill(~labelled, 0))
    return each.masked_fill(~labelled, 0).sum(-1) / labelled.sum(-1).clamp(min=1)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """`(batch, answers)` bool: where the likeliest symbol is the labelled one. Teaches nothing."""
    return (logits.detach().argmax(-1) == labels) & (labels != IGNORED)


def halting_loss(halt: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """`(batch,)` binary cross-entropy of a halting output, which alone learns from it.

    Args:
        halt: Its `(batch,)` logits.
        target: `(batch,)` in 0..1; no gradient flows through it.
        labelled: `(batch,)` bool: whether the slot has anything to answer; 0 if not.
    """
    loss = functional.binary_cross_entropy_with_logits(
        halt, target.detach().to(halt.dtype), reduction="none"
    )
    return loss.masked_fill(~labelled, 0)
