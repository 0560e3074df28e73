"""The sizes by name, and how many parameters a model has, counted without building it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bridges.language.model import LanguageModel
from bridges.language.settings import ANSWER, REQUEST, SOUND, LanguageSettings, Sense
from bridges.language.tokens import BYTE_VOCABULARY
from neuro.errors import ConfigError, nearest

__all__ = ["SIZES", "Count", "count", "size"]

SIZES: dict[str, LanguageSettings] = {
    # A forward pass in a millisecond: for tests and first tries.
    "tiny": LanguageSettings(
        vocabulary=BYTE_VOCABULARY, hidden=64, layers=2, heads=4, kv_heads=2, inner=192,
        longest=512, senses=(Sense("sound", 24), Sense("answer", 16, perceived=False), REQUEST),
    ),
    # Deep and narrow, few keys, tied embeddings: Liu et al. 2024, MobileLLM.
    "95m": LanguageSettings(
        vocabulary=BYTE_VOCABULARY, hidden=768, layers=15, heads=12, kv_heads=3, inner=2048,
        senses=(SOUND, ANSWER, REQUEST),
    ),
    "390m": LanguageSettings(
        vocabulary=BYTE_VOCABULARY, hidden=1280, layers=22, heads=20, kv_heads=4, inner=3584,
        senses=(SOUND, ANSWER, REQUEST),
    ),
}  # fmt: skip
"""Over bytes, so that nearly all parameters think instead of being looked up. Engineering
choices, but for the total. Another vocabulary or other senses: `dataclasses.replace`."""


def size(name: str) -> LanguageSettings:
    """The settings of a size by name.

    Raises:
        ConfigError: if there is no such size.
    """
    if name not in SIZES:
        raise ConfigError(
            f"a size must be one of {', '.join(SIZES)}, found `{name}`{nearest(name, SIZES)}"
        )
    return SIZES[name]


@dataclass(frozen=True)
class Count:
    """Parameters of a model: what words alone need, and what senses add to it."""

    text: int
    senses: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.senses


def count(settings: LanguageSettings) -> Count:
    """Count the parameters on the meta device: nothing is allocated.

    >>> count(size("tiny"))
    Count(text=115136, senses=3333)
    """
    with torch.device("meta"):
        model = LanguageModel(settings)
    total = sum(part.numel() for part in model.parameters())
    senses = sum(
        part.numel()
        for module in (model.senses, model.request_head)
        if module is not None
        for part in module.parameters()
    )
    return Count(total - senses, senses)
