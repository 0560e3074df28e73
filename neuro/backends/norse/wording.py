"""Expressions of the equation language as PyTorch code.

The expression comes out of the equation compiler, so every node is one of the closed language.
Names that end in `__` are the printed module's own; model text does not hold them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from neuro.equations.hoist import evaluate
from neuro.equations.syntax import CONSTANTS

__all__ = ["IMPORTS", "in_torch", "is_truth"]

IMPORTS = {
    "torch": (
        "abs", "acos", "addcmul", "asin", "atan", "ceil", "cos", "cosh", "exp", "expm1",
        "floor", "lerp", "log", "log10", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh",
        "trunc", "where",
    ),
    "neuro.backends.norse.functions": (
        "clip", "cube", "exprel", "floor_divide", "fourth", "remainder",
    ),
}  # fmt: skip
"""What the code refers to, as `<name>__`, by the module it is imported from."""

_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "int": "trunc"}
_POWERS = {
    1: "({})", 2: "square__({})", 3: "cube__({})", 4: "fourth__({})", 6: "square__(cube__({}))",
    8: "square__(fourth__({}))", 9: "cube__(cube__({}))", 0.5: "sqrt__({})",
    0.25: "sqrt__(sqrt__({}))",
}  # fmt: skip


def in_torch(
    expression: str,
    draw: Callable[[str], str],
    constant: Callable[[float], str] = repr,
    name: Callable[[str], str] = str,
    dtype: str = "F__",
) -> str:
    """The expression in PyTorch's words.

    Args:
        draw: What stands for `rand()` or `randn()`, given which.
        constant: What stands for a number that is divided: PyTorch would take a reciprocal, and
            round twice.
        name: What stands for a variable.
        dtype: What a truth becomes that is used as a number.
    """
    tree = _Folded().visit(_parsed(expression))
    return ast.unparse(_Torch(draw, constant, name, dtype).visit(tree))


def is_truth(tree: ast.AST) -> bool:
    """Whether an expression is true or false by its form."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return True
    return isinstance(tree, (ast.Compare, ast.BoolOp))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Folded(ast.NodeTransformer):
    """Numbers for what holds numbers alone, which PyTorch's functions would not take."""

    def visit(self, node: ast.AST) -> Any:
        parts: list[ast.AST]
        match node:
            case ast.Name(id=name):
                return ast.Constant(CONSTANTS[name]) if name in CONSTANTS else node
            case ast.Call(args=[]):
                return node  # a draw
            case ast.Call(args=arguments):
                node.args = [self.visit(each) for each in arguments]
                parts = [*node.args]
            case ast.BinOp() | ast.UnaryOp() | ast.Compare() | ast.BoolOp():
                self.generic_visit(node)
                parts = [e for e in ast.walk(node) if isinstance(e, (ast.Name, ast.Constant))]
            case _:
                return node
        if not all(_is_number(each) for each in parts):
            return node
        value = evaluate(ast.unparse(node), {})
        if is_truth(node):
            return ast.Constant(bool(value))
        one = ast.Constant(abs(float(value)))  # a negative one would be printed without brackets
        return ast.UnaryOp(ast.USub(), one) if value < 0 else one


class _Torch(ast.NodeTransformer):
    def __init__(
        self, draw: Callable[[str], str], constant: Callable[[float], str],
        name: Callable[[str], str], dtype: str,
    ) -> None:  # fmt: skip
        self._draw, self._constant, self._name, self._dtype = draw, constant, name, dtype

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        return ast.Constant(float(node.value))  # type: ignore[arg-type]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _parsed(self._name(node.id))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in ("rand", "randn"):
            return _parsed(self._draw(called))
        if called == "int" and is_truth(node.args[0]):
            return self._number(node.args[0])
        arguments = ", ".join(ast.unparse(self._number(each)) for each in node.args)
        return _parsed(f"{_NAMES.get(called, called)}__({arguments})")

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self._number(node.left), self._number(node.right)
        match node.op:
            case ast.Pow():
                if power := _power(left, node.right):
                    return power
            case ast.Mod():
                return _parsed(f"remainder__({ast.unparse(left)}, {ast.unparse(right)})")
            case ast.FloorDiv():
                return _parsed(f"floor_divide__({ast.unparse(left)}, {ast.unparse(right)})")
            case ast.Div() if (number := _number_of(left)) is not None:
                left = _parsed(self._constant(number))
        return ast.BinOp(left, node.op, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(ast.Invert(), self.visit(node.operand))
        return ast.UnaryOp(node.op, self._number(node.operand))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        sign = " & " if isinstance(node.op, ast.And) else " | "
        return _parsed(sign.join(f"({ast.unparse(self.visit(part))})" for part in node.values))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        left, right = self._number(node.left), self._number(node.comparators[0])
        return ast.Compare(left, node.ops, [right])

    def _number(self, tree: ast.expr) -> ast.expr:
        """A truth used as a number is 1 or 0."""
        if not is_truth(tree):
            return self.visit(tree)
        return _parsed(f"({ast.unparse(self.visit(tree))}).to({self._dtype})")


def _is_number(tree: ast.AST) -> bool:
    inner = tree.operand if isinstance(tree, ast.UnaryOp) else tree
    return isinstance(inner, ast.Constant)


def _number_of(tree: ast.expr) -> float | None:
    match tree:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -float(value)
    return None


def _power(base: ast.expr, exponent: ast.expr) -> ast.expr | None:
    """A power by multiplication or square roots, where its exponent is a plain number."""
    negative = isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub)
    number = exponent.operand if isinstance(exponent, ast.UnaryOp) and negative else exponent
    if not isinstance(number, ast.Constant) or isinstance(number.value, bool):
        return None
    form = _POWERS.get(number.value)  # type: ignore[arg-type]
    if form is None:
        return None
    text = form.format(ast.unparse(base))
    return _parsed(f"({text}).reciprocal()" if negative else text)
