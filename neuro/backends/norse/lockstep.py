"""Populations whose synapses look at them in every step, one step in Brian2's order.

Sums over synapses and their clock-driven variables, from values at the start; update and
threshold; arriving spikes, static ones first; the targets' own spikes; reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from neuro.backends.norse.bound import BoundNetwork
from neuro.backends.norse.cells import CellState, CellStep
from neuro.backends.norse.edge_lanes import Cells, Scope
from neuro.backends.norse.edges import Changed, EdgeState, EdgeStep
from neuro.backends.norse.touched import answer_touched, arrive_touched

__all__ = ["Moment", "lockstep", "observed_edges"]

_NONE: dict[str, Tensor] = {}


class Moment(NamedTuple):
    """What a step is given, by population and by projection.

    `taps` are `(batch, taps)` of each plastic projection, `arrivals` what static synapses add.
    """

    step: int
    arrivals: Mapping[str, Mapping[str, Tensor]]
    taps: Mapping[str, Tensor]
    inputs: Mapping[str, Mapping[str, Tensor]]
    factors: Mapping[str, Mapping[str, Tensor]]
    draws: Mapping[str, Sequence[Tensor]]


def lockstep(
    cells: Mapping[str, CellStep], edges: Mapping[str, EdgeStep],
    ends: Mapping[str, tuple[str, str]], bound: BoundNetwork, moment: Moment,
    states: Mapping[str, CellState], remembered: Mapping[str, EdgeState], *, in_place: bool,
) -> tuple[
    dict[str, Tensor], dict[str, CellState], dict[str, EdgeState], dict[str, dict[str, Tensor]]
]:  # fmt: skip
    """One step of some populations and of all plastic projections onto them.

    Args:
        ends: Source and target of each projection.
        in_place: Touch only the edges that spikes reach, and change `remembered` itself.

    Returns:
        Spikes, states of cells, states of edges, and the sums over synapses.
    """
    world = _World(cells, edges, ends, bound, moment)
    start = dict(states)
    sums: dict[str, dict[str, Tensor]] = {}
    memory = dict(remembered)
    for name, edge in edges.items():
        if not (edge.program.summed or edge.program.step):
            continue
        scope = world.scope(name, start, start)
        sums.setdefault(ends[name][1], {}).update(edge.sums(memory[name], scope))
        memory[name] = edge.step(memory[name], scope)
    about = {name: world.about(name, sums.get(name, _NONE)) for name in cells}
    spikes, now = {}, dict(states)
    for name, cell in cells.items():
        fired, now[name] = cell.update(states[name], *about[name])
        if cell.program.threshold:
            spikes[name] = fired
    middle = dict(now)
    for name, cell in cells.items():
        now[name] = cell.deliver(now[name], moment.arrivals[name])

    def take(name: str, changed: Changed) -> None:
        memory[name] = changed.state
        target = ends[name][1]
        now[target] = world.replaced(target, now[target], changed.cells)

    for name, edge in edges.items():
        if in_place:
            seen = partial(world.scope, name, middle, now)
            take(name, arrive_touched(edge, moment.taps[name].nonzero(), memory[name], seen))
        else:
            scope = world.scope(name, middle, now)
            take(name, edge.arrive(moment.taps[name], memory[name], scope))
    spiked = {n: x.nonzero() for n, x in spikes.items()} if in_place else {}
    for name, edge in edges.items():
        target = ends[name][1]
        if target in spiked:
            seen = partial(world.scope, name, middle, now)
            take(name, answer_touched(edge, spiked[target], memory[name], seen))
        elif target in spikes:
            scope = world.scope(name, middle, now)
            take(name, edge.answer(spikes[target], memory[name], scope))
    for name, fired in spikes.items():
        now[name] = cells[name].reset(now[name], fired, *about[name])
    return spikes, now, memory, sums


def observed_edges(
    name: str, variable: str, edges: Mapping[str, EdgeStep], cells: Mapping[str, CellStep],
    ends: Mapping[str, tuple[str, str]], bound: BoundNetwork, moment: Moment,
    states: Mapping[str, CellState], remembered: Mapping[str, EdgeState],
) -> Tensor:  # fmt: skip
    """A variable of a projection's edges at the start of a step, `(batch, n_edges)`."""
    scope = _World(cells, edges, ends, bound, moment).scope(name, states, states)
    return edges[name].observe(variable, remembered[name], scope)


class _World:
    """What the synapses of a group can see."""

    def __init__(
        self, cells: Mapping[str, CellStep], edges: Mapping[str, EdgeStep],
        ends: Mapping[str, tuple[str, str]], bound: BoundNetwork, moment: Moment,
    ) -> None:  # fmt: skip
        self._cells, self._ends, self._bound, self._moment = cells, ends, bound, moment
        self._edges = edges
        self._shared: dict[str, dict[str, Any]] = {}

    def scope(
        self, name: str, pre: Mapping[str, CellState], post: Mapping[str, CellState]
    ) -> Scope:
        """What a projection's synapses read, the cells at both ends being as given."""
        source, target = self._ends[name]
        moment, edge = self._moment, self._edges[name]
        if name not in self._shared:
            self._shared[name] = edge.shared(
                self._bound.edges[name], moment.factors.get(name, _NONE), moment.step
            )
        return Scope(
            moment.step, edge.dt_ms, self._shared[name],
            self._end(source, pre[source]) if source in self._cells else None,
            self._end(target, post[target]), tuple(moment.draws.get(name, ())),
        )  # fmt: skip

    def _end(self, name: str, state: CellState) -> Cells:
        program = self._cells[name].program
        bound, factors = self._bound.cells[name], self._moment.factors.get(name, _NONE)
        inputs = self._moment.inputs[name]

        def parameter(wanted: str) -> Tensor:
            if wanted in inputs:
                return inputs[wanted]
            value = bound[wanted]
            return value * factors[wanted] if wanted in factors else value

        return Cells(
            dict(zip(program.states, state.values, strict=True)), parameter, self._cells[name].n,
            state.free[0] if state.free else None, program.held,
        )  # fmt: skip

    def about(self, name: str, sums: Mapping[str, Tensor]) -> tuple[Any, ...]:
        """The arguments that a population's functions share."""
        moment = self._moment
        return (
            moment.step, self._bound.cells[name], {**moment.inputs[name], **sums},
            moment.factors.get(name, _NONE), moment.draws.get(name, ()),
        )  # fmt: skip

    def replaced(self, name: str, state: CellState, changed: Mapping[str, Tensor]) -> CellState:
        """A population's state with some of its variables anew."""
        if not changed:
            return state
        pairs = zip(self._cells[name].program.states, state.values, strict=True)
        return state._replace(values=tuple(changed.get(n, value) for n, value in pairs))
