"""Population, Source, Projection, Drive, Network: data with names and no behaviour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuro.errors import NetworkError, nearest
from neuro.model import NeuronModel, SynapseModel
from neuro.modulation import REASONER, Effect, Receptor, Transmitter
from neuro.spikes import Spikes
from neuro.units import Quantity
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
    low: float = -np.inf
    high: float = np.inf

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value it can give; both the mean without a spread."""
        mean, certain = float(self.mean), float(self.sd) == 0
        low, high = (mean, mean) if certain else (-np.inf, np.inf)
        return float(np.clip(low, self.low, self.high)), float(np.clip(high, self.low, self.high))

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """`n` values in coherent units; those outside are clipped to the bound."""
        return np.clip(rng.normal(float(self.mean), float(self.sd), n), self.low, self.high)


@dataclass(frozen=True)
class Uniform:
    """A value drawn per cell or edge evenly from `low` to `high`."""

    low: Quantity
    high: Quantity

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value it can give."""
        return float(self.low), float(self.high)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """`n` values in coherent units."""
        return rng.uniform(float(self.low), float(self.high), n)


Value = Quantity | float | NDArray[np.float64] | Normal | Uniform
"""One number for all, one per cell, or a distribution to draw from; in coherent units."""


@dataclass(frozen=True, eq=False)
class Population:
    """`n` cells of one model.

    `parameters` and `initial` override the model's; `coordinates` hold what rules and pictures
    need to know of each cell (`cf_hz`, `x_m` …), `(n,)` each.
    """

    name: str
    model: NeuronModel
    n: int
    parameters: Mapping[str, Value] = field(default_factory=dict)
    initial: Mapping[str, Value] = field(default_factory=dict)
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

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
    spike of the source to `on_pre`; what acts without spikes, as a gap junction, has no delay.
    """

    name: str
    source: str
    target: str
    synapse: SynapseModel
    rule: Rule
    weight: Value
    delay: Value
    parameters: Mapping[str, Quantity] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Background:
    """Independent Poisson input to each cell, as from `n` cells that fire at `rate`.

    At every step each cell of `target` takes Poisson(`n * rate * dt`) arrivals of `weight`
    through `synapse`. No input cell is simulated: a cell costs one draw a step, whatever `n`.
    """

    name: str
    target: str
    synapse: SynapseModel
    rate: Quantity
    weight: Quantity
    n: int = 1
    parameters: Mapping[str, Quantity] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Drive:
    """A model's input over time: frame k of `values` holds from `k * dt_ms` to the next.

    `values` is `(n_frames,)`, the same for all cells, or `(n_frames, n)`, in coherent units;
    the last frame holds to the end of the run.
    """

    population: str
    variable: str
    values: NDArray[np.float64]
    dt_ms: float


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


@dataclass(frozen=True, eq=False)
class Network:
    """Everything a back end needs to know, and nothing it does.

    Raises:
        NetworkError: if a name is used twice, or refers to nothing.
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
        _unique("population or source", [*self.populations, *self.sources])
        _unique("projection or background", [*self.projections, *self.backgrounds])
        _unique("transmitter", self.transmitters)
        _unique("receptor", self.receptors)
        cells = {p.name for p in self.populations}
        senders = cells | {s.name for s in self.sources}
        for projection in self.projections:
            _known(f"projection `{projection.name}`: source", projection.source, senders)
            _known(f"projection `{projection.name}`: target", projection.target, cells)
        for background in self.backgrounds:
            _known(f"background `{background.name}`: target", background.target, cells)
        for drive in self.drives:
            _known("drive: population", drive.population, cells)
            model = self.population(drive.population).model
            _known(f"drive of `{drive.population}`: input", drive.variable, model.inputs)
        for transmitter in self.transmitters:
            if transmitter.released_by:
                _known(
                    f"transmitter `{transmitter.name}`: released_by", transmitter.released_by, cells
                )
        for receptor in self.receptors:
            _known(
                f"receptor `{receptor.name}`: transmitter",
                receptor.transmitter,
                {t.name for t in self.transmitters},
            )
        inputs = {p.name for p in self.projections} | {b.name for b in self.backgrounds}
        targets = cells | inputs | {REASONER}
        for effect in self.effects:
            _known("effect: receptor", effect.receptor, {r.name for r in self.receptors})
            _known(f"effect of `{effect.receptor}`: target", effect.target, targets)
            self._check_effect(effect)

    def _check_effect(self, effect: Effect) -> None:
        where = f"effect of `{effect.receptor}` on `{effect.target}`: parameter"
        for population in self.populations:
            if population.name == effect.target:
                _known(where, effect.parameter, {*population.model.parameters, "I_ext"})
        for projection in self.projections:
            if projection.name == effect.target:
                _known(where, effect.parameter, {"weight", *projection.synapse.parameters})
        for background in self.backgrounds:
            if background.name == effect.target:
                _known(where, effect.parameter, {"weight"})

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


def participants(network: Network) -> list[Population | Source]:
    """Everything that can send spikes: populations, then sources."""
    return [*network.populations, *network.sources]


def _unique(
    kind: str,
    items: Iterable[Population | Source | Projection | Background | Transmitter | Receptor],
) -> None:
    for name, times in Counter(item.name for item in items).items():
        if times > 1:
            raise NetworkError(f"each {kind} needs a name of its own, found `{name}` {times} times")


def _known(where: str, name: str, known: Iterable[str]) -> None:
    known = set(known)
    if name not in known:
        raise NetworkError(
            f"{where} must be one of {', '.join(sorted(known)) or '(none)'}, found `{name}`"
            + nearest(name, known)
        )
