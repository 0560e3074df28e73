"""One learned vector a puzzle, for comparing with the published recipe and for nothing else.

Such a table makes a model look its answers up, and a wrong identifier leaves it with none; what
senses has no use for it. It lies in a buffer and moves by the sign of its gradient, so that its
size costs no optimizer state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Puzzles"]


class Puzzles(nn.Module):
    """The table, and the rows of it that were used since the last update.

    Args:
        ids: Puzzles.
        hidden: Width of a vector; all start at 0.
    """

    table: Tensor

    def __init__(self, ids: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(ids, hidden))
        self._used: list[tuple[Tensor, Tensor]] = []

    def rows(self, puzzle: Tensor, *, learns: bool) -> Tensor:
        """`(batch, hidden)` vectors; if it `learns`, `update` can move them after a backward."""
        rows = self.table[puzzle].requires_grad_(learns)
        if learns:
            self._used.append((puzzle, rows))
        return rows

    @torch.no_grad()
    def update(self, *, learning_rate: float, weight_decay: float) -> None:
        """Move the used vectors by the sign of their summed gradient, then forget which.

        Where processes train together, each must hold the same table: the gradients of all are
        gathered first.
        """
        used = [(puzzle, rows.grad) for puzzle, rows in self._used if rows.grad is not None]
        self._used = []
        if not used:
            return
        puzzle = torch.cat([ids for ids, _ in used])
        gradient = torch.cat([rows for _, rows in used])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            puzzle, gradient = _gathered(puzzle), _gathered(gradient)
        ids, which = puzzle.unique(return_inverse=True)
        total = torch.zeros(len(ids), gradient.shape[1], dtype=gradient.dtype, device=ids.device)
        total.index_add_(0, which, gradient)
        decayed = self.table[ids] * (1 - learning_rate * weight_decay)
        self.table[ids] = decayed - learning_rate * total.sign()


def _gathered(values: Tensor) -> Tensor:
    parts = [torch.empty_like(values) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, values.contiguous())
    return torch.cat(parts)
