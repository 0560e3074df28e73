"""A small model, random numbers of its own, and what the tests of language share."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from bridges.language.model import LanguageModel
from bridges.language.sequence import Piece, Sensed, Text
from bridges.language.settings import LanguageSettings
from bridges.language.sizes import size
from tests.conftest import IN_CI

TINY = size("tiny")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def model(
    settings: LanguageSettings = TINY, *, seed: int = 0, exact: bool = True, **changes: Any
) -> LanguageModel:
    """A model with weights large enough that every token matters; in double precision if
    `exact`, so that rounding is 1e-15 and what is compared at 1e-10 is not a coincidence."""
    made = LanguageModel(replace(settings, **changes), generator=generator(seed))
    with torch.no_grad():
        for part in made.parameters():
            if part.ndim == 2:
                part.normal_(0, part.shape[1] ** -0.5, generator=generator(seed + 1))
        made.embedding.weight.normal_(0, 1, generator=generator(seed + 2))
    return made.double() if exact else made


def words(n: int, seed: int = 0, vocabulary: int = TINY.vocabulary) -> Text:
    ids = torch.randint(vocabulary, (n,), generator=generator(seed))
    return Text(tuple(ids.tolist()))


def sound(n: int, seed: int = 0) -> Sensed:
    return Sensed("sound", random(n, 24, seed=seed, dtype=torch.float64))


def answer(n: int, seed: int = 0) -> Sensed:
    return Sensed("answer", random(n, 16, seed=seed, dtype=torch.float64))


def needs_tokenizers() -> None:
    """Skip a test where the package tokenizers is missing; in CI that is a failure."""
    if find_spec("tokenizers") is None:
        message = "the package tokenizers is missing: pip install tokenizers"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)


MIXED_ITEM: list[Piece] = [words(3), sound(4), words(2, 1), answer(2), sound(1, 5), words(1, 2)]
"""13 tokens of every kind."""
