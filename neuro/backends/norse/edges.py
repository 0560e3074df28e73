"""Synapses with a state of their own as a torch module: an EdgeProgram for all edges at once.

With gradients every edge is computed in every step, and a mask of arriving spikes says which ones
take the result, so that gradients reach the spikes too. Without, only the edges of cells that
spiked are touched, in place (`touched.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse._values import Values
from neuro.backends.norse.connectivity import Paths
from neuro.backends.norse.edge_lanes import Lanes, Scope
from neuro.backends.norse.edge_printer import EdgePrinter, Event
from neuro.backends.norse.lanes import Ends
from neuro.backends.norse.printed import Printed
from neuro.backends.norse.random import normal, stream_of, uniform, words
from neuro.edges import BuiltProjection

__all__ = ["EdgeState", "EdgeStep"]

_REAL = torch.float64


class EdgeState(NamedTuple):
    """What the edges of one projection remember.

    Attributes:
        values: `(batch, n_edges)` for each of the program's variables, in its order.
        updated: One int64 tensor of that shape, the step in which each edge was last brought up to
            date; empty if nothing is event-driven.
    """

    values: tuple[Tensor, ...]
    updated: tuple[Tensor, ...]

    def copy(self) -> EdgeState:
        """The same state in memory of its own."""
        return EdgeState(*(tuple(x.clone() for x in part) for part in self))


class EdgeStep(torch.nn.Module):
    """The synapses of one projection.

    Args:
        built: The projection, which has an EdgeProgram.
        paths: Its edges.
        dtype: Of the cells. Synapses compute in double precision whatever it is: their variables
            may change by little at each of many events, and weights remember all of it.
        trainable: Names of parameters that are `torch.nn.Parameter`s (`edges.given.<name>`).
        modulated: Parameters that effects scale.
    """

    def __init__(
        self, built: BuiltProjection, paths: Paths, *, dtype: torch.dtype = torch.float32,
        trainable: Collection[str] = (), modulated: Collection[str] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        if built.edge is None:
            raise ValueError(f"projection {built.projection.name} has no edge program")
        self.name, self.program, self.dtype = built.projection.name, built.edge, _REAL
        self._of_cells = dtype
        self.paths, self.dt_ms = paths, built.dt_ms
        printer = EdgePrinter(built.edge, "float64", modulated)
        self.source, self.code = printer.source, Printed(printer.source)
        self.draws = tuple(printer.draws)
        self._tells_time = 'E__["t"]' in printer.source
        self.on_pre, self.on_post = printer.on_pre, printer.on_post
        self._start = dict(built.edge_initial)
        self.given = Values(built.edge_parameters, trainable, _REAL)
        numbers = {**printer.numbers, "dt": built.dt_ms}
        self._numbers = Values(numbers, (), _REAL, persistent=False)
        self.post, self.pre = Ends(paths.target, paths.n_post), Ends(paths.source, paths.n_pre)
        self.taps = Ends(paths.tap, paths.n_taps)
        # What arrives in one step comes in the order in which it was sent.
        self.arriving = _turns(paths.target, -paths.delay) if self.on_pre.sets else ()
        self.answering = _turns(paths.target, paths.source) if self.on_post.sets else ()

    def bind(
        self, weights: Tensor, overrides: Mapping[str, Tensor] | None = None
    ) -> dict[str, Any]:
        """Parameters, `()` or `(batch, 1)`, and what is computed from them once a pass.

        Args:
            weights: What the edges start with, `()`, `(n_edges,)`, `(batch, 1)` or
                `(batch, n_edges)`.
        """
        bound: dict[str, Any] = {**self._numbers.all(), **self.given.all(), **(overrides or {})}
        weights = weights.expand(*weights.shape[:-1], self.paths.n_edges)
        bound["w"] = (weights if weights.ndim == 2 else weights[None]).to(_REAL)
        return {**bound, **self.code.bind(bound)}

    def initial(self, batch: int, bound: Mapping[str, Any]) -> EdgeState:
        """The state before the first step."""
        shape = (batch, self.paths.n_edges)
        like: Tensor = bound["w"]
        values = tuple(
            like.expand(shape) if name == "w" else like.new_full(shape, self._start[name])
            for name in self.program.variables
        )
        if not self.program.advance:
            return EdgeState(values, ())
        return EdgeState(values, (torch.zeros(shape, dtype=torch.int64, device=like.device),))

    def draw(self, seeds: int | Sequence[int], first_step: int, n_steps: int) -> tuple[Tensor, ...]:
        """Random numbers for steps `first_step …`, `(n_steps, n_seeds, n_edges)` for each draw."""
        stream, makers = stream_of(f"edges {self.name}"), {"rand": uniform, "randn": normal}
        device, n = self.paths.source.device, self.paths.n_edges
        return tuple(
            makers[kind](words(seeds, stream + k, n, first_step, n_steps, device), self._of_cells)
            for k, kind in enumerate(self.draws)
        )

    def shared(
        self, bound: Mapping[str, Any], factors: Mapping[str, Tensor], step: int
    ) -> dict[str, Any]:
        """What all edges read in this step; `factors` are `(batch, 1)`, also on `weight`."""
        scope = {**bound, "arrive__": factors.get("weight", 1.0)}
        if self._tells_time:
            time = torch.tensor(step * self.dt_ms, dtype=torch.float64)
            scope["t"] = time.to(bound["w"])
        # An effect on `weight` is on the projection's weight, whatever the parameters are called.
        parameters = set(self.program.parameters) - {"weight"}
        scope |= {n: bound[n] * f for n, f in factors.items() if n in parameters}
        return {**scope, **self.code.early(scope)}

    def sums(self, state: EdgeState, scope: Scope) -> dict[str, Tensor]:
        """`(1 or batch, n_post)` what the edges give each summed variable of their targets."""
        if not self.program.summed:
            return {}
        found = self.code.sums(self.lanes(state, scope), scope.draws)
        n = self.paths.n_edges
        like: Tensor = scope.shared["w"]
        return {
            name: self.post.sum(_tensor(value, like).expand(_rows(value), n)).to(self._of_cells)
            for name, value in found.items()
        }

    def step(self, state: EdgeState, scope: Scope) -> EdgeState:
        """Advance the clock-driven variables, from values at the start of the step."""
        if not self.program.step:
            return state
        found = self.code.step(self.lanes(state, scope), scope.draws)
        pairs = zip(self.program.variables, state.values, strict=True)
        return state._replace(
            values=tuple(
                _tensor(found[name], old).expand(old.shape) if name in found else old
                for name, old in pairs
            )
        )

    def observe(self, name: str, state: EdgeState, scope: Scope) -> Tensor:
        """A variable, as the last spike left it, or a subexpression; `(batch, n_edges)`."""
        if name in self.program.variables:
            return state.values[self.program.variables.index(name)]
        value = getattr(self.code, f"observe_{name}")(self.lanes(state, scope), scope.draws)[name]
        return _tensor(value, scope.shared["w"]).expand(-1, self.paths.n_edges)

    def arrive(self, taps: Tensor, state: EdgeState, scope: Scope) -> Changed:
        """`on_pre` of the edges where a spike arrives; `taps` is `(batch, taps)`, 1 at those."""
        if not self.on_pre.statements:
            return Changed(state, {})
        mask = self.taps.spread(taps)
        return self._masked(self.on_pre, self.code.on_pre, mask, state, scope, self.arriving)

    def answer(self, spikes: Tensor, state: EdgeState, scope: Scope) -> Changed:
        """`on_post` of the edges whose target spiked; `spikes` is `(batch, n_post)`."""
        if not self.on_post.statements:
            return Changed(state, {})
        mask = self.post.spread(spikes)
        return self._masked(self.on_post, self.code.on_post, mask, state, scope, self.answering)

    def lanes(
        self, state: EdgeState, scope: Scope, edges: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Lanes:  # fmt: skip
        """What the code reads in some lanes; see `Lanes`."""
        variables = dict(zip(self.program.variables, state.values, strict=True))
        updated = state.updated[0] if state.updated else None
        return Lanes(variables, scope, (self.pre, self.post), updated, edges, rows)

    def _masked(
        self,
        event: Event,
        code: Any,
        mask: Tensor,
        state: EdgeState,
        scope: Scope,
        turns: tuple[Tensor, ...],
    ) -> Changed:
        """All edges are computed; where `mask` is 1, `(batch, n_edges)`, they take the result."""
        if event.sets:
            return self._in_turns(event, code, mask, state, scope, turns)
        lanes, mask = self.lanes(state, scope), mask.to(_REAL)
        found = code(lanes, scope.draws)
        cells = scope.post.states
        changed = {}
        for name in event.adds:
            amount = self.post.sum(found[f"{name}_post"] * mask).to(cells[name].dtype)
            changed[name] = cells[name] + scope.post.gate(name, amount)
        values = [
            torch.lerp(old, _tensor(found[name], old), mask) if name in event.writes else old
            for name, old in zip(self.program.variables, state.values, strict=True)
        ]
        return Changed(EdgeState(tuple(values), self._updated(state, mask, scope.step)), changed)

    def _in_turns(
        self,
        event: Event,
        code: Any,
        mask: Tensor,
        state: EdgeState,
        scope: Scope,
        turns: tuple[Tensor, ...],
    ) -> Changed:
        """Edges of one target one after the other, since each reads what the one before wrote."""
        values = dict(zip(self.program.variables, state.values, strict=True))
        cells, mask = dict(scope.post.states), mask.to(_REAL)
        for edges in turns:
            now = scope._replace(post=scope.post._replace(states=cells))
            own = state._replace(values=tuple(values.values()))
            lanes = self.lanes(own, now, edges)
            found = code(lanes, lanes.draws())
            here, targets = mask[:, edges], self.post.index[edges]
            for name in event.writes:
                old = values[name][:, edges]
                new = torch.lerp(old, _tensor(found[name], old), here)
                values[name] = values[name].index_copy(1, edges, new)
            for name in event.sets:
                old = cells[name][:, targets]
                new = torch.lerp(old.to(_REAL), _tensor(found[f"{name}_post"], old), here)
                new = new.to(old.dtype)
                cells[name] = cells[name].index_copy(1, targets, new)
        updated = self._updated(state, mask, scope.step)
        changed = {name: cells[name] for name in event.sets}
        return Changed(EdgeState(tuple(values.values()), updated), changed)

    def _updated(self, state: EdgeState, mask: Tensor, step: int) -> tuple[Tensor, ...]:
        return tuple(torch.where(mask > 0.5, step, old) for old in state.updated)


class Changed(NamedTuple):
    """The edges after an event, and the states of the target that it changed."""

    state: EdgeState
    cells: dict[str, Tensor]


def _turns(target: Tensor, rank: Tensor) -> tuple[Tensor, ...]:
    """Groups of edges that all have different targets; each target's edges by rank."""
    order = torch.argsort(rank, stable=True)
    order = order[torch.argsort(target[order], stable=True)]
    counts = torch.bincount(target)
    first = (counts.cumsum(0) - counts)[target[order]]
    turn = torch.empty_like(order)
    turn[order] = torch.arange(order.numel()) - first
    return tuple(
        torch.nonzero(turn == k)[:, 0] for k in range(int(turn.max()) + 1 if turn.numel() else 0)
    )


def _tensor(value: Any, like: Tensor) -> Tensor:
    return value.to(_REAL) if isinstance(value, Tensor) else like.new_tensor(value, dtype=_REAL)


def _rows(value: Any) -> int:
    return int(value.shape[0]) if isinstance(value, Tensor) and value.ndim == 2 else 1
