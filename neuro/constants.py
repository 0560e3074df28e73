"""Whether what a program computes from its parameters alone is a number, asked before a run.

A quotient of parameters is none where the divisor is 0, and an exact solution is none where it has
a square root of a negative number. Back ends disagree on what follows from it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from neuro.build import Built
from neuro.equations import EdgeProgram, StepProgram
from neuro.equations.hoist import evaluate
from neuro.equations.names import renamed
from neuro.equations.syntax import CONSTANTS, names_in
from neuro.errors import NetworkError

__all__ = ["check_constants"]

_Values = dict[str, float | NDArray[np.float64]]


def check_constants(built: Built) -> None:
    """Refuse parameters at which a constant of a population or of a projection is not finite.

    A refractory time that is constant must not be negative either.

    Raises:
        NetworkError: naming the parameter that must not be 0, or another method.
    """
    for population in built.populations:
        values: _Values = {
            **population.parameters, "dt": built.dt_ms, "N": float(population.n),
            "i": np.arange(population.n, dtype=np.float64),
        }  # fmt: skip
        where = f"population `{population.name}`"
        method = population.program.method
        _check(where, _texts_of_cells(population.program), values, population.shown, method)
        _check_refractory(where, population.program.refractory, values)
    for name, edge in built.edges.items():
        values = {**edge.parameters, "dt": built.dt_ms}
        texts = _texts_of_edges(edge.program)
        _check(f"projection `{name}`", texts, values, lambda own: own, edge.program.method)


def _check_refractory(where: str, refractory: str, values: _Values) -> None:
    if refractory and _is_constant(ast.parse(refractory, mode="eval"), values):
        least = float(evaluate(refractory, values).min())
        if least < 0:
            raise NetworkError(
                f"{where}: the refractory time must not be negative, found {least:g} ms of "
                f"`{refractory}`"
            )


def _texts_of_cells(program: StepProgram) -> Iterator[tuple[str, str]]:
    yield from program.subexpressions
    for statements in (program.active, program.resting, program.reset, *program.deliveries):
        yield from statements
    yield from (("", text) for text in (program.threshold, program.refractory) if text)


def _texts_of_edges(program: EdgeProgram) -> Iterator[tuple[str, str]]:
    yield from program.subexpressions
    for statements in (program.advance, program.step, program.on_pre, program.on_post):
        yield from statements
    yield from program.summed


def _check(
    where: str,
    texts: Iterable[tuple[str, str]],
    values: _Values,
    shown: Callable[[str], str],
    method: str,
) -> None:
    given, constants = dict(values), list[tuple[str, str]]()
    seen = set[str]()
    for name, text in texts:
        if text in seen:
            continue
        seen.add(text)
        tree = ast.parse(text, mode="eval").body
        for part in (*_quotients(tree, values), *_largest(tree, values)):
            if not np.isfinite(evaluate(part, values)).all():
                _refuse(where, part, given, constants, shown, method)
        if name and name not in values and _is_constant(tree, values):
            values[name] = evaluate(text, values)
            constants.append((name, text))


def _refuse(
    where: str,
    part: str,
    given: _Values,
    constants: Iterable[tuple[str, str]],
    shown: Callable[[str], str],
    method: str,
) -> NoReturn:
    for name, value in given.items():
        zero = np.asarray(value) == 0
        values: _Values = {**given, name: np.where(zero, 1.0, value)}
        for constant, text in constants:
            values[constant] = evaluate(text, values)
        if zero.any() and np.isfinite(evaluate(part, values)).all():
            cell = f" in cell {int(zero.argmax())}" if zero.size > 1 else ""
            raise NetworkError(
                f"{where}: `{shown(name)}` must not be 0, since the equations divide by it, "
                f"found 0{cell}"
            )
    what, other = f"`{renamed(part, lambda name: shown(name).partition('__')[0])[:80]}`", ""
    if method == "exact":
        what, other = "the exact solution", ", or give the model `method: rk4`"
    raise NetworkError(
        f"{where}: {what} must be a finite real number, found none for these parameters; check "
        f"them{other}"
    )


def _quotients(tree: ast.expr, values: Mapping[str, object]) -> Iterator[str]:
    """1 over each constant divisor, each after those within it."""
    for part in ast.iter_child_nodes(tree):
        if isinstance(part, ast.expr):
            yield from _quotients(part, values)
    match tree:
        case ast.BinOp(op=ast.Div(), right=right) if not isinstance(right, ast.Constant):
            if _is_constant(right, values):
                yield f"1/({ast.unparse(right)})"


def _largest(tree: ast.expr, values: Mapping[str, object]) -> Iterator[str]:
    """The constant parts of an expression that stand in no other."""
    if isinstance(tree, (ast.Name, ast.Constant)):
        return
    if _is_constant(tree, values):
        yield ast.unparse(tree)
        return
    for part in ast.iter_child_nodes(tree):
        if isinstance(part, ast.expr):
            yield from _largest(part, values)


def _is_constant(tree: ast.AST, values: Mapping[str, object]) -> bool:
    """Whether an expression reads what is known and nothing else, nor draws a number."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    drawn = any(isinstance(f, ast.Name) and f.id in ("rand", "randn") for f in calls)
    return not drawn and names_in(tree) - CONSTANTS.keys() <= values.keys()
