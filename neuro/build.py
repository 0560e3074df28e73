"""Network -> Built: edges drawn, parameters bound, programs compiled; the same for all back ends.

What is random here (edges, weights, delays, start values) comes from streams named after the
seed and the part, so it depends neither on the back end nor on the rest of the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.edge_binding import BoundEdge, bind_edges
from neuro.equations import (
    Composed,
    EdgeProgram,
    Port,
    StepProgram,
    compile_step,
    compose,
    ports_of,
)
from neuro.equations.syntax import names_in, parse_statements
from neuro.errors import NetworkError, SignalError, nearest
from neuro.network import (
    Background,
    Drive,
    Network,
    Normal,
    Population,
    Projection,
    Source,
    Uniform,
    Value,
    participants,
)  # fmt: skip
from neuro.units import FREQUENCY, Quantity
from neuro.wiring import Site, generator

__all__ = [
    "Built", "BuiltBackground", "BuiltPopulation", "BuiltProjection", "BuiltSource", "build",
    "steps_of",
]  # fmt: skip

_TOLERANCE = 1e-6


def steps_of(time_ms: float, dt_ms: float, what: str) -> int:
    """`time_ms` in whole steps.

    Raises:
        NetworkError: if it is not a whole number of steps, or a step is not positive.
    """
    if not dt_ms > 0:
        raise NetworkError(f"dt must be positive, found {dt_ms} ms")
    steps = round(time_ms / dt_ms)
    if abs(steps * dt_ms - time_ms) > _TOLERANCE * max(dt_ms, abs(time_ms)):
        raise NetworkError(
            f"{what} must be a whole number of time steps of {dt_ms:g} ms, found {time_ms:g} ms"
        )
    return steps


@dataclass(frozen=True, eq=False)
class BuiltPopulation:
    """A population with its program and every value bound: a float, or `(n,)`."""

    population: Population
    composed: Composed
    program: StepProgram
    ports: tuple[Port, ...]
    parameters: Mapping[str, float | NDArray[np.float64]]
    initial: Mapping[str, NDArray[np.float64]]
    drives: Mapping[str, Drive]

    @property
    def name(self) -> str:
        """The population's name."""
        return self.population.name

    @property
    def n(self) -> int:
        """How many cells it has."""
        return self.population.n


@dataclass(frozen=True, eq=False)
class BuiltProjection:
    """A projection's edges, `(n_edges,)` each; sorted by source, delay and target.

    `edge` is the program of synapses with a state of their own, with the values of its
    parameters and what its variables start at; `w` starts at `weight`.
    """

    projection: Projection
    port: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    delay_steps: NDArray[np.int64]
    edge: EdgeProgram | None = None
    edge_parameters: Mapping[str, float] = field(default_factory=dict)
    edge_initial: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BuiltBackground:
    """A background on its port: each cell and step, Poisson(`arrivals`) arrivals of `weight`."""

    background: Background
    port: int
    arrivals: float
    weight: float


@dataclass(frozen=True, eq=False)
class BuiltSource:
    """A source's spikes on the time grid, sorted by step and unit."""

    source: Source
    steps: NDArray[np.int64]
    units: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Built:
    """Everything bound; what remains is to step.

    `edges` has the programs of projections whose synapses have a state of their own, by name;
    it is there where the edges themselves are not drawn.
    """

    network: Network
    seed: int
    dt_ms: float
    populations: tuple[BuiltPopulation, ...]
    projections: tuple[BuiltProjection, ...]
    sources: tuple[BuiltSource, ...]
    backgrounds: tuple[BuiltBackground, ...] = ()
    edges: Mapping[str, BoundEdge] = field(default_factory=dict)

    def features(self) -> dict[str, set[str]]:
        """What each population, with its input, needs of a back end."""
        noisy = {b.background.target for b in self.backgrounds}
        return {
            p.name: {*p.program.features, *(["Poisson background"] if p.name in noisy else [])}
            for p in self.populations
        }


def build(network: Network, *, seed: int, dt_ms: float, wire: bool = True) -> Built:
    """Bind a network to a seed and a time step.

    Args:
        wire: False leaves the edges undrawn, to check a network without its cost.

    Raises:
        EquationError: if a model's text or dimensions are wrong.
        NetworkError: if a parameter is unknown or of the wrong size, a delay is under a step,
            or parts do not fit.
    """
    if not dt_ms > 0:
        raise NetworkError(f"dt must be positive, found {dt_ms} ms")
    populations = tuple(_population(network, p, seed) for p in network.populations)
    edges = bind_edges(network, populations)
    ports = {
        name: number
        for built in populations
        for number, port in enumerate(built.ports)
        for name in port.projections
    }
    sites = {item.name: item.site for item in participants(network)}
    projections = (
        tuple(
            _with_edge(_projection(p, ports[p.name], sites, seed, dt_ms), edges.get(p.name))
            for p in network.projections
        )
        if wire
        else ()
    )
    sources = tuple(_source(s, dt_ms) for s in network.sources)
    backgrounds = tuple(_background(b, ports[b.name], dt_ms) for b in network.backgrounds)
    return Built(network, seed, dt_ms, populations, projections, sources, backgrounds, edges)


def _population(network: Network, population: Population, seed: int) -> BuiltPopulation:
    everything: list[Projection | Background] = [*network.projections, *network.backgrounds]
    incoming = [p for p in everything if p.target == population.name]
    ports = ports_of(incoming, {e.target for e in network.effects if e.parameter != "weight"})
    composed = compose(population.model, ports)
    program = compile_step(composed, [port.synapse.weight.dimension for port in ports])
    where = f"population `{population.name}`"
    if population.n < 1:
        raise NetworkError(f"{where}: n must be at least 1, found {population.n}")

    parameters: dict[str, float | NDArray[np.float64]] = {
        name: float(value) for name, value in composed.parameters.items()
    }
    for name, value in population.parameters.items():
        _known(where, "parameter", name, composed.parameters)
        _check_dimension(f"{where}: parameter `{name}`", value, composed.parameters[name])
        parameters[name] = _bind(value, population.n, f"{where}: `{name}`", seed, name)
    initial: dict[str, NDArray[np.float64]] = {}
    for state in program.states:
        chosen: Value | str = population.initial.get(state, composed.initial.get(state, 0.0))
        value = parameters[chosen] if isinstance(chosen, str) else chosen
        bound = _bind(value, population.n, f"{where}: initial `{state}`", seed, "initial " + state)
        initial[state] = np.broadcast_to(np.asarray(bound, np.float64), (population.n,)).copy()
    for name in population.initial:
        _known(where, "state", name, program.states)
    drives = {d.variable: d for d in network.drives if d.population == population.name}
    for name in program.inputs:
        if name not in drives:
            raise NetworkError(f"{where}: input `{name}` needs a drive, found none")
        _check_drive(drives[name], population)
    return BuiltPopulation(population, composed, program, ports, parameters, initial, drives)


def _known(where: str, kind: str, name: str, known: Mapping[str, object] | Sequence[str]) -> None:
    if name not in known:
        raise NetworkError(
            f"{where}: unknown {kind} `{name}`{nearest(name, known)} "
            f"(known: {', '.join(known) or 'none'})"
        )


def _check_dimension(where: str, value: Value, expected: Quantity) -> None:
    if isinstance(value, Normal):
        samples: list[object] = [value.mean, value.sd]
    elif isinstance(value, Uniform):
        samples = [value.low, value.high]
    else:
        samples = [value]
    for one in samples:
        if isinstance(one, Quantity) and one.dimension != expected.dimension:
            raise NetworkError(
                f"{where} must be a {expected.dimension} in {expected.dimension.unit}, "
                f"found `{one}`"
            )


def _bind(value: Value, n: int, where: str, seed: int, *stream: str) -> float | NDArray[np.float64]:
    if isinstance(value, (Normal, Uniform)):
        return value.draw(n, generator(seed, where, *stream))
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise NetworkError(f"{where} must be finite, found NaN or infinity")
    if array.ndim == 0:
        return float(array)
    if array.shape != (n,):
        raise NetworkError(f"{where} needs one value or {n}, found shape {array.shape}")
    return array


def _check_drive(drive: Drive, population: Population) -> None:
    values = drive.values
    if values.ndim == 2 and values.shape[1] not in (1, population.n):
        raise NetworkError(
            f"drive of `{population.name}.{drive.variable}` needs 1 or {population.n} columns, "
            f"found {values.shape[1]}"
        )


def _projection(
    projection: Projection, port: int, sites: Mapping[str, Site], seed: int, dt_ms: float
) -> BuiltProjection:
    where = f"projection `{projection.name}`"
    pre, post = sites[projection.source], sites[projection.target]
    same = projection.source == projection.target
    edges = projection.rule.edges(pre, post, same, generator(seed, "edges", projection.name))
    n_edges = edges.source.size
    _check_dimension(f"{where}: weight", projection.weight, projection.synapse.weight)
    weight = _per_edge(projection.weight, n_edges, f"{where}: weight", seed)
    delay = _per_edge(projection.delay, n_edges, f"{where}: delay", seed)
    if n_edges and delay.min() < dt_ms * (1 - _TOLERANCE):
        raise NetworkError(
            f"{where}: a delay must be at least one step of {dt_ms:g} ms, "
            f"found {delay.min():g} ms; raise the delay or lower dt"
        )
    steps = np.rint(delay / dt_ms).astype(np.int64)
    order = np.lexsort((edges.target, steps, edges.source))
    return BuiltProjection(
        projection, port, edges.source[order], edges.target[order], weight[order], steps[order]
    )


def _per_edge(value: Value, n: int, where: str, seed: int) -> NDArray[np.float64]:
    bound: ArrayLike = _bind(value, n, where, seed, "edge")
    return np.broadcast_to(np.asarray(bound, np.float64), (n,)).copy()


def _with_edge(built: BuiltProjection, edge: BoundEdge | None) -> BuiltProjection:
    if edge is None:
        return built
    return replace(
        built, edge=edge.program, edge_parameters=edge.parameters, edge_initial=edge.initial
    )


def _background(background: Background, port: int, dt_ms: float) -> BuiltBackground:
    where = f"background `{background.name}`"
    synapse = background.synapse
    _check_dimension(f"{where}: weight", background.weight, synapse.weight)
    _check_dimension(f"{where}: rate", background.rate, Quantity(0, FREQUENCY))
    if background.n < 1:
        raise NetworkError(f"{where}: n must be at least 1, found {background.n}")
    if not 0 <= background.rate < math.inf:
        raise NetworkError(
            f"{where}: rate must be finite and not negative, found {background.rate}"
        )
    if not math.isfinite(background.weight):
        raise NetworkError(f"{where}: weight must be finite, found {background.weight}")
    if synapse.edges or synapse.on_post:
        raise NetworkError(
            f"{where}: synapse `{synapse.name}` has variables or events of each single synapse, "
            f"which an input without cells lacks; use a population of model `poisson` instead"
        )
    for statement in parse_statements(synapse.on_pre, f"synapse `{synapse.name}`: on_pre"):
        # k arrivals at once are k times one arrival only where none depends on the one before.
        if not statement.increment or names_in(statement.increment) - {"w", *synapse.parameters}:
            raise NetworkError(
                f"{where}: on_pre of synapse `{synapse.name}` must add what depends on `w` and "
                f"its parameters alone, found `{statement.name} = {statement.expression}`; use a "
                f"population of model `poisson` instead"
            )
    arrivals = background.n * float(background.rate) * dt_ms
    return BuiltBackground(background, port, arrivals, float(background.weight))


def _source(source: Source, dt_ms: float) -> BuiltSource:
    # A run starts at 0; a kernel walks spikes in order and would wait for ever on an earlier one.
    within = source.spikes.times_ms >= 0
    steps = np.rint(source.spikes.times_ms[within] / dt_ms).astype(np.int64)
    units = source.spikes.units[within]
    order = np.lexsort((units, steps))
    steps, units = steps[order], units[order]
    twice = np.flatnonzero((np.diff(steps) == 0) & (np.diff(units) == 0))
    if twice.size:
        at = twice[0]
        raise SignalError(
            f"source `{source.name}`: a unit may spike once a step of {dt_ms:g} ms, found unit "
            f"{units[at]} twice at {steps[at] * dt_ms:g} ms; lower dt"
        )
    return BuiltSource(source, steps, units)
