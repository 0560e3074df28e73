"""Unit names as numbers, and arithmetic on numbers done at once, so that a step stays readable."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

__all__ = ["folded"]

_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def folded(text: str, number: Callable[[str], float | None]) -> str:
    """The expression with each name that `number` knows as its value.

    >>> folded("-(v + 40*mV)/(10*mV)*1/ms", {"mV": 1.0, "ms": 1.0}.get)
    '-(v + 40.0) / 10.0'
    """
    return ast.unparse(_Folder(number).visit(ast.parse(text, mode="eval").body))


class _Folder(ast.NodeTransformer):
    def __init__(self, number: Callable[[str], float | None]) -> None:
        self._number = number

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._number(node.id)
        return node if value is None else ast.Constant(value)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]  # not the function's name
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        left, right = _value(node.left), _value(node.right)
        kind = type(node.op)
        if left is not None and right is not None and kind in _ARITHMETIC:
            if kind is not ast.Div or right:
                result = _ARITHMETIC[kind](left, right)
                # A negative constant would be printed without the brackets that a power needs.
                one = ast.Constant(abs(result))
                return ast.UnaryOp(ast.USub(), one) if result < 0 else one
        elif right == 1 and kind in (ast.Mult, ast.Div):
            return node.left
        elif left == 1 and kind is ast.Mult:
            return node.right
        return node


def _value(node: ast.expr) -> float | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None
