"""Population, Source, Projection, Drive, Network: data with names and no behaviour."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from neuro.errors import NetworkError, nearest
from neuro.model import NeuronModel, SynapseModel
from neuro.modulation import REASONER, Effect, Receptor, Transmitter
from neuro.ranges import (
    cells_of,
    coordinates_of,
    finite,
    not_negative,
    ordered,
    part_of,
    parts_of,
    whole_field,
)
from neuro.references import check_name, known_name, unique
from neuro.spikes import Spikes
from neuro.timing import DELAY, refuse_delay
from neuro.units import (
    CURRENT,
    TIME,
    Dimension,
    Frequency,
    Quantity,
    admit,
    coherent,
    parse_quantity,
    read_in,
)
from neuro.units.declared import Gate, named, spread
from neuro.units.gate import read_coherent
from neuro.wiring import Rule, Site

__all__ = [
    "Background", "Drive", "Network", "Normal", "Population", "Projection", "Record", "Source",
    "Uniform", "Value", "participants",
]  # fmt: skip


@dataclass(frozen=True)
class Normal:
    """A value drawn per cell or edge from a normal distribution, cut off at `low` and `high`."""

    mean: Quantity
    sd: Quantity
    low: Quantity | float = -np.inf
    high: Quantity | float = np.inf

    def __post_init__(self) -> None:
        _one_dimension(self, "mean", "sd", "low", "high")
        finite(self, "mean")
        not_negative(self, "sd")
        ordered(self, "low", "high")

    @property
    def dimension(self) -> Dimension:
        """Of what is drawn."""
        return self.mean.dimension

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value it can give; both the mean without a spread."""
        mean, certain = float(self.mean), float(self.sd) == 0
        low, high = (mean, mean) if certain else (-np.inf, np.inf)
        ends = float(self.low), float(self.high)
        return float(np.clip(low, *ends)), float(np.clip(high, *ends))

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """`n` values in coherent units; those outside are clipped to the bound."""
        low, high = float(self.low), float(self.high)
        return np.clip(rng.normal(float(self.mean), float(self.sd), n), low, high)


@dataclass(frozen=True)
class Uniform:
    """A value drawn per cell or edge evenly from `low` to `high`."""

    low: Quantity
    high: Quantity

    def __post_init__(self) -> None:
        _one_dimension(self, "low", "high")
        finite(self, "low", "high")
        ordered(self, "low", "high")

    @property
    def dimension(self) -> Dimension:
        """Of what is drawn."""
        return self.low.dimension

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value it can give."""
        return float(self.low), float(self.high)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """`n` values in coherent units."""
        return rng.uniform(float(self.low), float(self.high), n)


def _one_dimension(drawn: Normal | Uniform, first: str, *others: str) -> None:
    """Read the fields as quantities of one dimension; a bare bound is in coherent units."""
    label = type(drawn).__name__
    lead = named(parse_quantity, f"{label}: `{first}`")(getattr(drawn, first))
    object.__setattr__(drawn, first, lead)
    for name in others:
        value = getattr(drawn, name)
        if type(value) in (int, float) and (value == 0 or math.isinf(value)):
            continue
        gate = named(lambda given: read_coherent(given, lead.dimension), f"{label}: `{name}`")
        object.__setattr__(drawn, name, gate(value))


Value = Quantity | float | NDArray[np.float64] | Normal | Uniform
"""One quantity for all, an array of them (one per cell or edge), or a distribution to draw from.

A bare number or array is in the coherent unit (ms, mV, pA, nS, pF, nM, m); a bare rate or speed is
refused, since 20 could mean 20 Hz or 20 per ms. `[-70, -65] * mV` is an array of quantities.
"""


@dataclass(frozen=True, eq=False)
class Population:
    """`n` cells of one model.

    `parameters` and `initial` override the model's; `coordinates` hold what rules and pictures
    need to know of each cell (`cf_hz`, `x_m` …), `(n,)` each, in the unit that the name ends in.
    """

    name: str
    model: NeuronModel
    n: int
    parameters: Mapping[str, Value] = field(default_factory=dict)
    initial: Mapping[str, Value] = field(default_factory=dict)
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        part_of(self, model=NeuronModel, parameters=Mapping, initial=Mapping, coordinates=Mapping)
        known = {"I_ext": CURRENT}
        known |= {name: value.dimension for name, value in self.model.parameters.items()}
        where = f"population `{self.name}`"
        whole_field(self, "n", least=1)
        coordinates_of(self, "coordinates", self.n)
        for kind in ("parameters", "initial"):
            values = _values(f"{where}: {kind}", getattr(self, kind), known)
            object.__setattr__(self, kind, values)
            for name, value in values.items():
                shape = getattr(value, "shape", ())
                if shape not in ((), (self.n,)):
                    raise NetworkError(
                        f"{where}: {kind}: `{name}` needs one value or {self.n}, found shape "
                        f"{shape}"
                    )

    @property
    def site(self) -> Site:
        """This population as a wiring rule sees it."""
        return Site(self.name, self.n, dict(self.coordinates))


@dataclass(frozen=True, eq=False)
class Source:
    """Spikes that come from outside, such as an encoder's."""

    name: str
    spikes: Spikes
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        part_of(self, spikes=Spikes, coordinates=Mapping)
        coordinates_of(self, "coordinates", self.n)

    @property
    def n(self) -> int:
        """How many units it has."""
        return self.spikes.n_units

    @property
    def site(self) -> Site:
        """This source as a wiring rule sees it."""
        return Site(self.name, self.n, dict(self.coordinates))


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses of one model from a population or source to a population.

    `weight` is in the synapse model's unit and `delay` in ms (at least one time step), from a
    spike of the source to `on_pre`. What has no `on_pre`, as a gap junction, has no delay: another
    than `DELAY` is refused.
    """

    name: str
    source: str
    target: str
    synapse: SynapseModel
    rule: Rule
    weight: Value
    delay: Annotated[Value, TIME] = DELAY
    parameters: Mapping[str, Quantity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _admit_synapse(self)
        refuse_delay(self.name, self.synapse, self.delay)


@dataclass(frozen=True, eq=False)
class Background:
    """Independent Poisson input to each cell, as from `n` cells that fire at `rate`.

    At every step each cell of `target` takes Poisson(`n * rate * dt`) arrivals of `weight`
    through `synapse`. No input cell is simulated: a cell costs one draw a step, whatever `n`.
    """

    name: str
    target: str
    synapse: SynapseModel
    rate: Frequency
    weight: Quantity
    n: int = 1
    parameters: Mapping[str, Quantity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _admit_synapse(self)
        whole_field(self, "n", least=1)


@dataclass(frozen=True, eq=False)
class Drive:
    """A model's input over time: frame k of `values` holds from `k * dt_ms` to the next.

    `values` is `(n_frames,)`, the same for all cells, or `(n_frames, n)`, quantities or numbers
    in coherent units; the last frame holds to the end of the run.
    """

    population: str
    variable: str
    values: NDArray[np.float64]
    dt_ms: float

    def __post_init__(self) -> None:
        admit(self)


@dataclass(frozen=True)
class Record:
    """Traces to keep: `variable` of `cells` (all if empty), every `every_ms`.

    Where no population but a projection has the name, `cells` are its edges, counted in the order
    of source, delay and target, and `variable` is one that its synapses have for themselves. An
    event-driven variable reads as the last spike left it.
    """

    population: str
    variable: str
    every_ms: float = 1.0
    cells: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        admit(self)
        cells_of(self, "cells")


@dataclass(frozen=True, eq=False)
class Network:
    """Everything a back end needs to know, and nothing it does.

    Raises:
        NetworkError: if a name is empty, used twice, or refers to nothing, or something is no part
            of its kind.
    """

    name: str = "network"
    populations: tuple[Population, ...] = ()
    sources: tuple[Source, ...] = ()
    projections: tuple[Projection, ...] = ()
    drives: tuple[Drive, ...] = ()
    transmitters: tuple[Transmitter, ...] = ()
    receptors: tuple[Receptor, ...] = ()
    effects: tuple[Effect, ...] = ()
    backgrounds: tuple[Background, ...] = ()

    def __post_init__(self) -> None:
        check_name("Network: `name`", self.name)
        parts_of(self, populations=Population, sources=Source, projections=Projection)
        parts_of(self, drives=Drive, backgrounds=Background)
        parts_of(self, transmitters=Transmitter, receptors=Receptor, effects=Effect)
        unique("population or source", [*self.populations, *self.sources])
        unique("projection or background", [*self.projections, *self.backgrounds])
        unique("transmitter", self.transmitters)
        unique("receptor", self.receptors)
        cells = {p.name for p in self.populations}
        senders = cells | {s.name for s in self.sources}
        for projection in self.projections:
            known_name(f"projection `{projection.name}`: source", projection.source, senders)
            known_name(f"projection `{projection.name}`: target", projection.target, cells)
        for background in self.backgrounds:
            known_name(f"background `{background.name}`: target", background.target, cells)
        for drive in self.drives:
            known_name("drive: population", drive.population, cells)
            model = self.population(drive.population).model
            where = f"drive of `{drive.population}`: input"
            known_name(where, drive.variable, model.inputs)
            _in_coherent_units(drive, model.inputs[drive.variable], f"{where} `{drive.variable}`")
        for transmitter in self.transmitters:
            if transmitter.released_by:
                known_name(
                    f"transmitter `{transmitter.name}`: released_by", transmitter.released_by, cells
                )
        for receptor in self.receptors:
            known_name(
                f"receptor `{receptor.name}`: transmitter",
                receptor.transmitter,
                {t.name for t in self.transmitters},
            )
        inputs = {p.name for p in self.projections} | {b.name for b in self.backgrounds}
        targets = cells | inputs | {REASONER}
        for effect in self.effects:
            known_name("effect: receptor", effect.receptor, {r.name for r in self.receptors})
            known_name(f"effect of `{effect.receptor}`: target", effect.target, targets)
            if effect.target in cells & inputs:
                raise NetworkError(
                    f"effect of `{effect.receptor}`: the target must be one thing, found that "
                    f"`{effect.target}` names a population and a projection; rename one of them"
                )
            self._check_effect(effect)

    def _check_effect(self, effect: Effect) -> None:
        where = f"effect of `{effect.receptor}` on `{effect.target}`: parameter"
        for population in self.populations:
            if population.name == effect.target:
                known_name(where, effect.parameter, {*population.model.parameters, "I_ext"})
        for projection in self.projections:
            if projection.name == effect.target:
                known_name(where, effect.parameter, {"weight", *projection.synapse.parameters})
        for background in self.backgrounds:
            if background.name == effect.target:
                known_name(where, effect.parameter, {"weight"})

    def population(self, name: str) -> Population:
        """The population of that name.

        Raises:
            NetworkError: if there is none.
        """
        for population in self.populations:
            if population.name == name:
                return population
        raise NetworkError(
            f"no population `{name}`{nearest(name, [p.name for p in self.populations])}"
        )


def _values(
    where: str, given: Mapping[str, Value], known: Mapping[str, Dimension]
) -> dict[str, Value]:
    """Each value checked against its parameter; one of a synapse or state keeps its own unit."""
    return {
        name: named(_value_in(known.get(name)), f"{where}: `{name}`")(value)
        for name, value in given.items()
    }


def _value_in(dimension: Dimension | None) -> Gate:
    def gate(value: Value | str) -> Value | str:
        if isinstance(value, str) and value.strip().isidentifier():
            return value.strip()  # the name of a parameter
        return spread(value, dimension)

    return gate


def _admit_synapse(through: Projection | Background) -> None:
    admit(through)
    part_of(through, synapse=SynapseModel, parameters=Mapping)
    synapse, where = through.synapse, f"{type(through).__name__.lower()} `{through.name}`"
    known = {name: value.dimension for name, value in synapse.parameters.items()}
    parameters = _values(f"{where}: parameters", through.parameters, known)
    weight = _values(where, {"weight": through.weight}, {"weight": synapse.weight.dimension})
    object.__setattr__(through, "parameters", parameters)
    object.__setattr__(through, "weight", weight["weight"])


def _in_coherent_units(drive: Drive, dimension: Dimension, where: str) -> None:
    if not (type(drive.values) is np.ndarray and drive.values.dtype.kind in "iuf"):
        gate = named(lambda given: coherent(read_in(given, dimension)), where)
        object.__setattr__(drive, "values", gate(drive.values))
    shape = np.shape(drive.values)
    if len(shape) not in (1, 2) or 0 in shape:
        raise NetworkError(f"{where} needs values of (n_frames,) or (n_frames, n), found {shape}")
    if not np.isfinite(drive.values).all():
        raise NetworkError(f"{where} must be finite, found NaN or infinity")


def participants(network: Network) -> list[Population | Source]:
    """Everything that can send spikes: populations, then sources."""
    return [*network.populations, *network.sources]
