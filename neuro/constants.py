"""Whether what a program computes from its parameters alone is a number, asked before a run.

A quotient of parameters is none where the divisor is 0, and an exact solution is none where it has
a square root of a negative number. Back ends disagree on what follows from it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from neuro.build import Built
from neuro.equations import EdgeProgram, StepProgram
from neuro.equations.hoist import evaluate
from neuro.equations.names import renamed
from neuro.equations.syntax import CONSTANTS
from neuro.errors import NetworkError

__all__ = ["check_constants"]

_Values = dict[str, float | NDArray[np.float64]]


def check_constants(built: Built) -> None:
    """Refuse parameters at which a constant of a population or of a projection is not finite.

    A refractory time that is constant must not be negative either, and no lower bound of `clip`
    above the upper one.

    Raises:
        NetworkError: naming the parameter that must not be 0, or another method.
    """
    for population in built.populations:
        values: _Values = {
            **population.parameters,
            "dt": built.dt_ms,
            "N": float(population.n),
            "i": np.arange(population.n, dtype=np.float64),
        }
        where = f"population `{population.name}`"
        method = population.program.method
        _check(where, _texts_of_cells(population.program), values, population.shown, method)
        _check_refractory(where, population.program.refractory, values)
    for name, edge in built.edges.items():
        values = {**edge.parameters, "dt": built.dt_ms}
        texts = _texts_of_edges(edge.program)
        _check(f"projection `{name}`", texts, values, lambda own: own, edge.program.method)


def _check_refractory(where: str, refractory: str, values: _Values) -> None:
    if refractory and _parts(refractory, frozenset(values))[2]:
        least = float(evaluate(refractory, values).min())
        if least < 0:
            raise NetworkError(
                f"{where}: the refractory time must not be negative, found {least:g} ms of "
                f"`{refractory}`"
            )


def _texts_of_cells(program: StepProgram) -> Iterator[tuple[str, str]]:
    for assignments in (program.subexpressions, program.active, program.resting):
        yield from assignments
    for statements in (program.reset, *program.deliveries):
        yield from (("", text) for _, text in statements)  # `v = E_L` makes no constant of `v`
    yield from (("", text) for text in (program.threshold, program.refractory) if text)


def _texts_of_edges(program: EdgeProgram) -> Iterator[tuple[str, str]]:
    for assignments in (program.subexpressions, program.advance, program.step):
        yield from assignments
    for statements in (program.on_pre, program.on_post, program.summed):
        yield from (("", text) for _, text in statements)


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
        parts, bounds, whole = _parts(text, frozenset(values))
        for low, high in bounds:
            _check_bounds(where, low, high, values, shown)
        for part in parts:
            if not np.isfinite(evaluate(part, values)).all():
                _refuse(where, part, given, constants, shown, method)
        if name and name not in values and whole:
            values[name] = evaluate(text, values)
            constants.append((name, text))


def _check_bounds(
    where: str, low: str, high: str, values: _Values, shown: Callable[[str], str]
) -> None:
    below, above = np.broadcast_arrays(evaluate(low, values), evaluate(high, values))
    if (wrong := below > above).any():
        k = int(wrong.argmax())
        low, high = (renamed(text, shown) for text in (low, high))
        raise NetworkError(
            f"{where}: the lower bound of `clip` must not be above the upper, found "
            f"`{low}` = {below.flat[k]:g} and `{high}` = {above.flat[k]:g}"
        )


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
        values = _with({**given, name: np.where(zero, 1.0, value)}, constants)
        if zero.any() and np.isfinite(evaluate(part, values)).all():
            cell = f" in cell {int(zero.argmax())}" if zero.size > 1 else ""
            raise NetworkError(
                f"{where}: `{shown(name)}` must not be 0, since the equations divide by it, "
                f"found 0{cell}"
            )
    if method == "exact" and np.isnan(evaluate(part, _with(given, constants))).any():
        raise NetworkError(
            f"{where}: the exact solution must be a real number, found none for these parameters; "
            f"check them, or give the model `method: rk4`"
        )
    text = renamed(part, lambda name: shown(name).partition("__")[0])[:80]
    raise NetworkError(f"{where}: `{text}` is not finite for these parameters; check them")


def _with(given: _Values, constants: Iterable[tuple[str, str]]) -> _Values:
    """Values of parameters, and of the constants that follow from them."""
    values = dict(given)
    for name, text in constants:
        values[name] = evaluate(text, values)
    return values


@lru_cache(maxsize=1024)
def _parts(
    text: str, known: frozenset[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], bool]:
    """What an expression computes from known names alone, and whether that is all of it.

    First 1 over each divisor, the inner ones before the outer, then the parts that stand in no
    other; and apart from them both bounds of each `clip`.
    """
    quotients, largest = list[str](), list[str]()
    bounds = list[tuple[str, str]]()

    def constant(tree: ast.expr) -> bool:
        match tree:
            case ast.Name(id=name):
                return name in known or name in CONSTANTS
            case ast.Constant():
                return True
            case ast.Call(func=ast.Name(id=function), args=children):
                drawn = function in ("rand", "randn")
            case _:
                children = [c for c in ast.iter_child_nodes(tree) if isinstance(c, ast.expr)]
                drawn = False
        each = [constant(child) for child in children]
        match tree:
            case ast.BinOp(op=ast.Div(), right=right) if each[1]:
                if not isinstance(right, ast.Constant):
                    quotients.append(f"1/({ast.unparse(right)})")
            case ast.Call(func=ast.Name(id="clip"), args=[_, low, high]) if each[1] and each[2]:
                bounds.append((ast.unparse(low), ast.unparse(high)))
        whole = all(each) and not drawn
        if not whole:
            largest.extend(
                _texts(child for child, is_so in zip(children, each, strict=True) if is_so)
            )
        return whole

    root = ast.parse(text, mode="eval").body
    whole = constant(root)
    found = (*quotients, *largest, *(_texts([root]) if whole else ()))
    return found, tuple(bounds), whole


def _texts(trees: Iterable[ast.expr]) -> Iterator[str]:
    return (ast.unparse(tree) for tree in trees if not isinstance(tree, (ast.Name, ast.Constant)))
