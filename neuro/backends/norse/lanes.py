"""From cells to edges and back: `(batch, n)` values read by edges, and sums over edges.

Each is the other's gradient. The sum is a product with a sparse matrix of ones, which adds in the
same order every time; scattered additions would not, on a GPU.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

__all__ = ["Ends", "csr"]


def csr(ends: Tensor, columns: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix by rows, without PyTorch's notice that it may still change."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(ends, columns, values, size, check_invariants=False)


class Ends(torch.nn.Module):
    """Which cell is at one end of each edge.

    Args:
        index: `(n_edges,)`, a cell for each edge.
        n: How many cells there are.

    Attributes:
        order, ends: The edges by their cells, and where each cell's begin and end there.
    """

    index: Tensor
    ends: Tensor
    order: Tensor

    def __init__(self, index: Tensor, n: int) -> None:
        super().__init__()
        self.n = n
        counts = torch.bincount(index, minlength=n)
        for name, tensor in (
            ("index", index), ("ends", torch.nn.functional.pad(counts.cumsum(0), (1, 0))),
            ("order", torch.argsort(index, stable=True)),
        ):  # fmt: skip
            self.register_buffer(name, tensor, persistent=False)
        self._matrices: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def spread(self, values: Tensor) -> Tensor:
        """`(batch, n_edges)` of `(batch, n)` values: each edge reads its cell's."""
        return _Spread.apply(values, self)  # type: ignore[no-untyped-call]

    def sum(self, lanes: Tensor) -> Tensor:
        """`(batch, n)` sums of `(batch, n_edges)`: each cell adds up its edges'."""
        return _Sum.apply(lanes, self)  # type: ignore[no-untyped-call]

    def matrix(self, like: Tensor) -> Tensor:
        """`(n, n_edges)` with a 1 for each edge, in the row of its cell."""
        key = (like.dtype, like.device)
        if key not in self._matrices:
            ones = torch.ones(self.index.numel(), dtype=like.dtype, device=like.device)
            self._matrices[key] = csr(
                self.ends, self.order, ones,
                (self.n, self.index.numel()),
            )  # fmt: skip
        return self._matrices[key]


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, ends: Ends) -> Tensor:
        ctx.ends = ends
        return values.index_select(1, ends.index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.ends.sum(gradient), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, lanes: Tensor, ends: Ends) -> Tensor:
        ctx.ends = ends
        return (ends.matrix(lanes) @ lanes.t()).t().contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.ends.spread(gradient), None
