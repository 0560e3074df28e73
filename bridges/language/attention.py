"""Causal attention with grouped queries over what was read, padding left out.

Several query heads share one head of keys and values (Ainslie et al. 2023), which makes the
cache that much smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridges.language.kv_cache import KVCache
from bridges.language.modulation import Modulation
from bridges.language.rope import Rotation, turn
from bridges.language.sequence import PADDING
from bridges.language.settings import LanguageSettings
from bridges.reasoning.undrawn import linear
from neuro.errors import ConfigError

__all__ = ["Attention", "Sight", "sight"]


class Sight(NamedTuple):
    """What each new token may attend to.

    Attributes:
        mask: `(batch, 1, new, all)`: true where it may, or what is added to the logits. None
            where the next field says it all, which is faster.
        causal: Without a mask: whether tokens see only themselves and those before.
    """

    mask: Tensor | None
    causal: bool


def sight(
    kinds: Tensor,
    new: int,
    settings: LanguageSettings,
    modulation: Modulation,
    *,
    padded: bool,
    dtype: torch.dtype,
) -> Sight:
    """Which of the tokens of `(batch, all)` kinds the last `new` may attend to, and how gladly."""
    total = kinds.shape[1]
    if not padded and not modulation.turns_attention and (new == 1 or new == total):
        return Sight(None, causal=new > 1)
    keys = torch.arange(total, device=kinds.device)
    queries = keys[total - new :, None]
    # Padding sees itself: a row in which nothing may be seen would be no distribution at all.
    seen = (keys <= queries) & ((kinds != PADDING)[:, None, :] | (keys == queries))
    mask = seen[:, None]
    if not modulation.turns_attention:
        return Sight(mask, causal=False)
    perceived = torch.zeros_like(kinds, dtype=torch.bool)
    for kind, sense in enumerate(settings.senses, start=1):
        if sense.perceived:
            perceived |= kinds == kind
    gain = torch.as_tensor(modulation.gain, dtype=dtype, device=kinds.device).reshape(-1, 1)
    if gain.shape[0] not in (1, kinds.shape[0]):
        raise ConfigError(
            f"modulation `gain` must be one number, or one of each of the {kinds.shape[0]} items, "
            f"found {gain.shape[0]}"
        )
    # exp(logit + log gain) = gain * exp(logit): the odds of that key are multiplied.
    bias = torch.where(perceived, gain.log(), 0.0).to(dtype)[:, None, None, :]
    return Sight(bias.masked_fill(~mask, -torch.inf), causal=False)


class Attention(nn.Module):
    """One layer's attention; no biases, as in Llama."""

    def __init__(self, settings: LanguageSettings) -> None:
        super().__init__()
        self.heads, self.kv_heads = settings.heads, settings.kv_heads
        self.head_width = settings.head_width
        self.query = linear(settings.hidden, self.heads * self.head_width)
        self.key = linear(settings.hidden, self.kv_heads * self.head_width)
        self.value = linear(settings.hidden, self.kv_heads * self.head_width)
        self.out = linear(self.heads * self.head_width, settings.hidden)

    def forward(
        self, state: Tensor, turned: Rotation, may: Sight, cache: KVCache | None, layer: int
    ) -> Tensor:
        query = turn(self._split(self.query(state), self.heads), turned)
        key = turn(self._split(self.key(state), self.kv_heads), turned)
        value = self._split(self.value(state), self.kv_heads)
        if cache is not None:
            key, value = cache.put(layer, key, value)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=may.mask, is_causal=may.causal,
            enable_gqa=self.kv_heads < self.heads,
        )  # fmt: skip
        return self.out(mixed.transpose(1, 2).flatten(start_dim=2))

    def _split(self, values: Tensor, heads: int) -> Tensor:
        return values.unflatten(-1, (heads, self.head_width)).transpose(1, 2)
