"""Which tokens may be chosen at all: filters on `(batch, vocabulary)` logits.

A filter sets what is out to minus infinity and leaves the rest as it is, so filters can follow
one another. Each keeps at least the likeliest token of its kind.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuro.errors import ConfigError

__all__ = ["nucleus", "top_k", "typical"]


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the `k` likeliest tokens, and those as likely as the last of them (Fan et al. 2018)."""
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ConfigError(f"top-k must keep a whole number of tokens, 1 or more, found {k}")
    if k >= logits.shape[-1]:
        return logits
    least = logits.topk(k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def nucleus(logits: Tensor, mass: float) -> Tensor:
    """Keep the fewest likeliest tokens that hold `mass` of the probability together.

    Holtzman et al. 2020, top-p. Of tokens that tie at the edge the first are kept.
    """
    _check_mass("nucleus", mass)
    if mass == 1:
        return logits
    return _fewest(logits, (-logits).argsort(dim=-1, stable=True), mass)


def typical(logits: Tensor, mass: float) -> Tensor:
    """Keep the fewest tokens nearest to the expected surprise that hold `mass` together.

    The surprise of a token is -log p, what is expected is the entropy. Unlike the nucleus this
    may leave out the likeliest token, when everything else is surprising. Meister et al. 2023,
    Locally typical sampling.
    """
    _check_mass("typical", mass)
    if mass == 1:
        return logits
    log_p = logits.log_softmax(dim=-1)
    p = log_p.exp()
    entropy = -torch.where(p > 0, p * log_p, 0.0).sum(dim=-1, keepdim=True)
    return _fewest(logits, (-log_p - entropy).abs().argsort(dim=-1, stable=True), mass)


def _fewest(logits: Tensor, order: Tensor, mass: float) -> Tensor:
    """Keep tokens in `order` until they hold `mass`; one at the least."""
    p = logits.double().softmax(dim=-1).gather(-1, order)
    before = p.cumsum(dim=-1) - p
    out = (before >= mass).scatter(-1, order, before >= mass)
    return logits.masked_fill(out, -torch.inf)


def _check_mass(name: str, mass: float) -> None:
    if not 0 < mass <= 1:
        raise ConfigError(f"{name} must keep a mass above 0 and up to 1, found {mass}")
