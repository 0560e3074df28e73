"""What a Record refers to: a population's cells, or a projection's edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuro.equations.port_names import inside
from neuro.errors import NetworkError, nearest
from neuro.network import Record

if TYPE_CHECKING:
    from neuro.build import Built

__all__ = ["Recorded", "recorded_at"]


@dataclass(frozen=True)
class Recorded:
    """Where traces come from.

    Attributes:
        edges: Whether `at` counts the built network's projections, not its populations.
        variable: The program's name of what is recorded; empty if there is no such variable.
        known: What can be recorded there, as people call it.
        unit: Unit of the variable.
    """

    edges: bool
    at: int
    variable: str
    known: tuple[str, ...]
    unit: str

    def size(self, built: Built) -> int:
        """How many cells or edges there are; edges are drawn to count them."""
        if self.edges:
            return int(built.projections[self.at].source.size)
        return built.populations[self.at].n


def recorded_at(built: Built, record: Record) -> Recorded:
    """The population of a record's name, or else the projection.

    Raises:
        NetworkError: if there is neither or both, or the projection's synapses have no variables.
    """
    name = record.population
    if name in built.edges and any(p.name == name for p in built.populations):
        raise NetworkError(
            f"record: `{name}` is the name of a population and of a projection with variables; "
            f"give one of them another name"
        )
    for at, population in enumerate(built.populations):
        if population.name == name:
            program = population.program
            own = (*program.states, *(each for each, _ in program.subexpressions), *program.summed)
            variable = inside(record.variable, own, population.ports) or ""
            known = tuple(map(population.shown, own))
            return Recorded(False, at, variable, known, program.units.get(variable, ""))
    names = [p.name for p in built.network.projections]
    if name not in names:
        every = [*(p.name for p in built.populations), *names]
        raise NetworkError(
            f"record: no population or projection `{name}`{nearest(name, every)} "
            f"(known: {', '.join(every) or 'none'})"
        )
    if name not in built.edges:
        synapse = built.network.projections[names.index(name)].synapse.name
        raise NetworkError(
            f"record: synapses `{synapse}` of projection `{name}` have no variables of their own; "
            f"record `{name}.{record.variable}` of the population they end on"
        )
    edge = built.edges[name].program
    variable = record.variable if record.variable in edge.variables else ""
    return Recorded(True, names.index(name), variable, edge.variables, edge.units.get(variable, ""))
