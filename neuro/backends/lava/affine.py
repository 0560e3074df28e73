"""An expression of the closed language as a weighted sum of states, with numbers for weights."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuro.equations.hoist import evaluate
from neuro.equations.program import Assignment
from neuro.equations.syntax import CONSTANTS, names_in

__all__ = ["Affine", "NotAffine", "affine_step", "affine_value"]

Number = Any


class NotAffine(ValueError):
    """Holds the part of an expression that is no weighted sum, for a message."""


@dataclass(frozen=True, eq=False)
class Affine:
    """`constant + sum of weights[x]*x`; numbers, or one a cell."""

    constant: Number = 0.0
    weights: Mapping[str, Number] = field(default_factory=dict)

    def of(self, state: str) -> Number:
        """The weight of a state."""
        return self.weights.get(state, 0.0)

    def plus(self, other: Affine, sign: float = 1.0) -> Affine:
        """The sum, or with a sign of -1 the difference."""
        names = {**self.weights, **other.weights}
        return Affine(
            self.constant + sign * other.constant,
            {name: self.of(name) + sign * other.of(name) for name in names},
        )

    def times(self, number: Number) -> Affine:
        """A multiple."""
        return Affine(
            self.constant * number, {name: w * number for name, w in self.weights.items()}
        )


def affine_step(
    assignments: Sequence[Assignment], states: Sequence[str], values: Mapping[str, Any]
) -> dict[str, Affine]:
    """What each state becomes in a step, in terms of the states before it.

    Args:
        values: Of parameters and of `dt`, in coherent units.

    Raises:
        NotAffine: if a step is no weighted sum of the states, or depends on anything else.
    """
    known = {name: Affine(0.0, {name: 1.0}) for name in states}
    for name, text in assignments:
        known[name] = affine_value(text, known, values)
    return {name: known.get(f"{name}__new", known[name]) for name in states}


def affine_value(text: str, known: Mapping[str, Affine], values: Mapping[str, Any]) -> Affine:
    """An expression over `known` names and numbers; it may come out infinite or NaN.

    Raises:
        NotAffine: if it is no weighted sum.
    """
    with np.errstate(all="ignore"):
        return _Reader(known, values).read(ast.parse(text, mode="eval").body)


class _Reader:
    def __init__(self, known: Mapping[str, Affine], values: Mapping[str, Any]) -> None:
        self._known, self._values = known, values

    def read(self, tree: ast.expr) -> Affine:
        match tree:
            case ast.Name(id=name) if name in self._known:
                return self._known[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.read(operand).times(-1.0)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.read(left).plus(self.read(right))
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self.read(left).plus(self.read(right), -1.0)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                first, second = self.read(left), self.read(right)
                if first.weights and second.weights:
                    raise NotAffine(ast.unparse(tree))
                if second.weights:
                    return second.times(first.constant)
                return first.times(second.constant)
            case ast.BinOp(left=left, op=ast.Div(), right=right) if not self.read(right).weights:
                return self.read(left).times(1.0 / np.asarray(self.read(right).constant))
        return self._number(tree)

    def _number(self, tree: ast.expr) -> Affine:
        """An expression in which no state stands, such as `exp(-dt*g_L/C)`."""
        read = names_in(tree)
        if any(self._known[name].weights for name in read if name in self._known):
            raise NotAffine(ast.unparse(tree))
        values = {**self._values, **{n: self._known[n].constant for n in read if n in self._known}}
        calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call)
                 and isinstance(n.func, ast.Name)}  # fmt: skip
        if read - set(values) - set(CONSTANTS) or calls & {"rand", "randn"}:
            raise NotAffine(ast.unparse(tree))
        value = evaluate(ast.unparse(tree), values)
        return Affine(float(value) if value.ndim == 0 else value)
