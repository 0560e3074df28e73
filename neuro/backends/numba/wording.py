"""Expressions of the equation language in the kernel's words: no branches, and a precision each.

A kernel computes in its own precision, `F`, but for what that cannot hold: the time of a long run
and a uniform random number that is compared with a small probability. An expression that reads one
of these is computed in double precision, `D`, whatever else it reads.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from neuro.equations.syntax import CONSTANTS

__all__ = ["Words", "in_double", "is_truth"]

_TRUTHS = (ast.Compare, ast.BoolOp)
_ROOTS = {0.5: "sqrt{s}({})", 0.25: "sqrt{s}(sqrt{s}({}))"}
_POWERS = {1: "({})", 2: "square{s}({})", 3: "cube{s}({})", 4: "square{s}(square{s}({}))",
           6: "square{s}(cube{s}({}))", 8: "square{s}(square{s}(square{s}({})))",
           9: "cube{s}(cube{s}({}))"}  # fmt: skip


def is_truth(tree: ast.expr) -> bool:
    """Whether an expression is true or false by its form."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return True
    return isinstance(tree, _TRUTHS)


def in_double(
    expression: str, name: Callable[[str], str], draw: Callable[[str], str] | None = None
) -> str:
    """The expression as a number in double precision.

    Args:
        name: What stands for a variable.
        draw: What stands for `rand()` or `randn()`, given which.
    """
    words = Words(draw or str, name, None)
    return ast.unparse(words.number(_parsed(expression), wide=True))


class Words:
    """Writes expressions.

    Args:
        draw: What stands for `rand()`, in double precision, or for `randn()`, in the kernel's.
        double: What stands for a variable in double precision.
        doubles: Variables that have no other; None if every comparison must be in it too.
    """

    def __init__(
        self, draw: Callable[[str], str], double: Callable[[str], str],
        doubles: Collection[str] | None,
    ) -> None:  # fmt: skip
        self._draw, self._double, self._doubles = draw, double, doubles

    def text(self, expression: str, *, wide: bool = False) -> tuple[str, bool]:
        """The expression as a number, and whether it is in double precision; `wide` asks for it."""
        tree = _parsed(expression)
        wide = wide or self._is_wide(tree)
        return ast.unparse(self.number(tree, wide=wide)), wide

    def condition(self, expression: str) -> str:
        """The expression as a truth."""
        return ast.unparse(self._truth(_parsed(expression)))

    def number(self, tree: ast.expr, *, wide: bool) -> ast.expr:
        """The tree of an expression as a number of this precision."""
        if is_truth(tree):
            one, zero = ("1.0", "0.0") if wide else ("F(1.0)", "F(0.0)")
            return _parsed(f"select({ast.unparse(self._truth(tree))}, {one}, {zero})")
        match tree:
            case ast.Constant(value=value):
                return _literal(float(value), wide)  # type: ignore[arg-type]
            case ast.Name(name):
                if name in CONSTANTS:
                    return _literal(CONSTANTS[name], wide)
                return _parsed(self._double(name)) if wide else tree
            case ast.Call(ast.Name(name), arguments):
                return self._call(name, arguments, wide)
            case ast.BinOp(left, ast.Pow(), right) if power := _power(right, wide):
                return _parsed(power.replace("{}", ast.unparse(self.number(left, wide=wide))))
            case ast.BinOp(left, op, right):
                return ast.BinOp(self.number(left, wide=wide), op, self.number(right, wide=wide))
            case ast.UnaryOp(op, operand):
                return ast.UnaryOp(op, self.number(operand, wide=wide))
        raise TypeError(f"{ast.dump(tree)} is outside the closed language")

    def _call(self, name: str, arguments: list[ast.expr], wide: bool) -> ast.expr:
        if name == "rand":
            return _parsed(self._draw(name))
        if name == "randn":
            return _parsed(f"D({self._draw(name)})" if wide else self._draw(name))
        numbers = [self.number(a, wide=wide) for a in arguments]
        if name == "int" and is_truth(arguments[0]):
            return numbers[0]
        text = ", ".join(map(ast.unparse, numbers))
        return _parsed(f"{'whole' if name == 'int' else name}{'__64' if wide else ''}({text})")

    def _truth(self, tree: ast.expr) -> ast.expr:
        match tree:
            case ast.Constant(value=bool()):
                return tree
            case ast.BoolOp(op, parts):
                # `and` would branch; both sides are cheap and have no effects.
                sign = " & " if isinstance(op, ast.And) else " | "
                return _parsed(sign.join(f"({ast.unparse(self._truth(p))})" for p in parts))
            case ast.UnaryOp(ast.Not() as op, operand):
                return ast.UnaryOp(op, self._truth(operand))
            case ast.Compare(left, ops, comparators):
                sides = [left, *comparators]
                wide = any(map(self._is_wide, sides))
                first, *rest = (self.number(side, wide=wide) for side in sides)
                return ast.Compare(first, ops, rest)
        wide = self._is_wide(tree)
        number = self.number(tree, wide=wide)
        return ast.Compare(number, [ast.NotEq()], [_literal(0.0, wide)])

    def _is_wide(self, tree: ast.expr) -> bool:
        if self._doubles is None or is_truth(tree):
            return self._doubles is None
        if isinstance(tree, ast.Name):
            return tree.id in self._doubles
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            return tree.func.id == "rand" or any(map(self._is_wide, tree.args))
        return any(
            self._is_wide(part) for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr)
        )


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _literal(value: float, wide: bool) -> ast.expr:
    return _parsed(repr(value) if wide else f"F({value!r})")


def _power(exponent: ast.expr, wide: bool) -> str:
    """A power by multiplication or square roots, where its exponent is a plain number, else ""."""
    negative = isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub)
    number = exponent.operand if isinstance(exponent, ast.UnaryOp) and negative else exponent
    if not isinstance(number, ast.Constant) or isinstance(number.value, bool):
        return ""
    form = _ROOTS.get(number.value) or _POWERS.get(number.value)  # type: ignore[arg-type]
    if form is None:
        return ""
    form = form.replace("{s}", "__64" if wide else "")
    return f"{'1.0' if wide else 'F(1.0)'} / {form}" if negative else form
