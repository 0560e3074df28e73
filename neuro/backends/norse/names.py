"""What a name such as `cells.tau_m`, `ff.weight` or `na.per_spike` means in a network.

    cells.tau_m, cells.I_ext     a parameter of a population's model, or its constant current
    cells.v_init                 where a state starts
    ff.weight, noise.weight      the weights of a projection, the weight of a background
    ff.tau                       a parameter of a projection's synapses
    cells.ff.tau, cells.ff.g_init   the same for all projections that share it; where a state starts
    na.per_spike, na.uptake, na.baseline, beta.ec50, beta.hill
    beta.cells.g_L               an effect's factor at saturation: receptor, target, parameter

Values are in Ember's units.
"""

from __future__ import annotations

from typing import NamedTuple

from neuro.backends.norse.modulators import modulator_values
from neuro.backends.norse.schedule import targets_of
from neuro.build import Built
from neuro.equations.port_names import inside
from neuro.errors import NetworkError, nearest

__all__ = ["Place", "places"]


class Place(NamedTuple):
    """One thing that a name stands for.

    Attributes:
        kind: `cells` (a parameter), `start` (of a state), `edges` (a parameter of synapses with a
            state of their own), `weight` or `modulator`.
        owner: The population, projection or background; empty for modulators.
        name: The parameter, the state, or the whole name.
    """

    kind: str
    owner: str
    name: str


def places(built: Built, name: str, what: str = "trainable") -> tuple[Place, ...]:
    """All that a name stands for; a synapse's parameter may be read on the target and the edge.

    Args:
        what: What the name was given as, for messages.

    Raises:
        NetworkError: if it stands for nothing, or for two things, or if a parameter belongs to
            several projections.
    """
    found = [group for group in (
        _of_population(built, name), _of_input(built, name), _of_modulators(built, name),
    ) if group]  # fmt: skip
    if not found:
        known = sorted(_known(built))
        raise NetworkError(
            f"{what}: `{name}` must be a parameter, a weight or a start value of the network"
            f"{nearest(name, known)} (for instance {', '.join(known[:6]) or 'none'})"
        )
    if len(found) > 1:
        raise NetworkError(
            f"{what}: `{name}` must mean one thing, found {len(found)} parts of that name; rename "
            f"one of them"
        )
    return found[0]


def _of_population(built: Built, name: str) -> tuple[Place, ...]:
    for population in built.populations:
        owner, ports = population.name, population.ports
        if not name.startswith(f"{owner}."):
            continue
        rest = name.removeprefix(f"{owner}.")
        parameter = inside(rest, population.parameters, ports)
        state = None
        if rest.endswith("_init"):
            state = inside(rest.removesuffix("_init"), population.program.states, ports)
        if parameter and state:
            raise NetworkError(
                f"`{name}` must mean one thing, found a parameter of that name and the start of "
                f"`{population.shown(state)}`; rename the parameter"
            )
        if parameter:
            return (Place("cells", owner, parameter),)
        if state:
            return (Place("start", owner, state),)
    return ()


def _of_input(built: Built, name: str) -> tuple[Place, ...]:
    owner, _, rest = name.rpartition(".")
    inputs = targets_of(built.network)
    if owner not in inputs:
        return ()
    if rest == "weight":
        return (Place("weight", owner, rest),)
    population = next(p for p in built.populations if p.name == inputs[owner])
    port = next(port for port in population.ports if owner in port.projections)
    found = []
    if rest in port.parameters and rest + port.suffix in population.parameters:
        if len(port.projections) > 1:
            others = ", ".join(f"`{p}`" for p in port.projections if p != owner)
            raise NetworkError(
                f"`{name}` is shared with {others}, whose synapses are the same; use "
                f"`{population.name}.{owner}.{rest}` for all of them, or give them parameters that "
                f"differ"
            )
        found.append(Place("cells", population.name, rest + port.suffix))
    edge = built.edges.get(owner)
    if edge and rest in edge.program.parameters:
        found.append(Place("edges", owner, rest))
    return tuple(found)


def _of_modulators(built: Built, name: str) -> tuple[Place, ...]:
    return (Place("modulator", "", name),) if name in modulator_values(built) else ()


def _known(built: Built) -> set[str]:
    found = set(modulator_values(built))
    for population in built.populations:
        name, shown = population.name, population.shown
        found |= {f"{name}.{shown(p)}" for p in population.parameters}
        found |= {f"{name}.{shown(s)}_init" for s in population.program.states}
    found |= {f"{name}.weight" for name in targets_of(built.network)}
    for name, edge in built.edges.items():
        found |= {f"{name}.{p}" for p in edge.program.parameters}
    return found
