"""Static synapses of one projection as one operator from spikes to what they add.

Edges that share a source and a delay read the same number, so that pair is a *tap*. An operator
gathers its taps from a window of spikes, whatever their delays, in one step, and maps them to the
targets by one matrix: dense, or sparse where few of its entries are edges. Both are differentiable
in the spikes and in the weights, edge by edge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuro.backends.norse.lanes import csr
from neuro.edges import BuiltProjection

__all__ = ["DENSE_FROM", "Paths"]

DENSE_FROM = 0.15
"""Share of entries that are edges, from which a dense matrix is used.

Measured for 1,000 x 1,000 cells and 16 to 256 rows on two cores: at 0.1 the sparse product takes
half the time of the dense one, at 0.3 half as long again.
"""
_SMALL = 1 << 16  # entries of a matrix that is dense however few are edges: it takes microseconds
_LARGEST = 1 << 27  # entries of a dense matrix, and no more


class Product(NamedTuple):
    """An operator with its weights in place, for one pass.

    `matrix` is `(taps, targets)`, or `(batch, taps, targets)`; or `sparse` and `transposed` are
    CSR. `scale` multiplies what comes out, `(batch, 1)`, where all edges of a row weigh the same.
    """

    values: Tensor
    matrix: Tensor | None
    sparse: Tensor | None
    transposed: Tensor | None
    scale: Tensor | None


class Paths(torch.nn.Module):
    """The edges of a projection, as they lead from its source's spikes to its target's cells.

    Attributes:
        n_edges: How many there are.
        depth, shortest: The longest and the shortest delay, in steps.
        dense: Whether the matrix is.
        source, target, delay: `(n_edges,)` each, sorted by source, delay and target.
    """

    source: Tensor
    target: Tensor
    delay: Tensor
    tap_source: Tensor
    tap_lag: Tensor
    tap: Tensor

    def __init__(self, built: BuiltProjection, *, dense: bool | None = None) -> None:
        super().__init__()
        source, target = built.source, built.target
        delay = np.asarray(built.delay_steps, np.int64)
        self.name = built.projection.name
        self.n_edges, self.n_pre, self.n_post = source.size, built.pre.n, built.post.n
        self.depth = int(delay.max(initial=1))
        self.shortest = int(delay.min(initial=self.depth))
        self.one_delay = self.depth == self.shortest
        if self.one_delay:  # all sources are taps, so that nothing need be gathered
            tap_source, tap = np.arange(built.pre.n), source
            tap_delay = np.full(built.pre.n, self.depth)
        else:
            new = np.ones(source.size, bool)
            new[1:] = (np.diff(source) != 0) | (np.diff(delay) != 0)
            tap = np.cumsum(new) - 1
            tap_source, tap_delay = source[new], delay[new]
        self.n_taps = int(tap_source.size)
        entries = self.n_taps * self.n_post
        if dense is None:
            dense = entries <= _SMALL or self.n_edges >= DENSE_FROM * entries
        self.dense = dense and entries <= _LARGEST
        flat = tap * self.n_post + target
        self._complete = self.n_edges == entries and bool((np.diff(flat) == 1).all())
        for name, array in (
            ("source", source), ("target", target), ("delay", delay), ("tap", tap),
            ("tap_source", tap_source), ("tap_lag", self.depth - tap_delay),
        ):  # fmt: skip
            self._keep(name, array)
        if self.dense:
            self._keep("flat", flat)
        else:
            self._keep_sparse(tap, target)
        self._keep("tap_ends", _ends(tap, self.n_taps))

    def _keep(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(
            name, torch.from_numpy(np.array(array, dtype=np.int64)), persistent=False
        )

    def _keep_sparse(self, tap: np.ndarray, target: np.ndarray) -> None:
        """Where each edge lies in the matrix by targets, and in the one by taps: as it is."""
        order = np.lexsort((tap, target))
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        self._keep("order", order)
        self._keep("place", place)
        self._keep("row_ends", _ends(target, self.n_post))
        self._keep("columns", tap[order])

    def taps(self, window: Tensor) -> Tensor:
        """`(n_steps, batch, taps)` what arrives in each of some steps.

        Args:
            window: `(n_steps + depth - shortest, batch, n_pre)` spikes of the source, from
                `depth` steps before the first of these until `shortest` before the last.
        """
        if self.one_delay:
            return window
        reach = self.depth - self.shortest + 1
        if window.shape[0] == reach:  # one step
            return window[self.tap_lag, :, self.tap_source].t()[None]
        lagged = window.unfold(0, reach, 1)  # (n_steps, batch, n_pre, reach), a view
        return lagged[:, :, self.tap_source, self.tap_lag]

    def span(self, first: int, n_steps: int) -> tuple[int, int]:
        """From which step on and up to which spikes matter in `n_steps` from `first` on."""
        return first - self.depth, first + n_steps - self.shortest

    def prepare(self, weights: Tensor) -> Product:
        """The operator with these weights.

        Args:
            weights: What each edge adds: `(n_edges,)`; `()` or `(batch, 1)`, the same for all
                edges; or `(batch, n_edges)`.
        """
        scale = None
        if weights.ndim == 2 and weights.shape[1] == 1 and self.n_edges != 1:
            scale, weights = weights, torch.ones((), dtype=weights.dtype, device=weights.device)
        if weights.ndim == 2:
            matrix = weights.new_zeros(weights.shape[0], self.n_taps * self.n_post)
            matrix = matrix.index_add(1, self.tap * self.n_post + self.target, weights)
            matrix = matrix.view(-1, self.n_taps, self.n_post)
            return Product(weights, matrix, None, None, scale)
        weights = weights.expand(self.n_edges)
        if self.dense and self._complete:
            matrix = weights.reshape(self.n_taps, self.n_post)
            return Product(weights, matrix, None, None, scale)
        if self.dense:
            matrix = weights.new_zeros(self.n_taps * self.n_post)
            matrix = matrix.index_add(0, self.get_buffer("flat"), weights)
            matrix = matrix.view(self.n_taps, self.n_post)
            return Product(weights, matrix, None, None, scale)
        detached = weights.detach()
        sparse = csr(
            self.get_buffer("row_ends"), self.get_buffer("columns"),
            detached[self.get_buffer("order")], (self.n_post, self.n_taps),
        )  # fmt: skip
        transposed = csr(
            self.get_buffer("tap_ends"), self.target, detached, (self.n_taps, self.n_post)
        )
        return Product(weights, None, sparse, transposed, scale)

    def forward(self, taps: Tensor, product: Product, *, half: bool = False) -> Tensor:
        """`(n_steps, batch, n_post)` what `taps` add to the targets.

        Args:
            half: Multiply in bfloat16, which holds spikes as they are and rounds weights to 8
                bits; sums are kept in the weights' own type. Dense matrices only.
        """
        if product.matrix is None:
            flat = taps.reshape(-1, self.n_taps)
            out = _Sparse.apply(flat, product.values, product, self.get_buffer("place"))  # type: ignore[no-untyped-call]
            out = out.view(*taps.shape[:-1], self.n_post)
        elif product.matrix.ndim == 3:
            out = torch.bmm(taps.transpose(0, 1), product.matrix).transpose(0, 1)
        elif half:
            small = torch.bfloat16
            out = (taps.to(small) @ product.matrix.to(small)).to(product.matrix.dtype)
        else:
            out = taps @ product.matrix
        return out if product.scale is None else out * product.scale


def _ends(rows: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])


class _Sparse(torch.autograd.Function):
    """`taps @ matrix` for a matrix of which only the edges are stored."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, taps: Tensor, values: Tensor, product: Product,
        place: Tensor,
    ) -> Tensor:  # fmt: skip
        ctx.product, ctx.place = product, place  # type: ignore[attr-defined]
        # Only the gradient of weights needs them.
        ctx.save_for_backward(*([taps] if values.requires_grad else []))
        assert product.sparse is not None  # noqa: S101  # for the type checker
        return (product.sparse @ taps.t()).t()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        product: Product = ctx.product  # type: ignore[attr-defined]
        sparse, transposed = product.sparse, product.transposed
        assert sparse is not None and transposed is not None  # noqa: S101
        of_taps = of_values = None
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            of_taps = (transposed @ gradient.t()).t()
        if ctx.needs_input_grad[1]:  # type: ignore[attr-defined]
            (taps,) = ctx.saved_tensors  # type: ignore[attr-defined]
            sampled = torch.sparse.sampled_addmm(
                sparse, gradient.t().contiguous(), taps.contiguous(), beta=0.0
            )
            of_values = sampled.values()[ctx.place]  # type: ignore[attr-defined]
        return of_taps, of_values, None, None
