"""Events of plastic synapses without gradients: only the edges that a spike reaches, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neuro.backends.norse.edge_lanes import Scope
from neuro.backends.norse.edge_printer import Event
from neuro.backends.norse.edges import Changed, EdgeState, EdgeStep

__all__ = ["answer_touched", "arrive_touched"]


def arrive_touched(
    edges: EdgeStep, spiked: Tensor, state: EdgeState, scope: Callable[[], Scope]
) -> Changed:
    """`EdgeStep.arrive`, but the state is changed in place.

    Args:
        spiked: `(n, 2)`, a batch row and a tap for each spike that arrives.
        scope: Asked for only where something arrives.
    """
    rows, tap = spiked.unbind(1)
    if not edges.on_pre.statements or not rows.numel():
        return Changed(state, {})
    if edges.on_pre.sets:  # by the time at which they were sent, the longest delay first
        order = torch.argsort(edges.paths.tap_lag[tap], stable=True)
        rows, tap = rows[order], tap[order]
    ends: Tensor = edges.paths.get_buffer("tap_ends")
    lanes = _expanded(rows, ends[tap], ends[tap + 1])  # edges are in the order of their taps
    return _happen(edges, edges.on_pre, edges.code.on_pre, *lanes, state, scope())


def answer_touched(
    edges: EdgeStep, spiked: Tensor, state: EdgeState, scope: Callable[[], Scope]
) -> Changed:
    """`EdgeStep.answer`, but the state is changed in place.

    Args:
        spiked: `(n, 2)`, a batch row and a cell for each spike.
    """
    rows, cell = spiked.unbind(1)
    if not edges.on_post.statements or not rows.numel():
        return Changed(state, {})
    ends, order = edges.post.ends, edges.post.order
    rows, place = _expanded(rows, ends[cell], ends[cell + 1])
    return _happen(edges, edges.on_post, edges.code.on_post, rows, order[place], state, scope())


def _expanded(rows: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Every number of each run `first … last`, with the row of its run."""
    counts = last - first
    which = torch.repeat_interleave(counts)
    start = first - (counts.cumsum(0) - counts)
    return rows[which], start[which] + torch.arange(which.numel(), device=which.device)


def _happen(
    edges: EdgeStep, event: Event, code: Callable[..., dict[str, Any]], rows: Tensor, edge: Tensor,
    state: EdgeState, scope: Scope,
) -> Changed:  # fmt: skip
    if not edge.numel():
        return Changed(state, {})
    cells = dict(scope.post.states)
    groups: list[Tensor | None]
    if event.sets:
        turn = _turn(rows * scope.post.n + edges.post.index[edge])
        last = int(turn.max())
        groups = [turn == k for k in range(last + 1)] if last else [None]
        for name in event.sets:
            cells[name] = cells[name].clone()
    else:
        groups = [None]
    for group in groups:
        r, e = (rows, edge) if group is None else (rows[group], edge[group])
        now = scope._replace(post=scope.post._replace(states=cells))
        lanes = edges.lanes(state, now, e, r)
        found = code(lanes, lanes.draws())
        for name, values in zip(edges.program.variables, state.values, strict=True):
            if name in event.writes:
                values[r, e] = _lane(found[name], values, r)
        target = edges.post.index[e]
        for name in event.sets:
            cells[name][r, target] = _lane(found[f"{name}_post"], cells[name], r)
        for name in event.adds:
            amount = torch.zeros_like(cells[name])
            flat = r * scope.post.n + target
            amount.view(-1).index_add_(0, flat, _lane(found[f"{name}_post"], amount, r))
            cells[name] = cells[name] + scope.post.gate(name, amount)
    for updated in state.updated:
        updated[rows, edge] = scope.step
    return Changed(state, {name: cells[name] for name in (*event.adds, *event.sets)})


def _turn(key: Tensor) -> Tensor:
    """How many lanes with the same key come before each lane."""
    order = torch.argsort(key, stable=True)
    ordered = key[order]
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    place = torch.arange(key.numel(), device=key.device)
    first = torch.cummax(torch.where(new, place, 0), 0).values
    turn = torch.empty_like(order)
    turn[order] = place - first
    return turn


def _lane(value: Any, like: Tensor, rows: Tensor) -> Tensor:
    tensor = value.to(like.dtype) if isinstance(value, Tensor) else like.new_tensor(value)
    return tensor.expand(rows.shape)
