"""Contrastive decoding: prefer what the expert knows better than an amateur.

    score = (1 + beta) log p_expert - beta log p_amateur

among tokens whose expert probability is at least `alpha` of the likeliest one's. The amateur is
a smaller model, or the same model without the sensation: then what is favoured is what only the
sensation can have told it (Leng et al. 2024 do so with images).

Li et al. 2023, Contrastive decoding; the weights as in O'Brien & Lewis 2023, where `beta` 0 is
the expert alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuro.errors import ConfigError

if TYPE_CHECKING:
    from bridges.language.model import LanguageModel
    from bridges.language.sequence import Mixed

__all__ = ["Amateur", "contrasted", "same_vocabulary"]


@dataclass(frozen=True, eq=False)
class Amateur:
    """Whom the expert is set off against.

    Attributes:
        prompts: What the amateur reads; as many items as the expert's.
    """

    model: LanguageModel
    prompts: Mixed
    alpha: float = 0.1
    beta: float = 0.5


def contrasted(expert: Tensor, amateur: Tensor, *, alpha: float, beta: float) -> Tensor:
    """Logits that set the expert's off against the amateur's; each `(batch, vocabulary)`."""
    if not 0 < alpha <= 1:
        raise ConfigError(f"contrast needs 0 < alpha <= 1, found {alpha}")
    if not 0 <= beta < math.inf:
        raise ConfigError(f"contrast needs a finite beta of 0 or more, found {beta}")
    same_vocabulary(expert, amateur)
    plausible = expert >= expert.max(dim=-1, keepdim=True).values + math.log(alpha)
    score = (1 + beta) * expert.log_softmax(dim=-1) - beta * amateur.log_softmax(dim=-1)
    return torch.where(plausible, score, -torch.inf)


def same_vocabulary(expert: Tensor, amateur: Tensor) -> None:
    """Refuse logits of two models that do not stand for the same tokens.

    Raises:
        ConfigError: if their shapes differ.
    """
    if expert.shape != amateur.shape:
        raise ConfigError(
            "expert and amateur must read as many items with one vocabulary, found logits "
            f"{tuple(expert.shape)} and {tuple(amateur.shape)}"
        )
