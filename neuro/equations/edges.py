"""Synapse text -> EdgeProgram, by way of Brian2; kept on disk once derived.

Only synapses that do more than add to the target have one (`compose.has_edges`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neuro.equations.compiler import ordered
from neuro.equations.compose import EDGE_FLAGS, Composed, Port
from neuro.equations.edge_program import EdgeProgram
from neuro.equations.fold import substituted
from neuro.equations.kept import cached
from neuro.equations.names import ELAPSED
from neuro.equations.port_names import without_ports
from neuro.equations.program import Assignment
from neuro.equations.syntax import CONSTANTS, Line, names_in, parse_lines, parse_statements
from neuro.errors import EquationError, nearest
from neuro.units import Dimension

if TYPE_CHECKING:
    from neuro.equations.edge_names import EdgeNames

__all__ = ["compile_edge", "edge_lines"]

_END = "__end"
_memory: dict[str, EdgeProgram] = {}


def edge_lines(port: Port) -> tuple[Line, ...]:
    """The equations of a port's edges, each flag in its place.

    Raises:
        EquationError: if a line is none, or does not say when it is computed.
    """
    where = f"synapse `{port.synapse.name}`: edges"
    lines = parse_lines(port.synapse.edges, where, EDGE_FLAGS)
    for line in lines:
        flags = {
            "differential": ("event-driven", "clock-driven"),
            "subexpression": ("summed",),
            "parameter": (),
        }[line.kind]
        if len(line.flags) > 1 or set(line.flags) - set(flags):
            raise EquationError(
                f"{where}: `{line.name}` can be ({' or '.join(flags) or 'nothing'}), "
                f"found ({', '.join(line.flags)})"
            )
        if line.kind == "differential" and not line.flags:
            raise EquationError(
                f"{where}: d{line.name}/dt must be `(event-driven)`, brought up to date by "
                f"spikes, or `(clock-driven)`, advanced at every step"
            )
        if line.name == "w" and line.kind != "differential":
            raise EquationError(f"{where}: `w` is the synapse's weight; every edge has it")
        if line.name in port.parameters:
            raise EquationError(f"{where}: `{line.name}` must be defined once, found it twice")
    return lines


def compile_edge(port: Port, target: Composed, source: Composed | None) -> EdgeProgram:
    """The program of one projection's synapses, checked for dimensions.

    Args:
        port: Where the projection arrives on the target.
        target: The target's model with all its ports.
        source: The source's; None for spikes that come from outside.

    Raises:
        EquationError: if text, names or dimensions are wrong, or no integrator fits.
    """
    key = _key(port, target, source)
    if key not in _memory:
        with without_ports():
            _memory[key] = cached(
                "edge", key, EdgeProgram.from_json, lambda: _derive(port, target, source)
            )
    return _memory[key]


def _key(port: Port, target: Composed, source: Composed | None) -> str:
    def cells(composed: Composed | None) -> object:
        return composed and (
            composed.text, composed.summed, sorted(composed.inputs),
            sorted((n, tuple(map(str, q.dimension))) for n, q in composed.parameters.items()),
        )  # fmt: skip

    synapse = port.synapse
    parts = (
        synapse.name, port.suffix,
        synapse.equations, synapse.edges, synapse.on_pre, synapse.on_post,
        tuple(map(str, synapse.weight.dimension)),
        sorted((n, tuple(map(str, q.dimension))) for n, q in port.parameters.items()),
        sorted((k, str(getattr(v, "dimension", v))) for k, v in synapse.initial.items()),
        cells(target), cells(source),
    )  # fmt: skip
    return repr(parts)


def _derive(port: Port, target: Composed, source: Composed | None) -> EdgeProgram:
    from neuro.equations.brian_compiler import unit_dimension
    from neuro.equations.dimensions import check_dimensions, check_expression, check_no_unit
    from neuro.equations.edge_names import EdgeNames

    synapse = port.synapse
    where = f"synapse `{synapse.name}`"
    lines = edge_lines(port)
    own = [line for line in lines if "summed" not in line.flags]
    for name in [*port.parameters, *(line.name for line in own)]:
        check_no_unit(name, where)
    edge = {
        line.name: unit_dimension(line.unit, f"{where}: edges: equation of `{line.name}`")
        for line in own
    }
    if edge.get("w", synapse.weight.dimension) != synapse.weight.dimension:
        raise EquationError(f"{where}: edges: dw/dt must have the weight's unit after the colon")
    names = EdgeNames(
        port, edge, (target, check_dimensions(target)),
        (source, check_dimensions(source)) if source else None,
    )  # fmt: skip

    for line in own:
        if line.expression:
            left, wanted = line.name, edge[line.name]
            if line.kind == "differential":
                left, wanted = f"d{line.name}/dt", wanted._replace(time=wanted.time - 1)
            at = f"{where}: edges: {left}"
            names.check_reads(line.expression, at, statement=False)
            check_expression(line.expression, wanted, names.edge_dimensions, at)
    inner = dict(
        ordered(
            [(line.name, names.canonical(line.expression, statement=False))
             for line in own if line.kind == "subexpression"], f"{where}: edges",
        )
    )  # fmt: skip
    for name, text in inner.items():  # in order of dependence, so one pass writes all of them out
        inner[name] = substituted(text, inner)

    stored = [line.name for line in own if line.kind != "subexpression"]
    statements: dict[str, list[Assignment]] = {}
    state_dependent = False
    for when, text in (("on_pre", synapse.on_pre), ("on_post", synapse.on_post)):
        statements[when] = []
        for statement in parse_statements(text, f"{where}: {when}"):
            at = f"{where}: {when}"
            left = names.written(statement.name, dict.fromkeys(stored), at)
            at = f"{at}: {statement.name}"
            names.check_reads(statement.expression, at, statement=True)
            wanted = names.dimensions[statement.name]
            check_expression(statement.expression, wanted, names.dimensions, at)
            whole = substituted(names.canonical(statement.expression, statement=True), inner)
            added = substituted(
                names.canonical(statement.increment or statement.expression, statement=True), inner
            )
            on_target = left.endswith("_post")
            if on_target:
                whole, added = names.arriving(whole), names.arriving(added)
            reads_cells = any(n.endswith(("_post", "_pre")) for n in names_in(added))
            state_dependent |= reads_cells or (on_target and not statement.increment)
            statements[when].append((left, whole))

    event = [line for line in own if "event-driven" in line.flags]
    summed = _summed(names, lines, target, port, inner, {line.name for line in event})
    written = {name for group in statements.values() for name, _ in group}
    if "w" in written and "w" not in stored:
        stored.append("w")
    _check_initial(port, stored, edge, where)

    clock = [line for line in own if "clock-driven" in line.flags]
    plain = {line.name for line in own if line.kind == "parameter"} | {"w", *port.parameters}
    advance, _ = _integrated(
        event, names, inner, plain, "exact",
        "an event-driven equation may read variables of its edge and parameters alone",
    )  # fmt: skip
    advance = [(n, re.sub(r"\bdt\b", ELAPSED, text)) for n, text in advance]
    readable = {*names.ends, *plain, "t", "dt"} - {line.name for line in event}
    step, method = _integrated(
        clock, names, inner, readable, "auto",
        "a clock-driven equation may not read what is event-driven, which is not up to date",
    )  # fmt: skip

    everything = [*inner.items(), *advance, *step, *summed]
    everything += statements["on_pre"] + statements["on_post"]
    read = set[str]().union(*(names_in(text) for _, text in everything))
    text = " ".join(text for _, text in everything)
    features = {
        "edge variables": bool(stored),
        "on_post": bool(statements["on_post"]),
        "summed variables": bool(summed),
        "clock-driven edges": bool(step),
        "state-dependent on_pre": state_dependent,
        "random numbers in synapses": bool(re.search(r"\brandn?\(", text)),
        f"{method} integration": bool(step),
    }
    dimensions = {**edge, "w": synapse.weight.dimension}
    dimensions |= {n: q.dimension for n, q in port.parameters.items() if n in read}

    def of_cell(suffix: str) -> tuple[str, ...]:
        return tuple(sorted(n.removesuffix(suffix) for n in read if n.endswith(suffix)))

    return EdgeProgram(
        name=synapse.name,
        variables=tuple(stored),
        parameters=tuple(name for name in port.parameters if name in read),
        reads_post=of_cell("_post"),
        writes_post=tuple(sorted(n.removesuffix("_post") for n in written if n.endswith("_post"))),
        reads_pre=of_cell("_pre"),
        units={name: dimension.unit for name, dimension in dimensions.items()},
        subexpressions=tuple(inner.items()),
        advance=tuple(advance),
        step=tuple(step),
        on_pre=tuple(statements["on_pre"]),
        on_post=tuple(statements["on_post"]),
        summed=tuple(summed),
        method=method if step else "",
        features=tuple(sorted(name for name, needed in features.items() if needed)),
    )


def _summed(
    names: EdgeNames, lines: Sequence[Line], target: Composed, port: Port,
    inner: Mapping[str, str], event: set[str],
) -> list[Assignment]:  # fmt: skip
    from neuro.equations.brian_compiler import unit_dimension
    from neuro.equations.dimensions import check_expression

    found = []
    for line in lines:
        if "summed" not in line.flags:
            continue
        where = f"{names.where}: edges: {line.name}"
        name = line.name.removesuffix("_post") + port.suffix
        if not line.name.endswith("_post") or name not in target.summed:
            raise EquationError(
                f"{where} must be a variable of the target: write `X_post = … : unit (summed)`, "
                f"with a line `X : unit` in `equations`"
            )
        wanted = names.dimensions[line.name]
        if unit_dimension(line.unit, where) != wanted:
            raise EquationError(f"{where} must have the unit of `{name}`, {wanted.unit}")
        names.check_reads(line.expression, where, statement=False)
        check_expression(line.expression, wanted, names.edge_dimensions, where)
        text = substituted(names.canonical(line.expression, statement=False), inner)
        if stale := sorted(names_in(text) & event):
            raise EquationError(
                f"{where} may not read the event-driven `{stale[0]}`, which spikes alone bring up "
                f"to date; make `{stale[0]}` (clock-driven)"
            )
        found.append((name, names.arriving(text)))
    return found


def _integrated(
    lines: Sequence[Line], names: EdgeNames, inner: Mapping[str, str], readable: set[str],
    method: str, rule: str,
) -> tuple[list[Assignment], str]:  # fmt: skip
    from neuro.equations.brian_compiler import step_code

    where = f"{names.where}: edges"
    own = {line.name for line in lines}
    written_out = []
    read: set[str] = set()
    for line in lines:
        text = substituted(names.canonical(line.expression, statement=False), inner)
        # A group of cells, which Brian2 integrates here, may not have names in _pre and _post.
        text = re.sub(r"\b\w+(_pre|_post)\b", rf"\g<0>{_END}", text)
        read |= (found := names_in(text) - CONSTANTS.keys())
        if odd := sorted({name.removesuffix(_END) for name in found} - own - readable):
            raise EquationError(f"{where}: d{line.name}/dt reads `{odd[0]}`, but {rule}")
        written_out.append(line._replace(expression=text, flags=()))
    if not written_out:
        return [], ""
    given = {
        name: names.canonical_dimensions[name.removesuffix(_END)]
        for name in sorted(read - own - {"t", "dt"})
    }
    try:
        code, method = step_code(written_out, given, method, where)
    except EquationError as error:
        if method != "exact":
            raise
        raise EquationError(
            f"{where}: event-driven equations must be linear with constant coefficients, which "
            f"those of {', '.join(sorted(own))} are not; make them (clock-driven)"
        ) from error
    return [(name, text.replace(_END, "")) for name, text in code], method


def _check_initial(
    port: Port, stored: Sequence[str], edge: Mapping[str, Dimension], where: str
) -> None:
    able = [name for name in stored if name != "w"]
    for name, value in port.synapse.initial.items():
        if name not in able:
            raise EquationError(
                f"{where}: initial `{name}` is no variable of the edge{nearest(name, able)} "
                f"(known: {', '.join(able) or 'none'}; `w` starts at the projection's weight)"
            )
        if isinstance(value, str) and value not in port.parameters:
            raise EquationError(
                f"{where}: initial `{name}` must be a quantity or the name of a parameter, "
                f"found `{value}`{nearest(value, port.parameters)}"
            )
        found = port.parameters[value] if isinstance(value, str) else value
        if found.dimension != edge[name]:
            raise EquationError(
                f"{where}: initial `{name}` must be a {edge[name]}, found `{found}`"
            )
