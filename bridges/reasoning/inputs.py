"""What was given becomes x: slots, then sensory embeddings, then tokens, all of equal loudness."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridges.reasoning.carry import Batch
from bridges.reasoning.layers import truncated_normal
from bridges.reasoning.settings import ReasonerSettings
from bridges.reasoning.undrawn import linear

__all__ = ["Inputs"]


class Inputs(nn.Module):
    """Embeds a batch, `(batch, positions_total, hidden)`.

        x = √hidden / √terms * ([slots ; sensory ; tokens] + positions + types)

    where only what the settings ask for is in the sum, and `terms` counts it, so that x has unit
    variance at the start. Every table starts with deviation 1/√hidden, which √hidden undoes: the
    optimizer's steps are then as large, beside x, as they are in the other layers.

    Sensory embeddings, of unit variance each, pass one linear layer. Types (sensory or token)
    are learned where an item has both. There is no identifier of an item of any kind; the
    published recipe's puzzle vectors come in as `rows`.
    """

    def __init__(self, settings: ReasonerSettings) -> None:
        super().__init__()
        self.settings = settings
        hidden, both = settings.hidden, bool(settings.length and settings.sensory)
        self.symbols = _table(settings.vocabulary, hidden) if settings.length else None
        self.sense = linear(settings.sensory, hidden) if settings.sensory else None
        self.types = _table(2, hidden) if both else None
        learned = settings.positions == "learned"
        self.positions = _table(settings.positions_total, hidden) if learned else None
        own = settings.slots and not settings.puzzle_ids
        self.prefix = _table(settings.slots, hidden) if own else None
        self.scale = math.sqrt(hidden / (1 + learned + both))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw the tables; the prefix starts at 0, as the published puzzle vectors do."""
        for table in (self.symbols, self.types, self.positions):
            if table is not None:
                truncated_normal(table, 1 / math.sqrt(self.settings.hidden), generator)
        if self.prefix is not None:
            self.prefix.zero_()

    def forward(self, batch: Batch, rows: Tensor | None = None) -> Tensor:
        """x of a batch; `rows` are the puzzle vectors `(batch, hidden)`, if there are ids."""
        count, hidden = batch.labels.shape[0], self.settings.hidden
        parts = []
        if self.prefix is not None:
            parts.append(self.prefix.expand(count, -1, -1))
        if rows is not None:
            # The vector fills the first slot; the others are empty.
            parts.append(functional.pad(rows.unsqueeze(1), (0, 0, 0, self.settings.slots - 1)))
        if self.sense is not None and batch.sensory is not None:
            loudness = self.settings.sensory_gain / math.sqrt(hidden)
            sensory = batch.sensory.to(self.sense.weight.dtype)
            parts.append(self._typed(loudness * self.sense(sensory), 0))
        if self.symbols is not None and batch.tokens is not None:
            parts.append(self._typed(functional.embedding(batch.tokens, self.symbols), 1))
        x = torch.cat(parts, dim=1)
        if self.positions is not None:
            x = x + self.positions
        x = self.scale * x
        if batch.modulation is not None and batch.modulation.gain is not None:
            x = batch.modulation.gain.to(x.dtype).view(-1, 1, 1) * x
        return x

    def _typed(self, part: Tensor, kind: int) -> Tensor:
        return part if self.types is None else part + self.types[kind]


def _table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(rows, width))
