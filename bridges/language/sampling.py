"""From logits to one token an item, by settings that can be written down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bridges.language.filters import nucleus, top_k, typical
from bridges.language.repetition import no_repeat, penalised
from neuro.errors import ConfigError

__all__ = ["GREEDY", "Decoding", "Randomness", "choose", "narrowed"]

Randomness = torch.Generator | Sequence[torch.Generator]
"""One generator for all items, or each item its own: then what an item becomes does not depend
on which others it is answered with."""


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen. All at rest: sampling from the model's own distribution.

    Attributes:
        temperature: Divides the logits; 0 takes the likeliest token.
        top_k, nucleus, typical: Filters, applied in this order if given; see `filters`.
        penalty: On tokens that were said, 1 is none; see `repetition`.
        no_repeat: Length of token groups that may not occur twice.

    Raises:
        ConfigError: if a value is out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    nucleus: float | None = None
    typical: float | None = None
    penalty: float = 1.0
    no_repeat: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(
                f"a temperature must be finite and 0 or more, found {self.temperature}"
            )
        # Each of these says itself what its range is.
        narrowed(torch.zeros(1, 2), torch.full((1, 1), -1), self)


def narrowed(logits: Tensor, history: Tensor, decoding: Decoding) -> Tensor:
    """Logits after repetition control, temperature and filters.

    Args:
        logits: `(batch, vocabulary)`.
        history: `(batch, token)` what was read and said; -1 where it is not text.
    """
    logits = penalised(logits, history, decoding.penalty)
    if decoding.no_repeat is not None:
        logits = no_repeat(logits, history, decoding.no_repeat)
    if decoding.temperature not in (0, 1):
        # From the likeliest down, so that a temperature near 0 overflows toward it alone. What
        # single precision rounds to 0 would divide the likeliest, which is 0 here, by 0.
        temperature = max(decoding.temperature, torch.finfo(torch.float32).tiny)
        logits = (logits - logits.max(dim=-1, keepdim=True).values) / temperature
    if decoding.top_k is not None:
        logits = top_k(logits, decoding.top_k)
    if decoding.nucleus is not None:
        logits = nucleus(logits, decoding.nucleus)
    if decoding.typical is not None:
        logits = typical(logits, decoding.typical)
    return logits


GREEDY = Decoding(temperature=0.0)


def choose(
    logits: Tensor, history: Tensor, decoding: Decoding, randomness: Randomness | None
) -> Tensor:
    """One token for each item, `(batch,)`.

    Raises:
        ConfigError: if repetition control has ruled out every token, the logits are not
            numbers, or sampling has no generator.
    """
    logits = narrowed(logits, history, decoding)
    best = logits.max(dim=-1).values
    if not bool(torch.isfinite(best).all()):
        raise ConfigError(
            "an item must have a token left to choose, found none: the model gives no numbers, "
            "or `no_repeat` rules out every token"
        )
    if decoding.temperature == 0:
        return logits.argmax(dim=-1)
    if randomness is None:
        raise ConfigError(
            "sampling needs a generator, found none; pass one, or decode with temperature 0"
        )
    drawn = _uniform(logits.shape[0], randomness).to(logits.device)
    reached = logits.double().softmax(dim=-1).cumsum(dim=-1)
    # Right of equal sums, so that a token of probability 0 is never met.
    token = torch.searchsorted(reached, drawn[:, None] * reached[:, -1:], right=True).squeeze(-1)
    # A draw that rounds up to the whole sum belongs to the last token with any probability.
    last = logits.shape[-1] - 1 - (logits.flip(-1) > -torch.inf).to(torch.int8).argmax(dim=-1)
    return torch.minimum(token, last)


def _uniform(batch: int, randomness: Randomness) -> Tensor:
    if isinstance(randomness, torch.Generator):
        return torch.rand(
            batch, generator=randomness, dtype=torch.float64, device=randomness.device
        )
    if len(randomness) != batch:
        raise ConfigError(
            f"each item needs its generator, found {len(randomness)} for {batch} items"
        )
    return torch.cat(
        [
            torch.rand(1, generator=each, dtype=torch.float64, device=each.device).cpu()
            for each in randomness
        ]
    )
