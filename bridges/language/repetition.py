"""What was said counts against being said again.

`history` is `(batch, token)` with -1 wherever there is no text: sensations and padding. A
sensation between two words keeps them from being one phrase.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuro.errors import ConfigError

__all__ = ["no_repeat", "penalised"]


def penalised(logits: Tensor, history: Tensor, penalty: float) -> Tensor:
    """Divide positive logits of tokens in the history by `penalty`, multiply negative ones by it.

    Keskar et al. 2019, CTRL, in the form that is safe for negative logits.
    """
    if not 0 < penalty < math.inf:
        raise ConfigError(f"a repetition penalty must be positive and finite, found {penalty}")
    if penalty == 1:
        return logits
    lower = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(_said(history, logits.shape[-1]), lower, logits)


def no_repeat(logits: Tensor, history: Tensor, n: int) -> Tensor:
    """Rule out tokens that would complete `n` tokens that stand in the history already.

    Paulus et al. 2018. With `n` 1 nothing is said twice.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ConfigError(f"what must not repeat is a whole number of tokens, 1 or more, found {n}")
    if history.shape[1] < n:
        return logits
    if n == 1:
        return logits.masked_fill(_said(history, logits.shape[-1]), -torch.inf)
    grams = history.unfold(1, n, 1)
    now = history[:, None, history.shape[1] - n + 1 :]
    match = (grams[..., :-1] == now).all(dim=-1) & (grams >= 0).all(dim=-1)
    completed = torch.where(match, grams[..., -1], -1)
    return logits.masked_fill(_said(completed, logits.shape[-1]), -torch.inf)


def _said(tokens: Tensor, vocabulary: int) -> Tensor:
    """`(batch, vocabulary)`: whether a token is among `(batch, n)`, -1 being none."""
    said = torch.zeros(tokens.shape[0], vocabulary + 1, dtype=torch.bool, device=tokens.device)
    return said.scatter_(1, tokens.remainder(vocabulary + 1), True)[:, :vocabulary]
