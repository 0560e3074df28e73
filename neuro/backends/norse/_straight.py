"""A cell's printed step as straight-line assignments, each name assigned once.

What is read is the very code that steps a population in PyTorch (`CellStep.source`), so that
another way of running it does the same arithmetic in the same order. Only operations that IEEE
754 rounds in one way are read: their results are the same bits wherever they are computed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Line", "NotStraight", "Reader", "text"]

_FUNCTIONS = ("square", "cube", "fourth", "sqrt", "abs")
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|",
          ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
          }  # fmt: skip


class NotStraight(Exception):
    """Why a step cannot be read."""


@dataclass(frozen=True)
class Line:
    """`name = value`. Truths and whole numbers have no gradient."""

    name: str
    value: ast.expr
    smooth: bool = True


@dataclass
class Reader:
    """Reads functions of printed code, one after another, into `lines`.

    Attributes:
        functions: Their bodies, by name.
        states: The present name of each state; changes.
        inputs: What stands for each input.
        bound: The names of constants that were read, in order; each stands as `b_<name>`.
    """

    functions: Mapping[str, ast.FunctionDef]
    states: list[str]
    inputs: Mapping[str, str]
    lines: list[Line] = field(default_factory=list)
    bound: dict[str, None] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _truths: set[str] = field(default_factory=set)

    def read(self, name: str, given: Mapping[str, str]) -> list[list[ast.expr]]:
        """Take in a function's body; what it returns, item by item."""
        self._names = dict(given)
        for statement in self.functions[name].body:
            match statement:
                case ast.Assign([ast.Tuple(elts=parts)], ast.Name("S__")):
                    for part, state in zip(parts, self.states, strict=True):
                        self._names[ast.unparse(part)] = state
                case ast.Assign([ast.Name(target)], value):
                    self._names[target] = self.add(target, self._expression(value))
                case ast.Return(ast.Tuple(elts=parts)):
                    return [
                        [self._expression(e) for e in part.elts]
                        if isinstance(part, ast.Tuple) else [self._expression(part)]
                        for part in parts
                    ]  # fmt: skip
        raise NotStraight(f"its step has no end in `{name}`")

    def add(self, name: str, value: ast.expr) -> str:
        """Give a value a name of its own."""
        if isinstance(value, ast.Name):
            return value.id
        own = f"m{len(self.lines)}_{name}"
        truth = self._is_truth(value)
        if truth:
            self._truths.add(own)
        self.lines.append(Line(own, value, not truth))
        return own

    def name_truth(self, name: str) -> None:
        """Say that a name from outside is a truth."""
        self._truths.add(name)

    def _is_truth(self, tree: ast.expr) -> bool:
        match tree:
            case ast.Name(name):
                return name in self._truths
            case ast.Compare() | ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return True
            case ast.UnaryOp(op=ast.Not()):
                return True
        return False

    def _expression(self, tree: ast.expr) -> ast.expr:
        match tree:
            case ast.Constant(value=None | bool() | float()):
                return tree
            case ast.Name(name) if name in self._names:
                return ast.Name(self._names[name])
            case ast.Name("step__"):
                return ast.Name("step")
            case ast.Subscript(ast.Name("L__")):
                return ast.Name("last")
            case ast.Subscript(ast.Name("B__"), ast.Constant(str(name))):
                self.bound[name] = None
                return ast.Name(f"b_{name}")
            case ast.Subscript(ast.Name("X__"), ast.Constant(str(name))) if name in self.inputs:
                return ast.Name(self.inputs[name])
            case ast.BinOp(left, op, right) if type(op) in _SIGNS:
                left, right = self._expression(left), self._expression(right)
                if isinstance(op, ast.Mult) and self._is_truth(left):
                    return _call("select", left, right, ast.Constant(0.0))
                return ast.BinOp(left, op, right)
            case ast.Compare(left, [op], [right]) if type(op) in _SIGNS:
                return ast.Compare(self._expression(left), [op], [self._expression(right)])
            case ast.UnaryOp(ast.USub(), inner):
                return ast.UnaryOp(ast.USub(), self._expression(inner))
            case ast.UnaryOp(ast.Invert(), inner):
                return ast.UnaryOp(ast.Not(), self._expression(inner))
            case ast.Call(func, arguments):
                return self._call(func, arguments)
        raise NotStraight(f"it has `{ast.unparse(tree)}`")

    def _call(self, function: ast.expr, arguments: Sequence[ast.expr]) -> ast.expr:
        match function:
            case ast.Attribute(ast.Name("surrogate__"), "crossing") if len(arguments) == 4:
                high, low = (self.add("side", self._expression(each)) for each in arguments[:2])
                strict, scale = arguments[2], arguments[3]
                if not isinstance(scale, ast.Subscript):
                    raise NotStraight("its threshold has no scale")
                crossing = _call("cross", ast.Name(high), ast.Name(low), strict, scale.slice)
                return ast.Name(self.add("crossing", crossing))
            case ast.Attribute(inner, "to"):
                truth = self._expression(inner)
                return _call("select", truth, ast.Constant(1.0), ast.Constant(0.0))
            case ast.Attribute(inner, "reciprocal"):
                return ast.BinOp(ast.Constant(1.0), ast.Div(), self._expression(inner))
            case ast.Name("where__"):
                return _call("select", *map(self._expression, arguments))
            case ast.Name("lerp__"):
                start, end, share = map(self._expression, arguments)
                return _call("lerp", start, end, share)
            case ast.Name("addcmul__"):
                return _call("addcmul", *map(self._expression, arguments))
            case ast.Name(name) if name.removesuffix("__") in _FUNCTIONS:
                return _call(name.removesuffix("__"), *map(self._expression, arguments))
        raise NotStraight(f"it has `{ast.unparse(function).removesuffix('__')}`")


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name), list(arguments), [])


def text(tree: ast.expr) -> str:
    """A value as Numba's Python; a share `z` of a reset is a truth."""
    match tree:
        case ast.Name(name):
            return name
        case ast.Constant(value=bool(value)):
            return str(value)
        case ast.Constant(value=float(value)):
            return f"F({value!r})"
        case ast.BinOp(left, op, right):
            return f"({text(left)} {_SIGNS[type(op)]} {text(right)})"
        case ast.Compare(left, [op], [right]):
            return f"({text(left)} {_SIGNS[type(op)]} {text(right)})"
        case ast.UnaryOp(op, inner):
            return f"({'not ' if isinstance(op, ast.Not) else '-'}{text(inner)})"
        case ast.Call(ast.Name(name), arguments):
            parts = [text(each) for each in arguments]
            return _FORMS[name].format(*parts)
    raise NotStraight(f"it has `{ast.unparse(tree)}`")


_FORMS = {
    "square": "({0} * {0})", "cube": "({0} * {0} * {0})", "fourth": "(({0} * {0}) * ({0} * {0}))",
    "sqrt": "F(sqrt({0}))", "abs": "abs({0})", "select": "({1} if {0} else {2})",
    "lerp": "({1} if {2} > F(0.5) else {0})",
    "addcmul": "({0} + ({2} if {1} > F(0.5) else F(0.0)))",
}  # fmt: skip
