"""The builder that lets a circuit read like its wiring diagram, and its registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuro.model import NeuronModel, SynapseModel
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Background, Drive, Network, Population, Projection, Source, Value
from neuro.registry import Registry
from neuro.signal import Signal
from neuro.timing import DELAY
from neuro.units import Quantity, quantities
from neuro.wiring import Rule

__all__ = ["CIRCUITS", "Circuit", "Port", "Sourced", "assemble", "circuit"]


class Sourced(int):
    """A count that carries the range seen in nature and where it was seen."""

    range: tuple[float, float]
    source: str

    def __new__(cls, value: int, *, range: tuple[float, float], source: str) -> Sourced:
        self = super().__new__(cls, value)
        self.range, self.source = range, source
        return self


@dataclass(frozen=True, eq=False)
class Port:
    """A handle on a population or source: enough to wire to it, not the thing itself."""

    name: str
    n: int
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, item: Population | Source) -> Port:
        """The port of a population or source."""
        return cls(item.name, item.n, item.coordinates)


class Circuit:
    """Populations and projections being drawn, with the outputs others may connect to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.backgrounds: list[Background] = []
        self.drives: list[Drive] = []
        self.outputs: dict[str, Port] = {}

    def add(
        self,
        name: str,
        model: NeuronModel,
        n: int,
        *,
        parameters: Mapping[str, Value] | None = None,
        initial: Mapping[str, Value] | None = None,
        coordinates: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> Port:
        """Add `n` cells of a model; the port they are wired by."""
        population = Population(name, model, n, parameters or {}, initial or {}, coordinates or {})
        self.populations.append(population)
        return Port.of(population)

    def connect(
        self,
        pre: Port,
        post: Port,
        *,
        rule: Rule,
        synapse: SynapseModel,
        weight: Value | None = None,
        delay: Value = DELAY,
        parameters: Mapping[str, Quantity] | None = None,
        name: str | None = None,
    ) -> str:
        """Join two ports; returns the projection's name, `pre_to_post` unless given.

        `weight` defaults to the synapse model's own.
        """
        name = name or f"{pre.name}_to_{post.name}"
        self.projections.append(
            Projection(
                name=name,
                source=pre.name,
                target=post.name,
                synapse=synapse,
                rule=rule,
                weight=synapse.weight if weight is None else weight,
                delay=delay,
                parameters=parameters or {},
            )
        )
        return name

    def background(
        self,
        post: Port,
        *,
        synapse: SynapseModel,
        rate: Quantity,
        weight: Quantity | None = None,
        n: int = 1,
        parameters: Mapping[str, Quantity] | None = None,
        name: str | None = None,
    ) -> str:
        """Give each cell independent Poisson input as from `n` cells that fire at `rate`.

        Returns the background's name, `background_to_post` unless given; `weight` defaults to
        the synapse model's own.
        """
        name = name or f"background_to_{post.name}"
        weight = synapse.weight if weight is None else weight
        self.backgrounds.append(
            Background(name, post.name, synapse, rate, weight, n, parameters or {})
        )
        return name

    def drive(self, port: Port, variable: str, signal: Signal) -> None:
        """Let a signal set a model's input over time."""
        self.drives.append(Drive(port.name, variable, signal.values, signal.dt_ms))

    def with_outputs(self, /, **ports: Port) -> Circuit:
        """Name the ports that other circuits, modulation and records may refer to."""
        self.outputs.update(ports)
        return self


CIRCUITS: Registry[Callable[..., Circuit]] = Registry("circuit")


def circuit(function: Callable[..., Circuit]) -> Callable[..., Circuit]:
    """Register a circuit under its function's name.

    Parameters annotated `Port` or `Signal` are inputs; keyword-only ones are its settings,
    typed, with defaults, so that a config can be checked against them; their units are checked
    when Python calls it, too.
    """
    return CIRCUITS.add(function.__name__, quantities(function))


def assemble(
    name: str,
    circuits: Iterable[Circuit],
    *,
    sources: Iterable[Source] = (),
    transmitters: Iterable[Transmitter] = (),
    receptors: Iterable[Receptor] = (),
    effects: Iterable[Effect] = (),
) -> Network:
    """One inert network of all circuits and the sources that feed them."""
    circuits = list(circuits)
    return Network(
        name=name,
        populations=tuple(p for c in circuits for p in c.populations),
        sources=tuple(sources),
        projections=tuple(p for c in circuits for p in c.projections),
        backgrounds=tuple(b for c in circuits for b in c.backgrounds),
        drives=tuple(d for c in circuits for d in c.drives),
        transmitters=tuple(transmitters),
        receptors=tuple(receptors),
        effects=tuple(effects),
    )
