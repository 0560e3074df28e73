"""Is an equation linear in its own variable, and with which coefficients?"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

from neuro.equations.syntax import names_in

__all__ = ["Affine", "affine"]

# Calls that Brian2, too, takes for a coefficient even when the variable stands inside them.
_FROZEN = frozenset(
    {"exp", "expm1", "exprel", "tanh", "cosh", "sinh", "sin", "cos", "tan", "clip", "int"}
)


class Affine(NamedTuple):
    """`scale * (rest - decay*x) / over`, each part as text; empty parts are 1, 0, 0 and 1."""

    scale: str
    rest: str
    decay: str
    over: str
    growth: str  # the same as -decay

    @property
    def rate(self) -> str:
        """How fast x nears `rest/decay`."""
        return _quotient(_product(self.scale, self.decay), self.over)

    @property
    def gain(self) -> str:
        """The whole coefficient of x."""
        return _quotient(_product(self.scale, self.growth), self.over)


def affine(text: str, x: str, subexpressions: Mapping[str, str]) -> Affine | None:
    """The form of a derivative that is plainly linear in `x`; None if it is not, or not plainly.

    As in Brian2, a factor in which x is hidden within a function or a denominator counts as a
    coefficient, so `g/(1 + exp(-v))*(E - v)` is linear in v; `exp(v)` alone and `v**2` are not.
    """
    reader = _Reader(x, subexpressions)
    try:
        form = reader.read(ast.parse(text, mode="eval").body)
    except _Unclear:
        return None
    if not form.growth:
        if reader.hides(ast.parse(text, mode="eval").body):
            return None
        return Affine("", text, "", "", "")
    decay = [(not added, term) for added, term in form.growth]
    return Affine(form.scale, _sum(form.rest), _sum(decay), form.over, _sum(form.growth))


class _Unclear(Exception):
    pass


_Terms = list[tuple[bool, str]]  # (is it added?, term)


class _Form(NamedTuple):
    """`scale * (rest + growth*x) / over` in the making."""

    rest: _Terms
    growth: _Terms
    scale: str = ""
    over: str = ""

    def flat(self) -> _Form:
        """The same without `scale` and `over`."""

        def scaled(terms: _Terms) -> _Terms:
            return [(sign, _quotient(_product(self.scale, t), self.over)) for sign, t in terms]

        return _Form(scaled(self.rest), scaled(self.growth))

    def negative(self) -> _Form:
        return self._replace(
            rest=[(not sign, term) for sign, term in self.rest],
            growth=[(not sign, term) for sign, term in self.growth],
        )


class _Reader:
    def __init__(self, x: str, subexpressions: Mapping[str, str]) -> None:
        self._x, self._subexpressions = x, subexpressions
        self._forms: dict[str, _Form] = {}

    def hides(self, tree: ast.expr) -> bool:
        """Whether x stands anywhere in it, however deep in subexpressions."""
        names = names_in(tree)
        return self._x in names or any(
            self.hides(ast.parse(self._subexpressions[name], mode="eval").body)
            for name in names & set(self._subexpressions)
        )

    def read(self, tree: ast.expr) -> _Form:
        match tree:
            case ast.Name(id=self._x):
                return _Form([], [(True, "1")])
            case ast.Name(id=name) if name in self._subexpressions:
                if name not in self._forms:
                    self._forms[name] = _Form([(True, name)], [])  # ends a circle
                    inside = self.read(ast.parse(self._subexpressions[name], mode="eval").body)
                    if inside.growth:
                        self._forms[name] = inside
                return self._forms[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.read(operand).negative()
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                first, second = self.read(left), self.read(right)
                if isinstance(op, ast.Sub):
                    second = second.negative()
                if first.growth or second.growth:
                    first, second = first.flat(), second.flat()
                    return _Form(first.rest + second.rest, first.growth + second.growth)
            case ast.BinOp(left=ast.UnaryOp(op=ast.USub(), operand=left), op=op, right=right) if (
                isinstance(op, (ast.Mult, ast.Div))
            ):
                return self.read(ast.BinOp(left, op, right)).negative()  # the sign stays outside
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                first, second = self.read(left), self.read(right)
                if first.growth and second.growth:
                    raise _Unclear
                if first.growth:
                    return first._replace(scale=_product(first.scale, ast.unparse(right)))
                if second.growth:
                    return second._replace(scale=_product(ast.unparse(left), second.scale))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                form = self.read(left)
                if form.growth:
                    return form._replace(over=_product(form.over, ast.unparse(right)))
            case ast.Call(func=ast.Name(id=function)):
                if function not in _FROZEN and self.hides(tree):
                    raise _Unclear
            case _:
                if self.hides(tree):  # powers, comparisons
                    self._only_in_functions(tree)
        return _Form([(True, ast.unparse(tree))], [])

    def _only_in_functions(self, tree: ast.expr) -> None:
        for child in ast.iter_child_nodes(tree):
            if isinstance(child, ast.expr) and self.read(child).growth:
                raise _Unclear


def _product(left: str, right: str) -> str:
    if left in ("", "1") or right in ("", "1"):
        return right if left in ("", "1") else left
    return f"({left})*({right})"


def _quotient(part: str, over: str) -> str:
    return f"({part})/({over})" if over else part


def _sum(terms: _Terms) -> str:
    text = "".join(f"{' + ' if added else ' - '}({term})" for added, term in terms)
    return text.removeprefix(" + ").strip()
