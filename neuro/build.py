"""Network -> Built: edges drawn, parameters bound, programs compiled; the same for all back ends.

What is random here (edges, weights, delays, start values) comes from streams named after the
seed and the part, so it depends neither on the back end nor on the rest of the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuro._poisson_rate import check_poisson_rate
from neuro.edge_binding import BoundEdge, bind_edges
from neuro.edges import BuiltProjection
from neuro.equations import (
    Composed,
    Port,
    StepProgram,
    check_synapse_reads,
    compile_step,
    compose,
    names_read,
    ports_of,
    read_at_ends,
    unread,
)
from neuro.equations.port_names import inside, outside
from neuro.errors import NetworkError, SignalError, nearest, shown
from neuro.memory import require_memory
from neuro.models.poisson import POISSON
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
from neuro.ranges import whole
from neuro.timing import check_step, delay_note, nearest_steps, release_steps, steps_of
from neuro.units import FREQUENCY, NUMBER, SPEED, coherent
from neuro.wiring import Site, generator

__all__ = [
    "Built", "BuiltBackground", "BuiltPopulation", "BuiltProjection", "BuiltSource", "build",
]  # fmt: skip

_STATE_BYTES = 8  # of a cell's start value
_EDGE_BYTES = 6
_DRAWN_BYTES = 40  # of an edge while its row is drawn, measured with `Pairwise`


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

    def shown(self, name: str) -> str:
        """What a person calls a name of the program: `ff.I_syn` is projection `ff`'s `I_syn`."""
        return outside(name, self.ports)


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

    def notes(self) -> tuple[str, ...]:
        """Lines on what the grid of steps changed: one for each delay that does not lie on it.

        A delay that is drawn, or given for each synapse, has no line.
        """
        found = []
        for projection in self.network.projections:
            delay = projection.delay
            if (
                projection.synapse.delivers
                and not isinstance(delay, (Normal, Uniform))
                and np.ndim(delay) == 0
            ):
                steps = int(nearest_steps(float(delay), self.dt_ms))
                owner = f"projection `{projection.name}`"
                found.append(delay_note(owner, float(delay), steps, self.dt_ms))
        for transmitter in self.network.transmitters:
            delay_ms = float(transmitter.delay)
            steps = release_steps(delay_ms, self.dt_ms)
            owner = f"transmitter `{transmitter.name}`"
            found.append(delay_note(owner, delay_ms, steps, self.dt_ms))
        return tuple(filter(None, found))


def build(network: Network, *, seed: int, dt_ms: float, wire: bool = True) -> Built:
    """Bind a network to a seed and a time step.

    Args:
        wire: False leaves the edges undrawn, to check a network without its cost.

    Raises:
        EquationError: if a model's text or dimensions are wrong.
        NetworkError: if a parameter is unknown or of the wrong size, a delay is under a step,
            or parts do not fit.
    """
    seed = whole(seed, "seed", most=2**63 - 1)
    check_step(dt_ms)
    populations = tuple(_population(network, p, seed, dt_ms) for p in network.populations)
    for built in populations:
        if built.program.threshold == POISSON.threshold and "rate" in built.parameters:
            check_poisson_rate(built.population, built.parameters["rate"], network.effects, dt_ms)
    edges = bind_edges(network, populations)
    _check_reads(network)
    ports = {
        name: number
        for built in populations
        for number, port in enumerate(built.ports)
        for name in port.projections
    }
    sites = {item.name: item.site for item in participants(network)}
    projections = (
        tuple(
            _projection(p, ports[p.name], sites, seed, dt_ms, edges.get(p.name))
            for p in network.projections
        )
        if wire
        else ()
    )
    # A target and a weight for each edge is the least that any back end keeps.
    least = _EDGE_BYTES * sum(p.expected_edges for p in projections)
    row = _DRAWN_BYTES * max((p.expected_edges / p.n_rows for p in projections if p.n_rows),
                             default=0)  # fmt: skip
    require_memory(least + row, f"the network `{network.name}`")
    for projection in projections:
        projection.check()
    sources = tuple(_source(s, dt_ms) for s in network.sources)
    backgrounds = tuple(_background(b, ports[b.name], dt_ms) for b in network.backgrounds)
    return Built(network, seed, dt_ms, populations, projections, sources, backgrounds, edges)


def _population(
    network: Network, population: Population, seed: int, dt_ms: float
) -> BuiltPopulation:
    everything: list[Projection | Background] = [*network.projections, *network.backgrounds]
    incoming = [p for p in everything if p.target == population.name]
    ports = ports_of(incoming, {e.target for e in network.effects if e.parameter != "weight"})
    composed = compose(population.model, ports)
    program = compile_step(composed, [port.synapse.weight.dimension for port in ports])
    where = f"population `{population.name}`"
    require_memory(_STATE_BYTES * population.n * max(1, len(program.states)), where)

    asked: dict[str, str] = {}
    parameters: dict[str, float | NDArray[np.float64]] = {
        name: float(value) for name, value in composed.parameters.items()
    }
    for name, value in population.parameters.items():
        own = _inside(where, "parameter", name, composed.parameters, ports)
        _only_once(where, "parameter", population.parameters, name, own, asked)
        unit = composed.parameters[own].dimension.unit
        _check_dimension(f"{where}: parameter `{name}`", value, unit)
        parameters[own] = _bind(value, population.n, f"{where}: `{name}`", seed, name)
    starts: dict[str, tuple[str, Value | str]] = {
        state: (state, value) for state, value in composed.initial.items()
    }
    for name, value in population.initial.items():
        own = _inside(where, "state", name, program.states, ports)
        _only_once(where, "state", population.initial, name, own, asked)
        if not isinstance(value, str):
            _check_dimension(f"{where}: initial `{name}`", value, program.units[own])
        starts[own] = name, value
    initial: dict[str, NDArray[np.float64]] = {}
    for state in program.states:
        name, chosen = starts.get(state, (state, 0.0))
        given = parameters[chosen] if isinstance(chosen, str) else chosen
        bound = _bind(given, population.n, f"{where}: initial `{name}`", seed, "initial " + name)
        initial[state] = np.broadcast_to(np.asarray(bound, np.float64), (population.n,)).copy()
    drives = {d.variable: d for d in network.drives if d.population == population.name}
    for name in program.inputs:
        if name not in drives:
            raise NetworkError(f"{where}: input `{name}` needs a drive, found none")
        _check_drive(drives[name], population, dt_ms)
    return BuiltPopulation(population, composed, program, ports, parameters, initial, drives)


def _check_reads(network: Network) -> None:
    """Refuse what would have no effect: a parameter, or an effect on one, that nothing reads."""
    everything: list[Projection | Background] = [*network.projections, *network.backgrounds]
    ends: dict[str, set[str]] = {population.name: set() for population in network.populations}
    known: dict[str, set[str]] = {}
    for through in everything:
        check_synapse_reads(through.synapse)
        for end in (through.target, getattr(through, "source", "")):
            if end in ends:
                ends[end] |= read_at_ends(through.synapse)
        read = names_read(through.synapse, starts=False)
        known[through.name] = read & {*through.synapse.parameters}
        known[through.name] |= {"weight"} if "w" in read else set()
    for population in network.populations:
        starting = {name for name in population.initial.values() if isinstance(name, str)}
        there = ends[population.name]
        for problem in unread(population.model, there | starting).values():
            raise NetworkError(f"population `{population.name}`: {problem}")
        known[population.name] = names_read(population.model, starts=False) | there
    for effect in network.effects:
        if effect.target in known and effect.parameter not in known[effect.target]:
            raise NetworkError(
                f"effect of `{effect.receptor}` on `{effect.target}`: an equation must read what "
                f"is scaled, found that none reads `{effect.parameter}`; scale another parameter"
            )


def _inside(
    where: str, kind: str, name: str, known: Mapping[str, object] | Sequence[str],
    ports: Sequence[Port],
) -> str:  # fmt: skip
    """The program's name for a parameter or state that a person called `name`."""
    own = inside(name, known, ports)
    if own is None:
        names = [outside(each, ports) for each in known]
        raise NetworkError(
            f"{where}: unknown {kind} `{name}`{nearest(name, names)} "
            f"(known: {', '.join(names) or 'none'})"
        )
    return own


def _only_once(
    where: str,
    kind: str,
    values: Mapping[str, Value | str],
    name: str,
    own: str,
    asked: dict[str, str],
) -> None:
    """Refuse two values of what equal synapses of one target share."""
    before = asked.setdefault(own, name)
    if before == name:
        return
    one, other = values[before], values[name]
    if isinstance(one, (str, Normal, Uniform)) or isinstance(other, (str, Normal, Uniform)):
        same = type(one) is type(other) and one == other
    else:
        same = bool(np.all(coherent(one) == coherent(other)))
    if not same:
        raise NetworkError(
            f"{where}: `{before}` and `{name}` are one {kind}, since the synapses are equal, found "
            f"{shown(one)} and {shown(other)}; give one value, or the synapses other parameters"
        )


def _check_dimension(where: str, value: Value, unit: str) -> None:
    """Refuse what only the compiled model can tell: states, and parameters of synapses."""
    found = getattr(value, "dimension", NUMBER)
    bare = found == NUMBER and unit not in (FREQUENCY.unit, SPEED.unit)  # in coherent units
    if found.unit != unit and (not bare or isinstance(value, (Normal, Uniform))):
        raise NetworkError(
            f"{where} must be in {unit}, found `{value}`, which is {found}; give it as text or a "
            f"quantity, such as `20 {unit}`"
        )


def _bind(value: Value, n: int, where: str, seed: int, *stream: str) -> float | NDArray[np.float64]:
    if isinstance(value, (Normal, Uniform)):
        return value.draw(n, generator(seed, where, *stream))
    array = np.asarray(coherent(value))
    if not np.isfinite(array).all():
        raise NetworkError(f"{where} must be finite, found NaN or infinity")
    if array.ndim == 0:
        return float(array)
    if array.shape != (n,):
        raise NetworkError(f"{where} needs one value or {n}, found shape {array.shape}")
    return array


def _check_drive(drive: Drive, population: Population, dt_ms: float) -> None:
    steps_of(drive.dt_ms, dt_ms, f"dt of the drive of `{drive.variable}`", least=1)
    values = drive.values
    if values.ndim == 2 and values.shape[1] not in (1, population.n):
        raise NetworkError(
            f"drive of `{population.name}.{drive.variable}` needs 1 or {population.n} columns, "
            f"found {values.shape[1]}"
        )


def _projection(
    projection: Projection,
    port: int,
    sites: Mapping[str, Site],
    seed: int,
    dt_ms: float,
    edge: BoundEdge | None,
) -> BuiltProjection:
    where = f"projection `{projection.name}`"
    pre, post = sites[projection.source], sites[projection.target]
    for what, value in (("weight", projection.weight), ("delay", projection.delay)):
        if not isinstance(value, (Normal, Uniform)) and not np.isfinite(coherent(value)).all():
            raise NetworkError(f"{where}: {what} must be finite, found NaN or infinity")
    bound = () if edge is None else (edge.program, edge.parameters, edge.initial)
    return BuiltProjection(projection, port, pre, post, seed, dt_ms, *bound)


def _background(background: Background, port: int, dt_ms: float) -> BuiltBackground:
    where = f"background `{background.name}`"
    if not 0 <= background.rate < math.inf:
        raise NetworkError(
            f"{where}: rate must be finite and not negative, found {background.rate}"
        )
    if not math.isfinite(background.weight):
        raise NetworkError(f"{where}: weight must be finite, found {background.weight}")
    arrivals = background.n * float(background.rate) * dt_ms
    return BuiltBackground(background, port, arrivals, float(background.weight))


def _source(source: Source, dt_ms: float) -> BuiltSource:
    # A run starts at 0; a kernel walks spikes in order and would wait for ever on an earlier one.
    within = source.spikes.times_ms >= 0
    steps = nearest_steps(source.spikes.times_ms[within], dt_ms)
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
