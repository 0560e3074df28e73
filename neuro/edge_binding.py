"""Synapses with a state of their own: each projection's EdgeProgram, with its values bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neuro.equations import EdgeProgram, Port, compile_edge, has_edges
from neuro.errors import NetworkError
from neuro.network import Network
from neuro.units import Quantity

if TYPE_CHECKING:
    from neuro.build import Built, BuiltPopulation

__all__ = ["BoundEdge", "Scaled", "bind_edges", "factor_bounds", "scaled_by"]


class BoundEdge(NamedTuple):
    """A projection's program and the values it starts with, in coherent units.

    `initial` has every variable but `w`, which starts at the drawn weight.
    """

    program: EdgeProgram
    parameters: Mapping[str, float]
    initial: Mapping[str, float]


def bind_edges(network: Network, populations: Sequence[BuiltPopulation]) -> dict[str, BoundEdge]:
    """The program of each projection whose synapses need one, by name, in the network's order.

    Raises:
        EquationError: if a synapse's text or dimensions are wrong.
        NetworkError: if a background acts through such a synapse.
    """
    built = {p.name: p for p in populations}
    found = {}
    for population in populations:
        for port in population.ports:
            if not has_edges(population.population.model, port.synapse):
                continue
            for background in network.backgrounds:
                if background.name in port.projections:
                    raise NetworkError(
                        f"background `{background.name}`: synapse `{port.synapse.name}` must add "
                        f"what depends on `w` and its parameters alone; use a population of "
                        f"model `poisson` instead"
                    )
            for projection in network.projections:
                if projection.name in port.projections:
                    source = built.get(projection.source)
                    program = compile_edge(
                        port, population.composed, source.composed if source else None
                    )
                    found[projection.name] = _bound(program, port)
    # Spikes of one step act projection by projection in this order; ports have another.
    return {p.name: found[p.name] for p in network.projections if p.name in found}


def _bound(program: EdgeProgram, port: Port) -> BoundEdge:
    def value(given: Quantity | str) -> float:
        return float(port.parameters[given] if isinstance(given, str) else given)

    return BoundEdge(
        program,
        {name: float(port.parameters[name]) for name in program.parameters},
        {
            name: value(port.synapse.initial.get(name, Quantity(0.0)))
            for name in program.variables
            if name != "w"
        },
    )


class Scaled(NamedTuple):
    """One thing that an effect scales.

    Attributes:
        kind: `cells` (a parameter of a population's StepProgram), `edges` (one of a projection's
            EdgeProgram), `weight` (of a projection or background) or `reasoner`.
        owner: The population, projection or background.
        parameter: The name in the program.
    """

    kind: str
    owner: str
    parameter: str


def scaled_by(built: Built) -> dict[str, tuple[Scaled, ...]]:
    """What the factor of each modulated parameter acts on, keyed `target.parameter`.

    A parameter of a synapse may be read on the target, on the edge, or on both.
    """
    found: dict[str, tuple[Scaled, ...]] = {}
    for effect in built.network.effects:
        found[f"{effect.target}.{effect.parameter}"] = tuple(
            _places(built, effect.target, effect.parameter)
        )
    return found


def factor_bounds(built: Built) -> dict[str, dict[str, tuple[float, float]]]:
    """The least and the greatest factor on each modulated parameter, by population."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for key, places in scaled_by(built).items():
        changes = [
            effect.at_saturation - 1
            for effect in built.network.effects
            if f"{effect.target}.{effect.parameter}" == key
        ]
        low, high = (sum(pick(c, 0.0) for c in changes) for pick in (min, max))
        for place in places:
            if place.kind == "cells":
                bounds = max(0.0, 1 + low), max(0.0, 1 + high)
                found.setdefault(place.owner, {})[place.parameter] = bounds
    return found


def _places(built: Built, target: str, parameter: str) -> list[Scaled]:
    if target in {p.name for p in built.populations}:
        return [Scaled("cells", target, parameter)]
    inputs = {p.name: p.target for p in built.network.projections}
    inputs |= {b.name: b.target for b in built.network.backgrounds}
    if target not in inputs:
        return [Scaled("reasoner", target, parameter)]
    if parameter == "weight":
        return [Scaled("weight", target, parameter)]
    places = []
    population = next(p for p in built.populations if p.name == inputs[target])
    port = next(port for port in population.ports if target in port.projections)
    if parameter + port.suffix in population.composed.parameters:
        places.append(Scaled("cells", population.name, parameter + port.suffix))
    edge = built.edges.get(target)
    if edge and parameter in edge.program.parameters:
        places.append(Scaled("edges", target, parameter))
    return places
