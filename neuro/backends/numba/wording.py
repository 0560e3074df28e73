"""Expressions of the equation language in the kernel's words: one precision, no branches."""

from __future__ import annotations

import ast
from collections.abc import Callable

from neuro.equations.syntax import CONSTANTS

__all__ = ["in_double", "in_kernel"]

_TRUTHS = (ast.Compare, ast.BoolOp)
_ROOTS = {0.5: "sqrt({})", 0.25: "sqrt(sqrt({}))"}
_POWERS = {2: "square({})", 3: "cube({})", 4: "square(square({}))", 6: "square(cube({}))",
           8: "square(square(square({})))", 9: "cube(cube({}))"}  # fmt: skip


def in_kernel(expression: str, draw: Callable[[str], str]) -> str:
    """The expression with every number of the kernel's precision.

    Args:
        draw: The call that stands for `rand()` or `randn()`, given which.
    """
    tree = ast.parse(expression, mode="eval").body
    return ast.unparse(_Kernel(draw).visit(tree))


def in_double(expression: str) -> str:
    """The expression for what is computed once a step: plain doubles, names ending in `__64`."""
    return ast.unparse(_Double().visit(ast.parse(expression, mode="eval").body))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Kernel(ast.NodeTransformer):
    def __init__(self, draw: Callable[[str], str]) -> None:
        self._draw = draw

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        return _parsed(f"F({float(node.value)!r})")  # type: ignore[arg-type]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _parsed(f"F({CONSTANTS[node.id]!r})") if node.id in CONSTANTS else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("rand", "randn"):
            return _parsed(self._draw(name))
        if name == "int" and _is_truth(node.args[0]):
            return self._number(node.args[0])
        arguments = ", ".join(ast.unparse(self._number(a)) for a in node.args)
        return _parsed(f"{'whole' if name == 'int' else name}({arguments})")

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.op, ast.Pow) and (power := _power(self._number(node.left), node.right)):
            return power
        node.left, node.right = self._number(node.left), self._number(node.right)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if not isinstance(node.op, ast.Not):
            node.operand = self._number(node.operand)
            return node
        self.generic_visit(node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        # `and` would branch; both sides are cheap and have no effects.
        sign = " & " if isinstance(node.op, ast.And) else " | "
        return _parsed(sign.join(f"({ast.unparse(self.visit(part))})" for part in node.values))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        node.left = self._number(node.left)
        node.comparators = [self._number(part) for part in node.comparators]
        return node

    def _number(self, tree: ast.expr) -> ast.expr:
        """A truth used as a number is 1 or 0."""
        new = self.visit(tree) if not _is_truth(tree) else None
        if new is not None:
            return new
        return _parsed(f"select({ast.unparse(self.visit(tree))}, F(1.0), F(0.0))")


def _is_truth(tree: ast.expr) -> bool:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return True
    return isinstance(tree, _TRUTHS)


def _power(base: ast.expr, exponent: ast.expr) -> ast.expr | None:
    """A power by multiplication or square roots, where its exponent is a plain number."""
    negative = isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub)
    number = exponent.operand if isinstance(exponent, ast.UnaryOp) and negative else exponent
    if not isinstance(number, ast.Constant) or isinstance(number.value, bool):
        return None
    text = ast.unparse(base)
    form = _ROOTS.get(number.value) or _POWERS.get(number.value)  # type: ignore[arg-type]
    if number.value == 1:
        form = "({})"
    if form is None:
        return None
    return _parsed(f"F(1.0) / {form.format(text)}" if negative else form.format(text))


class _Double(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        known = node.id in CONSTANTS
        return ast.Constant(CONSTANTS[node.id]) if known else ast.Name(node.id + "__64", ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = ", ".join(ast.unparse(self.visit(a)) for a in node.args)
        return _parsed(f"{name}__64({arguments})")
