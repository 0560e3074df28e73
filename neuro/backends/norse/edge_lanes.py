"""What printed code of synapses reads, in lanes: all edges of a batch, or some of them.

A lane is an edge of one batch row. Values are looked up when the code asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse.lanes import Ends
from neuro.equations.names import ELAPSED

__all__ = ["Cells", "Lanes", "Scope"]

Read = Callable[[str], Tensor]


class Cells(NamedTuple):
    """Cells at one end of the edges, as they are now.

    Attributes:
        states: `(batch, n)` by name.
        parameters: Gives any other name that a synapse may read, `()` up to `(batch, n)`.
        n: How many cells there are.
        free: Whether a held state takes what arrives, `(batch, n)`, where any does not.
        held: Names of held states.
    """

    states: Mapping[str, Tensor]
    parameters: Read
    n: int
    free: Tensor | None = None
    held: Collection[str] = ()

    def read(self, name: str) -> Tensor:
        """A state or parameter."""
        return self.states[name] if name in self.states else self.parameters(name)

    def gate(self, name: str, amount: Tensor) -> Tensor:
        """The part of an amount, `(batch, n)`, that a state takes."""
        return amount if self.free is None or name not in self.held else amount * self.free


class Scope(NamedTuple):
    """What the edges of a projection read in one step, besides their own variables.

    Attributes:
        step, dt_ms: Its number and length.
        shared: Parameters and constants, `()` or `(batch, 1)`, and `w`, `(1 or batch, n_edges)`.
        pre, post: The cells at both ends; None for spikes that come from outside.
        draws: `(1 or batch, n_edges)` random numbers.
    """

    step: int
    dt_ms: float
    shared: Mapping[str, Any]
    pre: Cells | None
    post: Cells
    draws: tuple[Tensor, ...] = ()


class Lanes(dict[str, Any]):
    """Names and what they are in some lanes: all edges, some of all rows, or some of one row each.

    Args:
        variables: Of the edges, `(batch, n_edges)` each, by name.
        scope: Everything else.
        ends: Which cells the edges join: of the source, of the target.
        updated: `(batch, n_edges)` the step in which each was last brought up to date.
        edges: Numbers of the edges; all if None.
        rows: The batch row of each, `(n_lanes,)`; the lanes are `(batch, n_lanes)` if None.
    """

    def __init__(
        self, variables: Mapping[str, Tensor], scope: Scope, ends: tuple[Ends, Ends],
        updated: Tensor | None = None, edges: Tensor | None = None, rows: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._variables, self._scope, self._ends = variables, scope, ends
        self._updated, self._edges, self._rows = updated, edges, rows

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._find(name)
        return value

    def draws(self) -> tuple[Tensor, ...]:
        """The random numbers of these lanes."""
        return tuple(map(self._of_edges, self._scope.draws))

    def taken(self, name: str, new: Any, old: Tensor) -> Any:
        """What a statement leaves in a state of the target: while it is held, the old value."""
        post = self._scope.post
        if post.free is None or name not in post.held:
            return new
        return torch.where(self._of_cells(post, self._ends[1], post.free), new, old)

    def _find(self, name: str) -> Any:
        if name in self._variables:
            return self._of_edges(self._variables[name])
        if name == ELAPSED and self._updated is not None:
            steps = self._scope.step - self._of_edges(self._updated)
            real: Tensor = self._scope.shared["dt"]
            return (steps.to(torch.float64) * self._scope.dt_ms).to(real.dtype)
        if name in self._scope.shared:
            value = self._scope.shared[name]
            return self._of_edges(value) if isinstance(value, Tensor) and value.ndim else value
        pre, post = self._ends
        if name.endswith("_post"):
            cells, ends, name = self._scope.post, post, name.removesuffix("_post")
        elif self._scope.pre is not None:
            cells, ends, name = self._scope.pre, pre, name.removesuffix("_pre")
        else:
            raise KeyError(name)
        return self._of_cells(cells, ends, cells.read(name))

    def _of_edges(self, value: Tensor) -> Tensor:
        """Lanes of `(1 or batch, 1 or n_edges)`."""
        if self._edges is None:
            return value
        return self._taken(value, self._edges)

    def _of_cells(self, cells: Cells, ends: Ends, value: Tensor) -> Tensor:
        """Lanes of what is `()`, `(n,)`, `(batch, 1)` or `(batch, n)`."""
        if value.ndim == 0:
            return value
        value = value if value.ndim == 2 else value[None]
        if self._edges is None:
            return value if value.shape[1] < cells.n else ends.spread(value)
        return self._taken(value, ends.index[self._edges])

    def _taken(self, value: Tensor, columns: Tensor) -> Tensor:
        columns = columns if value.shape[1] > 1 else torch.zeros_like(columns)
        if self._rows is None:
            return value[:, columns]
        return value[self._rows if value.shape[0] > 1 else 0, columns]
