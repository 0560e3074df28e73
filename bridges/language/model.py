"""The transformer: tokens of every kind in, a state for each of them out.

A sensory embedding is projected to the model's width and given its sense's mark, a type vector.
It is not normalised on the way in, so that a louder sensation stands out from the mark more than
a faint one. Text carries no mark, so that a text model's weights mean what they meant.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridges.language.attention import sight
from bridges.language.block import Block
from bridges.language.kv_cache import KVCache
from bridges.language.modulation import REST, Modulation
from bridges.language.rope import rotation
from bridges.language.sequence import PADDING, Mixed
from bridges.language.settings import LanguageSettings, Sense
from bridges.reasoning.undrawn import embedding, linear
from neuro.errors import ConfigError

__all__ = ["LanguageModel", "SenseInput"]

START_SCALE = 0.02
"""Standard deviation of the start weights; Radford et al. 2019."""


class SenseInput(nn.Module):
    """From a sense's own width to the model's."""

    def __init__(self, sense: Sense, hidden: int) -> None:
        super().__init__()
        self.projection = linear(sense.width, hidden)
        self.mark = nn.Parameter(torch.empty(hidden))

    def start(self, generator: torch.Generator) -> None:
        """Draw the weights; a sensation of unit variance comes in as loud as a word."""
        scale = START_SCALE / math.sqrt(self.projection.in_features)
        self.projection.weight.normal_(0, scale, generator=generator)
        self.mark.normal_(0, START_SCALE, generator=generator)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.projection(embeddings.to(self.mark.dtype)) + self.mark


class LanguageModel(nn.Module):
    """A causal transformer over mixed sequences.

    Args:
        generator: Where the start weights come from. Without one they are left undefined, for a
            model whose weights are read from a file.

    Attributes:
        request_head: Reads from a state what the model asks of the senses: whether, and the
            arguments in `requests`. None where the model has no sense.
    """

    def __init__(
        self, settings: LanguageSettings, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = embedding(settings.vocabulary, settings.hidden)
        self.senses = nn.ModuleList(SenseInput(s, settings.hidden) for s in settings.senses)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.norm = nn.RMSNorm(settings.hidden, eps=settings.rms_epsilon)
        self.head = None if settings.tied else linear(settings.hidden, settings.vocabulary)
        self.request_head = linear(settings.hidden, 5, bias=True) if settings.senses else None
        if generator is not None:
            self.start_weights(generator)

    @torch.no_grad()
    def start_weights(self, generator: torch.Generator) -> None:
        """Draw all weights anew: normal; what adds to the state smaller with depth."""
        self.embedding.weight.normal_(0, START_SCALE, generator=generator)
        if self.head is not None:
            self.head.weight.normal_(0, START_SCALE, generator=generator)
        shrink = 1 / math.sqrt(2 * self.settings.layers)  # two sums a layer
        for name, part in self.blocks.named_parameters():
            if name.endswith("norm.weight"):
                part.fill_(1.0)
                continue
            adds = name.endswith(("attention.out.weight", "down.weight"))
            scale = START_SCALE * (shrink if adds else 1.0)
            part.normal_(0, scale, generator=generator)
        self.norm.weight.fill_(1.0)
        self.start_senses(generator)

    @torch.no_grad()
    def start_senses(self, generator: torch.Generator) -> None:
        """Draw anew what senses add to a model of text; an untrained head asks for the middle."""
        for module in self.senses:
            if isinstance(module, SenseInput):
                module.start(generator)
        if self.request_head is not None:
            self.request_head.weight.zero_()
            self.request_head.bias.zero_()

    def embed(self, inputs: Mixed) -> Tensor:
        """Tokens of every kind as `(batch, token, hidden)`.

        Raises:
            ConfigError: if a text token is outside the vocabulary.
        """
        try:
            state = self.embedding(inputs.ids)
        except IndexError:  # asked first, a GPU would have to wait for the answer
            raise ConfigError(
                f"text tokens must be 0 to {self.settings.vocabulary - 1}, found "
                f"{int(inputs.ids.min())} to {int(inputs.ids.max())}; use the tokenizer that "
                "belongs to the model"
            ) from None
        for name, embeddings in inputs.sensed.items():
            kind = self.settings.kind_of(name)
            here = (inputs.kinds == kind).unsqueeze(-1)
            state = state.masked_scatter(here, self.senses[kind - 1](embeddings))
        return state

    def forward(
        self,
        inputs: Mixed,
        *,
        cache: KVCache | None = None,
        modulation: Modulation = REST,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Read a batch.

        Args:
            cache: What was read before, which this goes on from and is added to.
            generator: Where a modulator's noise comes from.

        Returns:
            `(batch, token, hidden)` normalised states; undefined where there is padding.

        Raises:
            ConfigError: if a text token is outside the vocabulary, a sequence outgrows the
                positions, a cache is to pass gradient, or noise has no generator.
        """
        state = self.embed(inputs)
        if modulation.noise:
            state = _noisy(state, modulation.noise, generator)
        new, padded = inputs.shape[1], inputs.padded
        if cache is None:
            kinds, positions = inputs.kinds, self._positions(inputs)
        else:
            if torch.is_grad_enabled() and state.requires_grad:
                raise ConfigError(
                    "a cache passes no gradient; read under `torch.no_grad()`, or without it"
                )
            kinds, positions = cache.begin(inputs.kinds, padded=padded)
            padded = padded or cache.padded
        may = sight(kinds, new, self.settings, modulation, padded=padded, dtype=state.dtype)
        turned = rotation(positions, self.settings, state.dtype)
        for layer, block in enumerate(self.blocks):
            state = block(state, turned, may, cache, layer)
        if cache is not None:
            cache.commit()
        return self.norm(state)

    def logits(self, states: Tensor) -> Tensor:
        """`(…, vocabulary)` of the next token, from states."""
        weight = self.embedding.weight if self.head is None else self.head.weight
        return functional.linear(states, weight)

    def new_cache(self, batch: int, *, capacity: int = 64) -> KVCache:
        """An empty cache of this model's precision, on its device."""
        like = self.embedding.weight
        return KVCache(
            self.settings, batch, capacity=capacity, dtype=like.dtype, device=like.device
        )

    def _positions(self, inputs: Mixed) -> Tensor:
        valid = inputs.kinds != PADDING
        longest = self.settings.longest
        if inputs.shape[1] > longest and int(valid.sum(dim=1).max()) > longest:
            raise ConfigError(
                f"a sequence must fit the model's {longest} positions, found "
                f"{int(valid.sum(dim=1).max())} tokens; shorten it"
            )
        return (valid.cumsum(dim=1) - 1).clamp(min=0)


def _noisy(state: Tensor, noise: float, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        raise ConfigError("modulation by noise needs a `generator` to draw it from, found none")
    drawn = torch.randn(
        state.shape, generator=generator, dtype=state.dtype, device=generator.device
    ).to(state.device)
    loudness = state.detach().square().mean(dim=-1, keepdim=True).sqrt()
    return state + noise * loudness * drawn
