"""Expressions of a step as sums: a constant plus a factor times each variable.

Found by walking the syntax tree with such sums in place of numbers, so that an expression is known
to be linear, and its factors are exact to the last operation; nothing is sampled.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.equations.hoist import evaluate
from neuro.equations.program import Assignment
from neuro.equations.syntax import CONSTANTS

__all__ = ["Number", "Sum", "assigned", "sum_of"]

Number = float | NDArray[np.floating]


class Sum(NamedTuple):
    """`constant + Σ factors[x] * x`; None instead of one means that it is no such sum."""

    constant: Number
    factors: Mapping[str, Number] = {}

    def factor(self, name: str) -> Number:
        """What multiplies a variable."""
        return self.factors.get(name, 0.0)

    def reads(self) -> set[str]:
        """Variables that count."""
        return {name for name, factor in self.factors.items() if np.any(factor)}


def assigned(assignments: Iterable[Assignment], known: Mapping[str, Sum]) -> dict[str, Sum | None]:
    """The value of each name after assignments in order."""
    values: dict[str, Sum | None] = dict(known)
    for name, text in assignments:
        values[name] = sum_of(text, values)
    return values


def sum_of(text: str, known: Mapping[str, Sum | None]) -> Sum | None:
    """An expression as a sum, or None if it is not linear in the variables of `known`."""
    return _walk(ast.parse(text, mode="eval").body, known)


def _walk(tree: ast.expr, known: Mapping[str, Sum | None]) -> Sum | None:
    match tree:
        case ast.Constant(value=bool() | int() | float() as number):
            return Sum(float(number))
        case ast.Name(id=name):
            return known[name] if name in known else Sum(CONSTANTS[name])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _walk(operand, known)
            return inner and _scaled(inner, -1.0)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _walk(operand, known)
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _walk(left, known), _walk(right, known)
            return None if one is None or other is None else _combined(op, one, other)
        case ast.Call(func=ast.Name(id=function), args=arguments):
            inner_values = [_walk(argument, known) for argument in arguments]
            if any(value is None or value.factors for value in inner_values):
                return None
            names = [f"x{k}" for k in range(len(inner_values))]
            given = {n: v.constant for n, v in zip(names, inner_values, strict=True) if v}
            return Sum(evaluate(f"{function}({', '.join(names)})", given))
    return None


def _combined(op: ast.operator, one: Sum, other: Sum) -> Sum | None:
    with np.errstate(all="ignore"):  # what is not finite is refused where it is used
        if isinstance(op, (ast.Add, ast.Sub)):
            other = other if isinstance(op, ast.Add) else _scaled(other, -1.0)
            factors = dict(one.factors)
            for name, factor in other.factors.items():
                factors[name] = factors[name] + factor if name in factors else factor
            return Sum(one.constant + other.constant, factors)
        if isinstance(op, ast.Mult):
            if one.factors and other.factors:
                return None
            return _scaled(one, other.constant) if one.factors else _scaled(other, one.constant)
        if isinstance(op, ast.Div) and not other.factors:
            factors = {name: np.true_divide(f, other.constant) for name, f in one.factors.items()}
            return Sum(np.true_divide(one.constant, other.constant), factors)
        if isinstance(op, ast.Pow) and not one.factors and not other.factors:
            return Sum(np.power(one.constant, other.constant))
    return None


def _scaled(one: Sum, by: Number) -> Sum:
    return Sum(one.constant * by, {name: factor * by for name, factor in one.factors.items()})
