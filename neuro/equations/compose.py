"""Neuron text plus the text of the synapses that end on it: one model to integrate.

Projections onto a population whose synapses have the same model and the same parameters are
linear in the same variables, so they share one port: one set of state variables, whatever the
number of projections. The variables of port k carry a suffix that no name of a user's has
(`neuro.equations.port_names`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from neuro.equations.names import WEIGHT, check_name
from neuro.equations.port_names import of_port
from neuro.equations.syntax import (
    Line,
    Statement,
    check_text,
    names_in,
    on_one_line,
    parse_lines,
    parse_statements,
)
from neuro.errors import EquationError, NetworkError, nearest
from neuro.model import NeuronModel, SynapseModel
from neuro.network import Background, Projection
from neuro.units import CURRENT, Dimension, Quantity, pA

__all__ = ["EDGE_FLAGS", "Composed", "Port", "compose", "has_edges", "ports_of"]

DRIVE = "I_ext"
EDGE_FLAGS = ("event-driven", "clock-driven", "summed")
_CLOCK = frozenset({"t", "dt", "i", "N", "I", "xi"})


@dataclass(frozen=True, eq=False)
class Port:
    """Where projections and backgrounds of one kind arrive on a population."""

    suffix: str
    synapse: SynapseModel
    parameters: Mapping[str, Quantity]
    projections: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Composed:
    """A population's whole model: what the equation compiler reads.

    `parameters` holds defaults (scalars); `dimensions` of every parameter, input and weight.
    `on_pre` are the statements of each port, `WEIGHT` standing for the arriving weight; none
    for a port whose synapses have a state of their own (`has_edges`). `summed` are the lines
    without an equation, which such synapses set.
    """

    name: str
    lines: tuple[Line, ...]
    threshold: str
    reset: tuple[Statement, ...]
    refractory: str
    parameters: Mapping[str, Quantity]
    inputs: Mapping[str, Dimension]
    initial: Mapping[str, Quantity | str]
    method: str
    on_pre: tuple[tuple[Statement, ...], ...]
    summed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The equations as one text, for Brian2, provenance and cache keys."""
        return "\n".join(map(str, self.lines))


def ports_of(
    projections: Sequence[Projection | Background], alone: Collection[str] = ()
) -> tuple[Port, ...]:
    """Group the projections and backgrounds of one population into shared ports, in order.

    Args:
        alone: Those that share no port, because a parameter of theirs alone is modulated.
    """
    kinds: dict[tuple[object, ...], list[Projection | Background]] = {}
    for projection in projections:
        values = _parameters(projection)
        key: tuple[object, ...] = (
            id(projection.synapse), tuple(sorted((k, float(v)) for k, v in values.items())),
        )  # fmt: skip
        # A summed variable is the sum over one projection.
        if "summed" in projection.synapse.edges or projection.name in alone:
            key = (projection.name, *key)
        kinds.setdefault(key, []).append(projection)
    return tuple(
        Port(
            suffix=of_port(number),
            synapse=group[0].synapse,
            parameters=_parameters(group[0]),
            projections=tuple(p.name for p in group),
        )
        for number, group in enumerate(kinds.values(), start=1)
    )


def _parameters(projection: Projection | Background) -> dict[str, Quantity]:
    known = projection.synapse.parameters
    unknown = set(projection.parameters) - set(known)
    if unknown:
        raise NetworkError(
            f"`{projection.name}`: synapse `{projection.synapse.name}` has no "
            f"parameter `{sorted(unknown)[0]}`, only {', '.join(known) or 'none'}"
        )
    return {**known, **projection.parameters}


def compose(model: NeuronModel, ports: Sequence[Port] = ()) -> Composed:
    """One model of a neuron and its ports.

    Raises:
        EquationError: if text cannot be read, or a name is taken, missing or reserved.
        NetworkError: if synapses give a current to a model that has no `I`.
    """
    where = f"model `{model.name}`"
    lines = list(parse_lines(model.equations, where))
    parameters = dict(model.parameters)
    own = {line.name for line in lines}
    for name in [*own, *parameters, *model.inputs]:
        check_name(name, where)
        if name == "I":
            raise EquationError(
                f"{where}: the name `I` is reserved, since it is the total input current; use "
                f"another"
            )
    threshold, refractory = on_one_line(model.threshold), on_one_line(model.refractory)
    if threshold:
        check_text(threshold, f"{where}: threshold", condition=True)
    if refractory:
        check_text(refractory, f"{where}: refractory", condition=None)
    for name in set(parameters) & own | set(parameters) & set(model.inputs):
        raise EquationError(f"{where}: `{name}` must be defined once, found it twice")

    initial, on_pre, currents = dict(model.initial), list[tuple[Statement, ...]](), list[str]()
    summed: list[str] = []
    for port in ports:
        edges = has_edges(model, port.synapse)
        synapse = _suffixed(port, edges)
        lines.extend(synapse.lines)
        parameters.update(synapse.parameters)
        on_pre.append(() if edges else synapse.on_pre)
        summed.extend(synapse.summed)
        if synapse.current:
            currents.append(synapse.current)

    readers = [line.expression for line in lines if line.expression]
    reads_current = any("I" in names_in(expression) for expression in readers)
    if currents and not reads_current:
        raise NetworkError(
            f"{where} has no `I` in its equations, so synapses cannot drive it; add `I` to the "
            f"membrane equation"
        )
    if reads_current:
        if DRIVE not in own | set(model.inputs):
            parameters.setdefault(DRIVE, pA(0))
        if DRIVE in parameters and parameters[DRIVE].dimension != CURRENT:
            raise EquationError(f"{where}: `{DRIVE}` must be a current")
        lines.append(Line("subexpression", "I", " + ".join([DRIVE, *currents]), "amp", ()))
    return Composed(
        name=model.name,
        lines=tuple(lines),
        threshold=threshold,
        reset=parse_statements(model.reset, f"{where}: reset"),
        refractory=refractory,
        parameters=parameters,
        inputs=dict(model.inputs),
        initial=initial,
        method=model.method,
        on_pre=tuple(on_pre),
        summed=tuple(summed),
    )


def has_edges(model: NeuronModel, synapse: SynapseModel) -> bool:
    """Whether a synapse needs an EdgeProgram: does it do more than add to the target's states?

    It does if edges have variables, if it acts on the target's spikes, or if what an arriving
    spike does depends on anything but its weight and parameters.
    """
    if synapse.edges.strip() or synapse.on_post.strip():
        return True
    where = f"synapse `{synapse.name}`"
    lines = (
        *parse_lines(model.equations, f"model `{model.name}`"),
        *parse_lines(synapse.equations, where),
    )
    own = {"w", *synapse.parameters}  # in on_pre these are the synapse's
    varying = _CLOCK | {line.name for line in lines} | set(model.inputs)

    def varies(name: str) -> bool:
        if name in own:
            return False
        return name.endswith("_pre") or name.removesuffix("_post") in varying

    return any(
        not statement.increment
        or any(varies(name) for name in names_in(statement.increment))
        or re.search(r"\brandn?\(", statement.increment)
        for statement in parse_statements(synapse.on_pre, f"{where}: on_pre")
    )


@dataclass(frozen=True, eq=False)
class _Suffixed:
    lines: tuple[Line, ...]
    current: str
    parameters: dict[str, Quantity]
    on_pre: tuple[Statement, ...]
    summed: tuple[str, ...]


def _suffixed(port: Port, edges: bool) -> _Suffixed:
    """The port's synapse text with the suffix on every name of its own."""
    where = f"synapse `{port.synapse.name}`"
    lines = parse_lines(port.synapse.equations, where)
    for name in [*port.parameters, *(line.name for line in lines)]:
        check_name(name, where)
        if name == "w":
            raise EquationError(
                f"{where}: the name `w` is reserved, since it is the weight; use another"
            )
    variables = [line.name for line in lines]
    current = port.synapse.current.strip()
    if current and current not in variables:
        raise EquationError(
            f"{where}: current must be the name of a variable in equations, found "
            f"`{current}`{nearest(current, variables)}; write an equation such as `I_syn = … : amp`"
        )
    if port.synapse.initial and not edges:
        raise EquationError(
            f"{where}: initial must be of variables in edges, which it has none of, found "
            f"`{next(iter(port.synapse.initial))}`; start values of variables in equations are "
            f"given to the population"
        )
    own = {*variables, *port.parameters}

    def rename(text: str, weight: str = "w") -> str:
        new = {name: name + port.suffix for name in own} | {"w": weight}

        def renamed(found: re.Match[str]) -> str:
            name = found[0]
            # `v_post` and `v` are the target's, unless the synapse has an equation of `v`; a
            # parameter `v` of the synapse is no variable of the target.
            bare = name.removesuffix("_post")
            return new.get(name) or (new[bare] if bare in variables else bare)

        return re.sub(r"\b[A-Za-z]\w*\b", renamed, text)

    summed = {
        line.name.removesuffix("_post")
        for line in parse_lines(port.synapse.edges, f"{where}: edges", EDGE_FLAGS)
        if "summed" in line.flags
    }
    # With edges, a parameter is the edge's, and the target's as well only if its text reads it.
    read = set[str]().union(*(names_in(line.expression) for line in lines if line.expression))
    return _Suffixed(
        lines=tuple(
            line._replace(name=line.name + port.suffix, expression=rename(line.expression))
            for line in lines
        ),
        current=current and current + port.suffix,
        parameters={
            name + port.suffix: value
            for name, value in port.parameters.items()
            if not edges or name in read
        },
        on_pre=tuple(
            Statement(rename(s.name), rename(s.expression, WEIGHT), rename(s.increment, WEIGHT))
            for s in parse_statements(port.synapse.on_pre, f"{where}: on_pre")
        ),
        summed=tuple(
            line.name + port.suffix
            for line in lines
            if line.kind == "parameter" and line.name in summed
        ),
    )
