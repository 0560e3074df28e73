"""Text and sensations in one sequence, at any positions.

    interleave([[Text(ids), Sensed("sound", heard), Text(more)], [Sensed("sound", other)]], ...)

makes a batch of two; the shorter item is padded on its left, so that the last token of every
item is the last of its row and can be continued.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bridges.language.settings import LanguageSettings
from neuro.errors import ConfigError

__all__ = [
    "PADDING", "TEXT", "Mixed", "Piece", "Sensed", "Text", "check_sensed", "interleave", "text",
]  # fmt: skip

PADDING, TEXT = -1, 0


@dataclass(frozen=True)
class Text:
    """Text tokens in a sequence.

    Raises:
        ConfigError: if one is no whole number.
    """

    ids: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "ids", tuple(map(operator.index, self.ids)))
        except TypeError:
            found = " ".join(str(self.ids)[:60].split())
            raise ConfigError(
                f"text tokens must be whole numbers, found {found}; encode text by a tokenizer"
            ) from None


@dataclass(frozen=True, eq=False)
class Sensed:
    """Tokens of a sense: `(token, width)` embeddings, through which gradient flows."""

    sense: str
    embeddings: Tensor


Piece = Text | Sensed


@dataclass(frozen=True, eq=False)
class Mixed:
    """A batch of sequences.

    Attributes:
        ids: `(batch, token)` text tokens; 0 where there is none.
        kinds: `(batch, token)`: `PADDING`, `TEXT`, or the settings' number of a sense.
        sensed: Of each sense that occurs, `(n, width)` embeddings in the order in which they
            are met, item by item.
        padded: Whether any token is padding.
    """

    ids: Tensor
    kinds: Tensor
    sensed: Mapping[str, Tensor]
    padded: bool

    @property
    def shape(self) -> tuple[int, int]:
        """`(batch, token)`."""
        return self.ids.shape[0], self.ids.shape[1]

    @property
    def history(self) -> Tensor:
        """`(batch, token)` text tokens, -1 where there is something else."""
        return torch.where(self.kinds == TEXT, self.ids, -1)


def interleave(
    items: Sequence[Sequence[Piece]],
    settings: LanguageSettings,
    *,
    device: torch.device | str = "cpu",
    hollow: bool = False,
) -> Mixed:
    """Put the pieces of each item in a row and the rows in a batch, padded on the left.

    Args:
        hollow: Whether an item may be empty, all of its row padding: it has nothing to add to
            what a cache holds of it.

    Raises:
        ConfigError: if an item is empty, a piece is neither text nor sensed, a text token is
            outside the vocabulary, a sense is unknown or its embeddings are not of its width.
    """
    rows = [_row(pieces, settings, item) for item, pieces in enumerate(items)]
    longest = max((len(row) for row in rows), default=0)
    if longest == 0 or (not hollow and any(not row for row in rows)):
        raise ConfigError("a sequence must hold 1 token or more, found an empty one")
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    kinds = torch.full((len(rows), longest), PADDING, dtype=torch.int64)
    for item, row in enumerate(rows):
        if row:
            cells = torch.tensor(row, dtype=torch.int64)
            ids[item, longest - len(row) :] = cells[:, 0]
            kinds[item, longest - len(row) :] = cells[:, 1]
    sensed: dict[str, list[Tensor]] = {}
    for pieces in items:
        for piece in pieces:
            if isinstance(piece, Sensed):
                sensed.setdefault(piece.sense, []).append(piece.embeddings.to(device))
    return Mixed(
        ids.to(device),
        kinds.to(device),
        {name: torch.cat(parts) for name, parts in sensed.items()},
        padded=any(len(row) < longest for row in rows),
    )


def text(ids: Tensor) -> Mixed:
    """`(batch, token)` text tokens alone, all of one length, as they are met in training.

    Raises:
        ConfigError: if they are not, or are no whole numbers. Whether they are in the
            vocabulary is seen by the model that reads them.
    """
    if ids.ndim != 2 or not ids.shape[1] or ids.is_floating_point() or ids.is_complex():
        raise ConfigError(
            "text alone must be (batch, token) whole numbers, 1 token or more, found "
            f"{tuple(ids.shape)} of {str(ids.dtype).removeprefix('torch.')}"
        )
    return Mixed(ids, torch.full_like(ids, TEXT), {}, padded=False)


def _row(pieces: Sequence[Piece], settings: LanguageSettings, item: int) -> list[tuple[int, int]]:
    row: list[tuple[int, int]] = []
    for piece in pieces:
        if isinstance(piece, Text):
            for token in piece.ids:
                if not 0 <= token < settings.vocabulary:
                    raise ConfigError(
                        f"item {item}: text tokens must be 0 to {settings.vocabulary - 1}, found "
                        f"{token}; use the tokenizer that belongs to the model"
                    )
            row += [(token, TEXT) for token in piece.ids]
            continue
        if not isinstance(piece, Sensed):
            raise ConfigError(
                f"item {item}: a piece must be Text or Sensed, found {type(piece).__name__}"
            )
        check_sensed(piece, settings, item)
        row += [(0, settings.kind_of(piece.sense))] * piece.embeddings.shape[0]
    return row


def check_sensed(piece: Sensed, settings: LanguageSettings, item: int) -> None:
    """That a piece is of a sense that the model has, and of its width; else a `ConfigError`."""
    sense, shape = settings.sense(piece.sense), tuple(piece.embeddings.shape)
    if len(shape) != 2 or shape[1] != sense.width:
        raise ConfigError(
            f"item {item}: tokens of `{sense.name}` must be (token, {sense.width}), found {shape}"
        )
