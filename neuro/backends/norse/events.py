"""Delivery without gradients: only the edges of cells that spiked are touched.

A spike enters what each of its edges will add in a ring of coming steps, in the row in which it
falls due. That costs a few nanoseconds an edge of a cell that spiked and nothing for all others,
where a product with the weights costs something for every edge and row of the batch. Cells spike
in one step of a hundred or fewer, so this pays whenever no gradient is asked for. It changes
tensors in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse.connectivity import Paths

__all__ = ["Mailbox", "Route"]

_AT_ONCE = 1 << 22  # edges that are entered in one go: bounds what a volley takes in memory


class Route(NamedTuple):
    """A projection's edges on their way to one state of its target.

    `values` is what each edge adds, `()`, `(n_edges,)` or `(batch, n_edges)`; `column` where the
    target's first cell lies in a row of the ring.
    """

    sender: str
    paths: Paths
    values: Tensor
    column: int


class _Table(NamedTuple):
    starts: Tensor  # (n_pre + 1,)
    delay: Tensor
    column: Tensor
    values: Tensor  # (n_edges,) or (batch, n_edges)


class Mailbox:
    """What is under way to one group of populations.

    Args:
        routes: All that leads there.
        columns: Length of a row for one batch row.
        ahead: Steps that a group may take at once.
    """

    def __init__(
        self, routes: Sequence[Route], columns: int, batch: int, ahead: int, like: Tensor
    ) -> None:
        self._batch, self._columns = batch, columns
        self._tables = {
            name: _table([r for r in routes if r.sender == name])
            for name in dict.fromkeys(r.sender for r in routes)
        }
        rows = max((r.paths.depth for r in routes), default=1) + ahead
        self._ring = like.new_zeros(rows, batch, columns)

    def post(self, sender: str, spikes: Tensor, first: int, due: int = 0) -> None:
        """Enter spikes that begin with step `first`, `(n_steps, batch, n)`.

        Args:
            due: What would fall due before this step is left out: it has arrived.
        """
        table = self._tables.get(sender)
        if table is None:
            return
        step, row, unit = spikes.nonzero(as_tuple=True)
        if not step.numel():
            return
        counts = table.starts[unit + 1] - table.starts[unit]
        ends = counts.cumsum(0)
        begin = 0
        while begin < step.numel():
            before = ends[begin] - counts[begin]
            stop = int(torch.searchsorted(ends, before + _AT_ONCE, right=True))
            part = slice(begin, max(stop, begin + 1))
            self._enter(table, step[part] + first, row[part], unit[part], counts[part], due)
            begin = part.stop

    def _enter(
        self, table: _Table, step: Tensor, row: Tensor, unit: Tensor, counts: Tensor, due: int
    ) -> None:
        which = torch.repeat_interleave(counts)
        skipped = counts.cumsum(0) - counts - table.starts[unit]
        edge = torch.arange(which.numel(), device=which.device) - skipped[which]
        arrives = step[which] + table.delay[edge]
        row = row[which]
        if due:
            late = arrives >= due
            edge, arrives, row = edge[late], arrives[late], row[late]
        values = table.values[edge] if table.values.ndim == 1 else table.values[row, edge]
        at = (arrives % self._ring.shape[0] * self._batch + row) * self._columns
        self._ring.view(-1).index_add_(0, at + table.column[edge], values)

    def collect(self, first: int, n_steps: int) -> Tensor:
        """`(n_steps, batch, columns)` what falls due from step `first` on; it is taken out."""
        if n_steps == 1:
            row = self._ring[first % self._ring.shape[0]]
            due = row.clone()
            row.zero_()
            return due[None]
        rows = (first + torch.arange(n_steps, device=self._ring.device)) % self._ring.shape[0]
        due = self._ring[rows]
        self._ring[rows] = 0
        return due


def _table(routes: Sequence[Route]) -> _Table:
    """All edges of one sender, sorted by source; of one source in the order of `routes`."""
    source = torch.cat([r.paths.source for r in routes])
    order = torch.argsort(source, stable=True)
    counts = torch.bincount(source, minlength=routes[0].paths.n_pre)
    values = [r.values.detach().expand(*r.values.shape[:-1], r.paths.n_edges) for r in routes]
    batched = [v.shape[0] for v in values if v.ndim == 2]
    if batched:
        values = [v.expand(batched[0], -1) for v in values]
    return _Table(
        torch.nn.functional.pad(counts.cumsum(0), (1, 0)),
        torch.cat([r.paths.delay for r in routes])[order],
        torch.cat([r.paths.target + r.column for r in routes])[order],
        torch.cat(values, -1)[..., order].contiguous(),
    )
