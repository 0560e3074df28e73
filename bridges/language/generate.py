"""Going on with a text, token by token, from a cache of what was read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bridges.language.contrast import Amateur, contrasted, same_vocabulary
from bridges.language.kv_cache import KVCache
from bridges.language.model import LanguageModel
from bridges.language.modulation import REST, Modulation
from bridges.language.sampling import Decoding, Randomness, choose
from bridges.language.sequence import PADDING, TEXT, Mixed
from neuro.errors import ConfigError

__all__ = ["Continuation", "generate"]


@dataclass(frozen=True)
class Continuation:
    """What an item was continued with.

    Attributes:
        ids: Its tokens; the stop token is not among them.
        log_probability: Of each, under the model itself, whatever the decoding.
        stopped: Whether it came to a stop token, rather than to the limit.
    """

    ids: tuple[int, ...]
    log_probability: tuple[float, ...]
    stopped: bool


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompts: Mixed,
    *,
    limit: int,
    decoding: Decoding = Decoding(),  # noqa: B008 - frozen
    stop: Collection[int] = (),
    vocabulary: int | None = None,
    randomness: Randomness | None = None,
    modulation: Modulation = REST,
    noise: torch.Generator | None = None,
    amateur: Amateur | None = None,
) -> list[Continuation]:
    """Continue each item until a stop token or `limit` tokens.

    The model is run in the mode it is in; it has nothing that differs between modes.

    Args:
        prompts: Padded on the left, as `interleave` does, so that each row ends in its text.
        stop: Tokens that end an item.
        vocabulary: How many tokens the tokenizer knows (`Tokenizer.vocabulary`). A model's table is
            often padded beyond; those rows are never chosen, and have no share in probabilities.
            None: all that the model has.
        randomness: Where tokens are drawn from; not needed at temperature 0.
        modulation: `temperature` scales the decoding's, `gain` and `noise` act on all that is
            read.
        noise: Where a modulator's noise is drawn from.
        amateur: For contrastive decoding.

    Raises:
        ConfigError: if the limit is below 1 or does not fit the model's positions, a prompt
            ends in padding, a stop token is unknown, or sampling has no generator.
    """
    _check(model, prompts, limit, stop)
    known = _known(model, vocabulary, stop)
    decoding = replace(decoding, temperature=decoding.temperature * modulation.temperature)
    batch, length = prompts.shape
    cache = model.new_cache(batch, capacity=length + limit)
    reader = _Reader(model, cache, modulation, noise)
    other = None
    if amateur is not None:
        _check(amateur.model, amateur.prompts, limit, stop)
        room = amateur.prompts.shape[1] + limit
        other = _Reader(amateur.model, amateur.model.new_cache(batch, capacity=room), REST, None)
    history, going = prompts.history, torch.ones(batch, dtype=torch.bool, device=cache.kinds.device)
    stops = torch.tensor(sorted(stop), dtype=torch.int64, device=going.device)
    said: list[list[int]] = [[] for _ in range(batch)]
    surprise: list[list[float]] = [[] for _ in range(batch)]
    feed, other_feed = prompts, amateur.prompts if amateur is not None else None
    for _ in range(limit):
        scored = reader(feed)
        scores = logits = scored[:, :known]
        if amateur is not None and other is not None and other_feed is not None:
            doubted = other(other_feed)
            same_vocabulary(scored, doubted)
            scores = contrasted(logits, doubted[:, :known], alpha=amateur.alpha, beta=amateur.beta)
        token = choose(scores, history, decoding, randomness)
        log_p = logits.log_softmax(dim=-1).gather(-1, token[:, None]).squeeze(-1)
        going = going & ~torch.isin(token, stops)
        for item, goes in enumerate(going.tolist()):
            if goes:
                said[item].append(int(token[item]))
                surprise[item].append(float(log_p[item]))
        if not bool(going.any()):
            break
        history = torch.cat([history, torch.where(going, token, -1)[:, None]], dim=1)
        feed = other_feed = _next(token, going)
    return [
        Continuation(tuple(ids), tuple(each), stopped=not goes)
        for ids, each, goes in zip(said, surprise, going.tolist(), strict=True)
    ]


@dataclass
class _Reader:
    model: LanguageModel
    cache: KVCache
    modulation: Modulation
    noise: torch.Generator | None

    def __call__(self, inputs: Mixed) -> Tensor:
        states = self.model(
            inputs, cache=self.cache, modulation=self.modulation, generator=self.noise
        )
        return self.model.logits(states[:, -1])


def _known(model: LanguageModel, vocabulary: int | None, stop: Collection[int]) -> int:
    """How many tokens may be chosen: those that both the model and the tokenizer have."""
    if vocabulary is None:
        return model.settings.vocabulary
    if vocabulary < 1 or any(token >= vocabulary for token in stop):
        raise ConfigError(
            f"the tokenizer's vocabulary must hold a token and all stop tokens, found {vocabulary} "
            f"tokens and the stops {sorted(stop)}"
        )
    return min(vocabulary, model.settings.vocabulary)


def _next(token: Tensor, going: Tensor) -> Mixed:
    """The chosen tokens to be read; what has stopped reads padding and takes no position."""
    kinds = torch.where(going, TEXT, PADDING)[:, None]
    return Mixed(token[:, None], kinds, {}, padded=not bool(going.all()))


def _check(model: LanguageModel, prompts: Mixed, limit: int, stop: Collection[int]) -> None:
    if limit < 1:
        raise ConfigError(f"generation needs a limit of 1 token or more, found {limit}")
    settings = model.settings
    for token in stop:
        if not 0 <= token < settings.vocabulary:
            raise ConfigError(f"a stop token must be 0 to {settings.vocabulary - 1}, found {token}")
    if bool((prompts.kinds[:, -1] == PADDING).any()):
        raise ConfigError("prompts must be padded on their left, found padding on the right")
    longest = int((prompts.kinds != PADDING).sum(dim=1).max())
    if longest + limit > settings.longest:
        raise ConfigError(
            f"prompt and continuation must fit the model's {settings.longest} positions, found "
            f"{longest} and {limit}; shorten one"
        )
