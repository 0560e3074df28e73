"""A whole network as a torch module: time first, then batch, ready for any optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from neuro.backends.norse._values import Values
from neuro.backends.norse.assembly import Assembly, Trainable
from neuro.backends.norse.backgrounds import Arrivals
from neuro.backends.norse.bound import BoundNetwork, rows_of
from neuro.backends.norse.chunk import Given, Pass, Piece, run_chunk
from neuro.backends.norse.compiled import Compiled
from neuro.backends.norse.connectivity import Paths
from neuro.backends.norse.free_run import free_run
from neuro.backends.norse.inputs import Inputs, OwnInputs
from neuro.backends.norse.modulators import Modulators, modulator_values
from neuro.backends.norse.names import Place
from neuro.backends.norse.parts import Parts, key_of
from neuro.backends.norse.plan import Plan
from neuro.backends.norse.post import Post
from neuro.backends.norse.records import watches
from neuro.backends.norse.state import NetworkState, Trail
from neuro.backends.norse.surrogate import Surrogate
from neuro.build import Built
from neuro.errors import NetworkError
from neuro.network import Record, participants

__all__ = ["Output", "TorchNetwork"]

_UNROLLED = 20  # steps of a compiled block: engineering choice; longer ones compile for minutes
_AT_ONCE = 1 << 22  # numbers that a chunk without gradients keeps: engineering choice, 16 MB
_LONGEST = 1000  # steps of such a chunk


class Output(NamedTuple):
    """What a pass gave, time first, then batch.

    Attributes:
        spikes: Of each population that spikes, `(n_steps, batch, n)` of 0 and 1.
        traces: Of each record, by `owner.variable`, `(n_frames, batch, n_cells)`.
        concentrations: Of each transmitter, in nM, `(n_steps, batch)`.
        factors: Of each modulated parameter, by `target.parameter`, `(n_steps, batch)`.
    """

    spikes: dict[str, Tensor]
    traces: dict[str, Tensor]
    concentrations: dict[str, Tensor]
    factors: dict[str, Tensor]


class TorchNetwork(torch.nn.Module):
    """A built network; made by `torch_network`, which see.

    Attributes:
        built: The network it steps.
        cells, edges, weights: Its modules, by the names of the network's parts.
        plan: In which order, and how many steps at a time, its populations are stepped.
    """

    def __init__(
        self, built: Built, *, trainable: Trainable = (), streamed: Sequence[str] = (),
        surrogate: Surrogate | None = None, dtype: torch.dtype = torch.float32,
        checkpoint: bool | int = True, compile: bool | int = False,
        reset_gradient: bool = False, half: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.built, self.dtype, self.rounds_weights = built, dtype, half
        self.checkpoint = checkpoint
        self._compiled = (
            Compiled(_UNROLLED if compile is True else int(compile)) if compile else None
        )
        how = Assembly.of(
            built, trainable, streamed, dtype=dtype, surrogate=surrogate or Surrogate(),
            reset_gradient=reset_gradient,
        )  # fmt: skip
        self._streamed = frozenset(
            f"{owner}.{name}" for owner, names in how.streamed.items() for name in names
        )
        self.cells = Parts({p.name: how.cell(p) for p in built.populations})
        named = {p.projection.name: p for p in built.projections}
        self.paths = Parts({name: Paths(p) for name, p in named.items()})
        self.edges = Parts({n: how.edge(p, self.paths[n]) for n, p in named.items() if p.edge})
        weights = {n: how.weight(n, p.weight, p.source.size) for n, p in named.items()}
        for b in built.backgrounds:
            weights[b.background.name] = how.weight(b.background.name, b.weight, 1)
        self.weights = Parts(weights)
        sizes = {p.name: p.n for p in built.populations}
        self.arrivals = Parts({
            b.background.name: Arrivals(b, sizes[b.background.target])
            for b in built.backgrounds
            if b.arrivals
        })  # fmt: skip
        self.modulators = Modulators(built)
        self._own = OwnInputs(built, dtype)
        numbers = modulator_values(built)
        trained = how.trained.get(("modulator", ""), {})
        self._keys = {key_of(name): name for name in numbers}
        self._numbers = Values(
            {key_of(name): value for name, value in numbers.items()},
            [key_of(name) for name in trained], torch.float64, persistent=False,
        )  # fmt: skip
        self.register_buffer("_like", torch.zeros((), dtype=dtype), persistent=False)

        self.plan = Plan(built, self.paths, how.modulated)

    @property
    def like(self) -> Tensor:
        """A number of this network's type, where its tensors are."""
        return self.get_buffer("_like")

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.like.device

    def numbers(self) -> dict[str, Tensor]:
        """The values of transmitters, receptors and effects, by name."""
        return {self._keys[key]: value for key, value in self._numbers.all().items()}

    def width(self, place: Place) -> int:
        """How many values a row may have of what a name stands for."""
        if place.kind in ("cells", "start"):
            return self.cells[place.owner].n
        weighs = place.kind == "weight" and place.owner in self.paths
        return self.paths[place.owner].n_edges if weighs else 1

    def size_of(self, owner: str) -> int:
        """How many cells a population has, or edges a projection."""
        return self.cells[owner].n if owner in self.cells else self.paths[owner].n_edges

    def initial(self, batch: int = 1, settings: Mapping[str, Any] | None = None) -> NetworkState:
        """The state before the first step."""
        return self._initial(BoundNetwork(self, settings or {}, batch), batch)

    def _initial(self, bound: BoundNetwork, batch: int) -> NetworkState:
        cells = {
            name: cell.initial(batch, bound.cells[name], bound.starts[name])
            for name, cell in self.cells.items()
        }
        sizes = {p.name: p.n for p in participants(self.built.network)}
        spikes = {
            name: self.like.new_zeros(depth, batch, sizes[name])
            for name, depth in self.plan.depths.items()
        }
        edges = {name: edge.initial(batch, bound.edges[name]) for name, edge in self.edges.items()}
        levels = self.modulators.initial(bound.modulators, batch)
        names = [t.name for t in self.built.network.transmitters]
        sums = {
            name: {n: self.like.new_zeros(batch, cell.n) for n in cell.program.summed}
            for name, cell in self.cells.items()
            if cell.program.summed
        }
        return NetworkState(0, cells, spikes, edges, dict(zip(names, levels, strict=True)), sums)

    def forward(
        self, inputs: Mapping[str, Any] | None = None, state: NetworkState | None = None, *,
        n_steps: int | None = None, batch: int | None = None,
        settings: Mapping[str, Any] | None = None, seeds: int | Sequence[int] | None = None,
        record: Sequence[Record | str] = (),
    ) -> tuple[Output, NetworkState]:  # fmt: skip
        """Run the network, and hand back what it did and where that led.

        Args:
            inputs: Spikes of sources, `(n_steps, batch, n)`, by the source's name, and values of
                populations' inputs, `(n_steps, batch, 1 or n)`, by `population.variable`. What is
                not given is taken from the network, whose own sources and drives begin at 0 ms.
            state: Where to go on from; the start if None.
            n_steps: Length of the run, where no input tells it.
            batch: How many runs at once, where nothing else tells it.
            settings: Values for each row of the batch, `(batch,)` or `(batch, n)`, by name (see
                `names`): as many settings of the network as rows in one call.
            seeds: Of the noise: one for all rows, or one for each. The network's own if None: a
                row is then the same as a run by itself.
            record: What to keep besides spikes: `population.variable`, every step; or Records.

        Raises:
            NetworkError: if a name, shape or value does not fit.
            SimulationError: if compiled code gives something else.
        """
        pieces: list[Piece] = []
        reached = state
        for reached, piece in self.stream(  # noqa: B007  # where it ends
            inputs, state, n_steps=n_steps, batch=batch, settings=settings, seeds=seeds,
            record=record,
        ):  # fmt: skip
            pieces.append(piece)
        names = [watch.name for watch in watches(self.built, record)]
        joined = Output(
            {name: _joined(pieces, lambda p, n=name: p.spikes[n]) for name in pieces[0].spikes},
            {name: _joined(pieces, lambda p, k=k: p.traces[k]) for k, name in enumerate(names)},
            {n: _joined(pieces, lambda p, n=n: p.levels[n])[..., 0] for n in pieces[0].levels},
            {n: _joined(pieces, lambda p, n=n: p.factors[n])[..., 0] for n in pieces[0].factors},
        )
        return joined, cast(NetworkState, reached)

    def stream(
        self, inputs: Mapping[str, Any] | None = None, state: NetworkState | None = None, *,
        n_steps: int | None = None, batch: int | None = None,
        settings: Mapping[str, Any] | None = None, seeds: int | Sequence[int] | None = None,
        record: Sequence[Record | str] = (),
    ) -> Iterator[tuple[NetworkState, Piece]]:  # fmt: skip
        """`forward`, chunk by chunk, so that memory need not grow with the run."""
        settings = settings or {}
        given = Inputs(self.built, self._own, inputs or {}, self._streamed, self.like)
        batch = self._batch(batch, given, state, settings, seeds)
        length = _one("n_steps", n_steps=n_steps, inputs=given.n_steps)
        if length is None or length < 1:
            raise NetworkError(
                f"n_steps must be at least 1 where no input tells it, found {length}"
            )
        learns = torch.is_grad_enabled() and self._learns(given, state, settings)
        with torch.set_grad_enabled(learns):
            bound = BoundNetwork(self, settings, batch)
            state = state or self._initial(bound, batch)
            chunk = self._chunk_steps(length, batch, learns)
            touching = not learns and self._may_touch(given, state)
            over = Pass(
                self, bound, batch, self.built.seed if seeds is None else seeds,
                watches(self.built, record), self._compiled or free_run,
                self._compiled.n_steps if self._compiled else 0,
                Post(self, bound, batch, chunk) if touching else None,
                # Before any chunk, as each of them is computed twice.
                {} if touching else bound.products(),
            )  # fmt: skip
            if over.post is not None:
                over.post.begin(state)
                # What is touched must be this pass's own.
                state = state._replace(edges={n: e.copy() for n, e in state.edges.items()})
        start = state.step
        while state.step < start + length:
            with torch.set_grad_enabled(learns):
                steps = min(chunk, start + length - state.step)
                outside = self._given(over, given, state, start, steps)
                state, piece = self._step(over, state, outside, steps, learns)
            yield state, piece

    def _step(
        self, over: Pass, state: NetworkState, given: Given, n_steps: int, learns: bool
    ) -> tuple[NetworkState, Piece]:
        if not (learns and self.checkpoint):
            return run_chunk(over, state, given, n_steps)
        found: tuple[NetworkState, Piece] = torch.utils.checkpoint.checkpoint(
            run_chunk, over, state, given, n_steps, use_reentrant=False, preserve_rng_state=False
        )
        return found

    def _given(
        self, over: Pass, given: Inputs, state: NetworkState, start: int, n_steps: int
    ) -> Given:
        """What comes from outside; products of it and weights, which need not be done twice."""
        spikes = given.spikes(start, state.step, n_steps, over.batch)
        products = {}
        for projection in self.built.projections if over.post is None else ():
            name, source = projection.projection.name, projection.projection.source
            if source in spikes and projection.edge is None:
                trail, paths = Trail(state.spikes[source], state.step), self.paths[name]
                trail.add(spikes[source])
                taps = paths.taps(trail.between(*paths.span(state.step, n_steps)))
                products[name] = over.products(name, taps)
        return Given(spikes, given.drives(start, state.step, n_steps), products)

    def _chunk_steps(self, n_steps: int, batch: int, learns: bool) -> int:
        """How many steps to take before state is kept, or handed over."""
        if learns and not self.checkpoint:
            return n_steps
        if learns:
            asked = self.checkpoint
            steps = math.ceil(math.sqrt(n_steps)) if asked is True else int(asked)
        else:
            width = sum(p.n * (2 + len(p.program.states)) for p in self.built.populations)
            steps = max(1, min(_LONGEST, _AT_ONCE // max(1, batch * width)))
            # Each chunk copies the spikes that are remembered: not more often than it need be.
            steps = max(steps, max(self.plan.depths.values()) // 2)
        if self._compiled:  # whole blocks
            steps = -(-steps // self._compiled.n_steps) * self._compiled.n_steps
        return min(steps, n_steps)

    def _batch(
        self, batch: int | None, given: Inputs, state: NetworkState | None,
        settings: Mapping[str, Any], seeds: int | Sequence[int] | None,
    ) -> int:  # fmt: skip
        told = {f"settings of `{name}`": rows_of(name, value) for name, value in settings.items()}
        if seeds is not None and not isinstance(seeds, int):
            told["seeds"] = len(seeds)
        if state is not None:
            told["state"] = next(iter(state.spikes.values())).shape[1]
        return _one("batch", **{"batch": batch, "inputs": given.batch, **told}) or 1

    def _may_touch(self, given: Inputs, state: NetworkState) -> bool:
        """Whether spikes may be delivered one by one: they must be whole, and on a CPU."""
        soft = any(cell.surrogate.method == "soft" for cell in self.cells.values())
        recent = all(bool((x * x == x).all()) for x in state.spikes.values())
        return self.device.type == "cpu" and not soft and recent and given.whole

    def _learns(
        self, given: Inputs, state: NetworkState | None, settings: Mapping[str, Any]
    ) -> bool:
        tensors = [*self.parameters(), *settings.values()]
        tensors += torch.utils._pytree.tree_leaves(state) if state is not None else []
        return given.needs_gradient or any(
            isinstance(t, Tensor) and t.requires_grad for t in tensors
        )


def _one(what: str, **told: int | None) -> int | None:
    """What all that tell it agree on.

    Raises:
        NetworkError: if they do not.
    """
    known = {name: number for name, number in told.items() if number is not None}
    if len(set(known.values())) > 1:
        found = ", ".join(f"{number} of {name}" for name, number in known.items())
        raise NetworkError(f"{what} must be one number, found {found}")
    return next(iter(known.values()), None)


def _joined(pieces: Sequence[Piece], part: Any) -> Tensor:
    parts = [part(piece) for piece in pieces]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
