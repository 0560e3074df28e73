"""Composed model text -> StepProgram, by way of Brian2; kept on disk once derived."""

from __future__ import annotations

import re
from collections.abc import Sequence

from neuro.equations.compose import Composed
from neuro.equations.kept import cached
from neuro.equations.names import WEIGHT, is_noise
from neuro.equations.port_names import without_ports
from neuro.equations.program import Assignment, StepProgram
from neuro.equations.syntax import is_condition, names_in
from neuro.errors import EquationError
from neuro.units import Dimension

__all__ = ["compile_step", "in_order", "numbers", "ordered"]

_memory: dict[str, StepProgram] = {}


def compile_step(composed: Composed, weights: list[Dimension]) -> StepProgram:
    """The step program of a composed model, checked for dimensions.

    Args:
        weights: The dimension of the weight that arrives at each port.

    Raises:
        EquationError: if text, names or dimensions are wrong, or the method cannot integrate it.
    """
    key = _key(composed, weights)
    if key in _memory:
        return _memory[key]
    with without_ports():
        _memory[key] = cached(
            "step", key, StepProgram.from_json, lambda: _derive(composed, weights)
        )
    return _memory[key]


def _key(composed: Composed, weights: list[Dimension]) -> str:
    parts = (
        composed.name, composed.text,
        composed.threshold, composed.reset, composed.refractory, composed.method, composed.on_pre,
        composed.summed,
        sorted((name, tuple(map(str, q.dimension))) for name, q in composed.parameters.items()),
        sorted((name, tuple(map(str, dim))) for name, dim in composed.inputs.items()),
        sorted((k, str(getattr(v, "dimension", v))) for k, v in composed.initial.items()),
        [tuple(map(str, w)) for w in weights],
    )  # fmt: skip
    return repr(parts)


def _derive(composed: Composed, weights: list[Dimension]) -> StepProgram:
    from neuro.equations import brian_compiler
    from neuro.equations.dimensions import check_dimensions

    where = f"model `{composed.name}`"
    dimensions = check_dimensions(composed, weights)
    states = tuple(line.name for line in composed.lines if line.kind == "differential")
    held = {line.name for line in composed.lines if "unless refractory" in line.flags}
    if held and not (composed.refractory and composed.threshold):
        raise EquationError(
            f"{where}: `(unless refractory)` needs a threshold and a refractory time or condition"
        )
    given = {name: q.dimension for name, q in composed.parameters.items()} | dict(composed.inputs)

    active: list[Assignment] = []
    resting: list[Assignment] = []
    method = composed.method
    if states:
        active, method = brian_compiler.step_code(composed.lines, given, composed.method, where)
        if held:
            moving = [line for line in composed.lines if line.name not in held]
            fixed = given | {name: dimensions[name] for name in held}
            if any(line.kind == "differential" for line in moving):
                resting, _ = brian_compiler.step_code(moving, fixed, method, where)
            resting = resting + [(f"{name}__new", name) for name in sorted(held)]
    known = {*dimensions, WEIGHT}
    subexpressions = ordered(
        [(ln.name, numbers(ln.expression, known)) for ln in composed.lines
         if ln.kind == "subexpression"], where,
    )  # fmt: skip
    reset = in_order(
        [(s.name, numbers(s.expression, known)) for s in composed.reset], subexpressions
    )
    deliveries = tuple(
        _summed([(s.name, numbers(s.increment, known)) for s in statements])
        for statements in composed.on_pre
    )
    text = " ".join([
        composed.text, composed.threshold, composed.refractory,
        *(s.expression for s in composed.reset),
    ])  # fmt: skip
    features = {f"{method} integration"} if states else set()
    if any(is_noise(name) for line in composed.lines for name in names_in(line.expression or "0")):
        features.add("white noise")
    if re.search(r"\brandn?\(", text):
        features.add("random numbers")
    if composed.threshold:
        features.add("spikes")
    if composed.refractory and is_condition(composed.refractory):
        features.add("conditional refractoriness")
    return StepProgram(
        name=composed.name,
        states=states,
        parameters=tuple(composed.parameters),
        inputs=tuple(composed.inputs),
        units={name: dimension.unit for name, dimension in dimensions.items()},
        subexpressions=subexpressions,
        active=tuple(active),
        resting=tuple(resting),
        held=tuple(sorted(held)),
        threshold=numbers(composed.threshold, known),
        reset=reset,
        refractory=numbers(composed.refractory, known),
        deliveries=deliveries,
        method=method,
        features=tuple(sorted(features)),
        summed=composed.summed,
    )


def numbers(expression: str, known: set[str]) -> str:
    """The expression with unit names, other than `known` variables, as coherent numbers."""
    from neuro.equations import brian_compiler

    for name in names_in(expression) if expression else ():
        if name not in known and (unit := brian_compiler.unit_number(name)):
            expression = re.sub(rf"\b{name}\b", repr(unit[0]), expression)
    return expression


def in_order(
    statements: Sequence[Assignment], subexpressions: Sequence[Assignment]
) -> tuple[Assignment, ...]:
    """Statements, each after the subexpressions it reads.

    As in Brian2, a subexpression is computed again where a variable that it reads has changed
    since.

    Args:
        subexpressions: In order of dependence.
    """
    known = dict(subexpressions)
    reads: dict[str, set[str]] = {}  # of each subexpression, those of others included
    for name, text in subexpressions:
        reads[name] = {name, *names_in(text)}.union(*(reads.get(n, ()) for n in names_in(text)))
    fresh, done = set[str](), list[Assignment]()
    for name, text in statements:
        needed = set[str]().union(*(reads.get(n, ()) for n in names_in(text)))
        for inner in known:
            if inner in needed and inner not in fresh:
                done.append((inner, known[inner]))
                fresh.add(inner)
        done.append((name, text))
        fresh = {inner for inner in fresh if name not in reads[inner]}
    return tuple(done)


def _summed(increments: Sequence[Assignment]) -> tuple[Assignment, ...]:
    """One increment for each variable: the sum of those that statements add to it."""
    sums: dict[str, str] = {}
    for name, text in increments:
        sums[name] = f"{sums[name]} + ({text})" if name in sums else text
    return tuple(sums.items())


def ordered(assignments: list[Assignment], where: str) -> tuple[Assignment, ...]:
    """Subexpressions, each after those it reads.

    Raises:
        EquationError: if they refer to each other in a circle.
    """
    left, done = dict(assignments), list[Assignment]()
    while left:
        ready = [name for name, text in left.items() if not names_in(text) & set(left)]
        if not ready:
            raise EquationError(f"{where}: {', '.join(left)} are defined by each other")
        done.extend((name, left.pop(name)) for name in ready)
    return tuple(done)
