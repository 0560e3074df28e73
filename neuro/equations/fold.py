"""Put values for names and do the arithmetic that can be done at once, so that text stays short."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

__all__ = ["folded", "substituted"]

_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_KEEP_LEFT = {(1, ast.Mult), (1, ast.Div), (0, ast.Add), (0, ast.Sub)}
_KEEP_RIGHT = {(1, ast.Mult), (0, ast.Add)}
_NOTHING = {(0, ast.Mult), (0, ast.Div)}


def folded(text: str, value: Callable[[str], float | str | None]) -> str:
    """The expression with each name replaced for which there is a `value`, a number or text.

    >>> folded("-(v + 40*mV)/(10*mV)*1/ms", {"mV": 1.0, "ms": 1.0}.get)
    '-(v + 40.0) / 10.0'
    >>> folded("g*(E - v) + I", {"v": 0.0, "I": "a + b*v"}.get)
    'g * E + (a + b * v)'
    """
    return ast.unparse(_Folder(value).visit(ast.parse(text, mode="eval").body))


class _Folder(ast.NodeTransformer):
    def __init__(self, value: Callable[[str], float | str | None]) -> None:
        self._value = value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._value(node.id)
        if isinstance(value, str):
            return ast.parse(value, mode="eval").body
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
        elif (right, kind) in _KEEP_LEFT:
            return node.left
        elif (left, kind) in _KEEP_RIGHT:
            return node.right
        elif (left, kind) == (0, ast.Sub):
            return ast.UnaryOp(ast.USub(), node.right)
        elif (left, kind) in _NOTHING or (right, kind) == (0, ast.Mult):
            return ast.Constant(0.0)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return node.operand if _value(node) == 0 else node


def _value(node: ast.expr) -> float | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None


def substituted(expression: str, values: Mapping[str, str]) -> str:
    """The expression with names replaced by the expressions given for them."""
    trees = {name: ast.parse(text, mode="eval").body for name, text in values.items()}

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return trees.get(node.id, node)

        def visit_Call(self, node: ast.Call) -> ast.expr:
            node.args = [self.visit(argument) for argument in node.args]
            return node

    return ast.unparse(Replace().visit(ast.parse(expression, mode="eval")))
