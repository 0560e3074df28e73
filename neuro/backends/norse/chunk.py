"""Some steps of a network: its groups one after another, each as many steps at a time as it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse.bound import BoundNetwork
from neuro.backends.norse.cells import CellState
from neuro.backends.norse.connectivity import Product
from neuro.backends.norse.edges import EdgeState
from neuro.backends.norse.free_run import free_run, silence
from neuro.backends.norse.lockstep import Moment, lockstep, observed_edges
from neuro.backends.norse.post import Post
from neuro.backends.norse.records import Watch
from neuro.backends.norse.schedule import Group
from neuro.backends.norse.state import NetworkState, Trail
from neuro.denormals import flush_denormals

if TYPE_CHECKING:
    from neuro.backends.norse.network import TorchNetwork

__all__ = ["Given", "Pass", "Piece", "run_chunk"]

Run = Callable[..., tuple[Tensor, CellState, tuple[Tensor, ...]]]
_NONE: dict[str, Tensor] = {}


class Given(NamedTuple):
    """What comes from outside in some steps.

    Attributes:
        spikes: Of each source, `(n_steps, batch, n)`.
        drives: Of each population, its inputs over time, `(n_steps, 1 or batch, 1 or n)`.
        products: What projections from sources add to which state, `(n_steps, batch, n_post)`,
            where that was computed before.
    """

    spikes: Mapping[str, Tensor]
    drives: Mapping[str, Mapping[str, Tensor]]
    products: Mapping[str, Mapping[str, Tensor]]


class Piece(NamedTuple):
    """What some steps gave.

    Attributes:
        spikes: Of each population that spikes, `(n_steps, batch, n)`.
        traces: Of each record, in order, `(n_frames, batch, n_cells)`.
        levels, factors: `(n_steps, batch, 1)` of each transmitter and each modulated parameter.
    """

    spikes: dict[str, Tensor]
    traces: tuple[Tensor, ...]
    levels: dict[str, Tensor]
    factors: dict[str, Tensor]


class Pass(NamedTuple):
    """A network with its values bound, ready to be stepped.

    Attributes:
        run: What steps a population: `free_run`, or that compiled.
        most: Steps that a population takes at once at most; 0 if as many as it can.
        post: Delivers spikes by touching what they reach, in place; without gradients alone.
        operators: Deliver them otherwise: of each static projection, by the state it adds to.
    """

    network: TorchNetwork
    bound: BoundNetwork
    batch: int
    seeds: int | Sequence[int]
    watched: Sequence[Watch] = ()
    run: Run = free_run
    most: int = 0
    post: Post | None = None
    operators: Mapping[str, Mapping[str, Product]] = MappingProxyType({})

    def products(self, name: str, taps: Tensor) -> dict[str, Tensor]:
        """`(n_steps, batch, n_post)` what taps add to the states of a projection's target."""
        paths, done = self.network.paths[name], dict[int, Tensor]()
        found = {}
        for state, product in self.operators[name].items():
            if id(product) not in done:
                done[id(product)] = paths(taps, product, half=self.network.rounds_weights)
            found[state] = done[id(product)]
        return found


def run_chunk(
    over: Pass, state: NetworkState, given: Given, n_steps: int
) -> tuple[NetworkState, Piece]:
    """Go on from a state by some steps: where that leads, and what it gave."""
    with flush_denormals():
        chunk = _Chunk(over, state, given, n_steps)
        for number, group in enumerate(over.network.plan.groups):
            now, most = chunk.first, min(filter(None, (group.most, over.most)), default=n_steps)
            while now < chunk.stop:
                taken = min(most, chunk.stop - now)
                chunk.advance(number, group, now, taken)
                now += taken
        return chunk.state(), chunk.piece()


class _Chunk:
    """A chunk under way; everything that grows in it."""

    def __init__(self, over: Pass, state: NetworkState, given: Given, n_steps: int) -> None:
        self._over, self._given, self._network = over, given, over.network
        self.first, self.stop = state.step, state.step + n_steps
        room = 0 if over.post is None else n_steps
        self._trails = {name: Trail(x, state.step, room) for name, x in state.spikes.items()}
        for name, spikes in given.spikes.items():
            self._trails[name].add(spikes)
        self._cells, self._edges = dict(state.cells), dict(state.edges)
        self._sums = dict(state.sums)
        self._levels = {name: Trail(x[None], state.step) for name, x in state.levels.items()}
        self._traces: list[list[Tensor]] = [[] for _ in over.watched]
        self._depths = {name: x.shape[0] for name, x in state.spikes.items()}
        network, seeds = self._network, over.seeds
        self._draws = {
            name: part.draw(seeds, self.first, n_steps)
            for kind in (network.cells, network.edges)
            for name, part in kind.items()
            if part.draws
        }
        self._counts = {
            name: part.draw(seeds, self.first, n_steps, network.dtype)
            for name, part in network.arrivals.items()
        }

    def advance(self, number: int, group: Group, now: int, n_steps: int) -> None:
        """Some steps of one group."""
        factors = self._modulate(number, group, now, n_steps)
        arrivals = self._arrivals(number, group, now, n_steps, factors)
        if group.plastic:
            self._lockstep(group, now, arrivals, factors)
        else:
            for name in group.populations:
                self._free_run(name, now, n_steps, arrivals[name], factors)
        if self._over.post is not None:
            for name in self._over.post.senders(number) & set(group.populations):
                spikes = self._trails[name].between(now, now + n_steps)
                self._over.post.post(number, name, spikes, now)

    def _modulate(self, number: int, group: Group, now: int, n_steps: int) -> Mapping[str, Tensor]:
        """The group's concentrations, and the factors that act on it, `(n_steps, batch, 1)`."""
        network = self._network
        values, modulators = self._over.bound.modulators, network.modulators
        for k in group.transmitters:
            transmitter = network.built.network.transmitters[k]
            released, trail = None, self._levels[transmitter.name]
            if transmitter.released_by:
                past = now - modulators.release[k]
                spikes = self._trails[transmitter.released_by].between(past, past + n_steps)
                released = spikes.mean(-1, keepdim=True, dtype=torch.float64)
            trail.add(modulators.course(k, trail.last(1)[0], released, values, now, n_steps))
        keys = network.plan.keys[number]
        if not keys:
            return _NONE
        levels = {
            k: self._levels[t.name].between(now, now + n_steps)
            for k, t in enumerate(network.built.network.transmitters)
            if self._levels[t.name].end >= now + n_steps
        }
        found = modulators.factors(levels, values, keys)
        return {key: factor.to(network.dtype) for key, factor in found.items()}

    def _arrivals(
        self, number: int, group: Group, now: int, n_steps: int, factors: Mapping[str, Tensor]
    ) -> dict[str, dict[str, Tensor]]:
        """What static synapses and backgrounds add to which state, `(n_steps, batch, n)`."""
        found: dict[str, dict[str, Tensor]] = {name: {} for name in group.populations}
        network, post = self._network, self._over.post

        def take(population: str, state: str, amount: Tensor, factor: str) -> None:
            amount = amount * factors[factor] if factor else amount
            so_far = found[population].get(state)
            found[population][state] = amount if so_far is None else so_far + amount

        if post is not None:
            for name in post.senders(number) - set(group.populations):
                post.post(number, name, self._trails[name].between(now, now + n_steps), now)
            for one, amount in post.collect(number, now, n_steps):
                scaled = amount if one.scale is None else amount * one.scale
                take(one.population, one.state, scaled, one.factor)
        else:
            for projection in network.plan.incoming[number]:
                data = projection.projection
                factor = network.plan.weight_factors.get(data.name, "")
                for state, amount in self._product(data.name, data.source, now, n_steps).items():
                    take(data.target, state, amount, factor)
        span = slice(now - self.first, now - self.first + n_steps)
        for built in network.built.backgrounds:
            name, target = built.background.name, built.background.target
            if target in found and built.arrivals:
                counts = self._counts[name][span]
                for state, weight in self._over.bound.arrivals[name].items():
                    take(target, state, counts * weight, network.plan.weight_factors.get(name, ""))
        return found

    def _product(self, name: str, source: str, now: int, n_steps: int) -> Mapping[str, Tensor]:
        if name in self._given.products:
            begin = now - self.first
            given = self._given.products[name]
            return {state: x[begin : begin + n_steps] for state, x in given.items()}
        return self._over.products(name, self._taps(name, source, now, n_steps))

    def _taps(self, name: str, source: str, now: int, n_steps: int) -> Tensor:
        paths = self._network.paths[name]
        return paths.taps(self._trails[source].between(*paths.span(now, n_steps)))

    def _free_run(
        self, name: str, now: int, n_steps: int, arrivals: Mapping[str, Tensor],
        factors: Mapping[str, Tensor],
    ) -> None:  # fmt: skip
        span = slice(now - self.first, now - self.first + n_steps)
        watched = self._watched(name, now, n_steps)
        variables = tuple(dict.fromkeys(self._over.watched[k].variable for k in watched))
        spikes, self._cells[name], traces = self._over.run(
            self._network.cells[name], self._cells[name], now, n_steps,
            self._over.bound.cells[name], arrivals,
            {n: x[span] for n, x in self._given.drives.get(name, _NONE).items()},
            {n: factors[key] for n, key in self._network.plan.factors_on("cells", name).items()},
            [x[span] for x in self._draws.get(name, ())], variables, self._over.batch,
        )  # fmt: skip
        self._trails[name].add(spikes)
        kept = dict(zip(variables, traces, strict=True))
        for k in watched:
            watch = self._over.watched[k]
            self._traces[k].append(watch.taken(now, kept[watch.variable]))

    def _watched(self, owner: str, now: int, n_steps: int) -> list[int]:
        """The records of a population or projection that have a frame in these steps."""
        return [
            k for k, watch in enumerate(self._over.watched)
            if watch.owner == owner and -now % watch.every < n_steps
        ]  # fmt: skip

    def _lockstep(
        self, group: Group, now: int, arrivals: Mapping[str, Mapping[str, Tensor]],
        factors: Mapping[str, Tensor],
    ) -> None:  # fmt: skip
        network, at = self._network, now - self.first
        cells = {name: network.cells[name] for name in group.populations}
        edges = {name: network.edges[name] for name in group.plastic}
        ends = {name: network.plan.ends[name] for name in group.plastic}
        moment = Moment(
            now,
            {name: {s: x[0] for s, x in arrivals[name].items()} for name in cells},
            {name: self._taps(name, ends[name][0], now, 1)[0] for name in edges},
            {name: {n: x[at] for n, x in self._given.drives.get(name, _NONE).items()}
             for name in cells},
            {name: {n: factors[key][0] for n, key in network.plan.factors_on(kind, name).items()}
             for kind, owners in (("cells", cells), ("edges", edges)) for name in owners},
            {name: [x[at] for x in self._draws.get(name, ())] for name in (*cells, *edges)},
        )  # fmt: skip
        states = {name: self._cells[name] for name in cells}
        memory = {name: self._edges[name] for name in edges}
        self._observe(group, moment, states, memory)
        spikes, states, memory, sums = lockstep(
            cells, edges, ends, self._over.bound, moment, states, memory,
            in_place=self._over.post is not None,
        )  # fmt: skip
        self._cells |= states
        self._edges |= memory
        self._sums |= sums
        for name, cell in cells.items():
            fired = spikes.get(name)
            bound = self._over.bound.cells[name]
            if fired is None:
                self._trails[name].add(silence(bound, 1, self._over.batch, cell.n))
            else:
                self._trails[name].add(fired.expand(self._over.batch, -1)[None])

    def _observe(
        self, group: Group, moment: Moment, states: Mapping[str, CellState],
        memory: Mapping[str, EdgeState],
    ) -> None:  # fmt: skip
        network, bound, batch = self._network, self._over.bound, self._over.batch
        cells = {name: network.cells[name] for name in group.populations}
        edges = {name: network.edges[name] for name in group.plastic}
        for name in group.populations:
            for k in self._watched(name, moment.step, 1):
                inputs = {**moment.inputs[name], **self._sums.get(name, _NONE)}
                value = network.cells[name].observe(
                    self._over.watched[k].variable, states[name], moment.step, bound.cells[name],
                    inputs, moment.factors[name], moment.draws[name],
                )  # fmt: skip
                value = value.expand(batch, network.cells[name].n)[None]
                self._traces[k].append(self._over.watched[k].taken(moment.step, value))
        for name in group.plastic:
            for k in self._watched(name, moment.step, 1):
                value = observed_edges(
                    name, self._over.watched[k].variable, edges, cells, network.plan.ends, bound,
                    moment, states, memory,
                )  # fmt: skip
                # What is touched later must not change what was kept.
                value = value.expand(batch, -1)[None].clone()
                self._traces[k].append(self._over.watched[k].taken(moment.step, value))

    def state(self) -> NetworkState:
        """Where the chunk leads."""
        spikes = {name: self._trails[name].last(depth) for name, depth in self._depths.items()}
        if self._over.post is not None:  # else they would hold on to the whole chunk
            spikes = {name: recent.clone() for name, recent in spikes.items()}
        levels = {name: trail.last(1)[0] for name, trail in self._levels.items()}
        return NetworkState(self.stop, self._cells, spikes, self._edges, levels, self._sums)

    def piece(self) -> Piece:
        """What the chunk gave."""
        network = self._network
        levels = {name: trail.since(self.first) for name, trail in self._levels.items()}
        by_number = dict(enumerate(levels.values()))
        return Piece(
            {name: self._trails[name].since(self.first)
             for name, cell in network.cells.items() if cell.program.threshold},
            tuple(self._joined(k) for k in range(len(self._traces))),
            levels,
            network.modulators.factors(by_number, self._over.bound.modulators,
                                       network.modulators.keys),
        )  # fmt: skip

    def _joined(self, k: int) -> Tensor:
        kept = self._traces[k]
        if kept:
            return torch.cat(kept)
        watch = self._over.watched[k]
        n = len(watch.cells) or self._network.size_of(watch.owner)
        return self._network.like.new_zeros(0, self._over.batch, n)
