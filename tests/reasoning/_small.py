"""Reasoners small enough to be run by hand, and batches for them."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from bridges.reasoning.carry import Batch
from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import (
    HRM,
    TRM_ATTENTION,
    TRM_MLP,
    ReasonerSettings,
    same_size_transformer,
)

SIZES: dict[str, Any] = {
    "length": 5, "vocabulary": 4, "hidden": 8, "heads": 2, "multiple": 8, "slots": 2,
    "steps_max": 4,
}  # fmt: skip


def small(base: ReasonerSettings, **changes: Any) -> ReasonerSettings:
    return dataclasses.replace(base, **(SIZES | changes))


KINDS: dict[str, ReasonerSettings] = {
    "trm-attention": small(TRM_ATTENTION, H=3, L=2),
    "trm-attention-learned": small(TRM_ATTENTION, H=2, L=2, positions="learned"),
    "trm-mlp": small(TRM_MLP, H=3, L=2),
    "trm-convolution": small(TRM_MLP, H=3, L=2, mixer="convolution", length=6, columns=3),
    "hrm": small(HRM, layers=2, slots=1),
    "single-z": small(TRM_ATTENTION, H=3, L=2, single_z=True),
    "transformer": small(same_size_transformer(TRM_ATTENTION)),
}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def symbols(*shape: int, seed: int = 0, below: int = 4) -> Tensor:
    return torch.randint(0, below, shape, generator=generator(seed))


def awake(settings: ReasonerSettings, seed: int = 0) -> Reasoner:
    """A fresh model in which nothing is 0: the prefix and the halt head have values too."""
    model = build(settings, seed=seed)
    with torch.no_grad():
        model.halt_head.weight.copy_(normal(2, settings.hidden, seed=seed + 1))
        model.halt_head.bias.copy_(normal(2, seed=seed + 2))
        if model.inputs.prefix is not None:
            prefix = normal(settings.slots, settings.hidden, seed=seed + 3)
            model.inputs.prefix.copy_(prefix / settings.hidden**0.5)
    return model


def batch(settings: ReasonerSettings, rows: int, seed: int = 0) -> Batch:
    """Random items; what is asked has nothing to do with what is given."""
    sensory = None
    if settings.sensory:
        sensory = normal(rows, settings.sensory_length, settings.sensory, seed=seed + 2)
    return Batch(
        symbols(rows, settings.answers, seed=seed, below=settings.vocabulary),
        symbols(rows, settings.length, seed=seed + 1, below=settings.vocabulary)
        if settings.length
        else None,
        sensory,
        symbols(rows, seed=seed + 3, below=settings.puzzle_ids) if settings.puzzle_ids else None,
    )
