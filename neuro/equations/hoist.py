"""Sort a program's arithmetic by how often it must be done: once, once a step, or every time.

Every name varies over time, over cells, both, or neither. An expression varies as its names do,
so constants such as `exp(-dt/tau)` are found, however deep they sit, and given a name that is
computed once. Which names vary is known only when values are bound (a shared or a per-cell
parameter, a modulated one), so this happens then, and the StepProgram itself stays general.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.equations.program import Assignment
from neuro.equations.syntax import CONSTANTS

__all__ = ["CELL", "CONSTANT", "TIME", "Hoister", "evaluate"]

CONSTANT, TIME, CELL = 0, 1, 2
EVERYWHERE = TIME | CELL


@dataclass
class Hoister:
    """Rewrites expressions and collects what was taken out of them.

    Attributes:
        varies: How each name varies (`CONSTANT`, `TIME`, `CELL`, `TIME | CELL`); grows.
        names_truths: Whether a condition that can be computed earlier gets a name, which is then
            1 or 0; if not, only the numbers in it do.
        bound: Assignments to compute once, in order; each a scalar or one value a cell.
        per_step: Assignments to compute once a step, the same for all cells.
    """

    varies: dict[str, int]
    names_truths: bool = True
    bound: list[Assignment] = field(default_factory=list)
    per_step: list[Assignment] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def assignments(self, items: Iterable[Assignment]) -> list[Assignment]:
        """Rewrite assignments in order; those that need no cell's state are taken out whole."""
        kept: list[Assignment] = []
        for name, text in items:
            expression = self.expression(text)
            tree = ast.parse(expression, mode="eval").body
            varies = self._variation(tree)
            if varies == EVERYWHERE or name.endswith(("__new", "__step")):
                self.varies[name] = EVERYWHERE
                kept.append((name, expression))
            else:
                self.varies[name] = varies
                (self.per_step if varies & TIME else self.bound).append((name, expression))
        return kept

    def times(self) -> set[str]:
        """`t`, and what is computed once a step and grows with it, as a product with `t` does."""
        found = {"t"}
        for name, text in self.per_step:
            if _grows(ast.parse(text, mode="eval").body, found):
                found.add(name)
        return found

    def expression(self, text: str) -> str:
        """The expression with everything computable earlier replaced by a name."""
        return ast.unparse(self._rewrite(ast.parse(text, mode="eval").body)) if text else ""

    def _variation(self, tree: ast.expr) -> int:
        varies = CONSTANT
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in ("rand", "randn"):
                return EVERYWHERE
            if isinstance(node, ast.Name) and node.id in self.varies:
                varies |= self.varies[node.id]
        return varies

    def _rewrite(self, tree: ast.expr) -> ast.expr:
        if isinstance(tree, (ast.Name, ast.Constant)):
            return tree
        varies = self._variation(tree)
        if varies != EVERYWHERE and (self.names_truths or not _is_truth(tree)):
            return self._named(tree, varies)
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Mult, ast.Div)):
            return self._grouped(tree, (ast.Mult, ast.Div), ast.Mult())
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)):
            return self._grouped(tree, (ast.Add, ast.Sub), ast.Add())
        new = copy.copy(tree)
        for name, value in ast.iter_fields(tree):
            if isinstance(tree, ast.Call) and name == "func":
                continue
            if isinstance(value, ast.expr):
                setattr(new, name, self._rewrite(value))
            elif isinstance(value, list):
                setattr(
                    new, name, [self._rewrite(v) if isinstance(v, ast.expr) else v for v in value]
                )
        return new

    def _grouped(self, tree: ast.BinOp, kinds: tuple[type, ...], join: ast.operator) -> ast.expr:
        """A product or sum with its early terms gathered, so that they become one name."""
        terms = _flatten(tree, kinds)
        early = [term for term in terms if not self._variation(term[0]) & TIME]
        stepwise = [term for term in terms if self._variation(term[0]) == TIME]
        late = [term for term in terms if self._variation(term[0]) == EVERYWHERE]
        groups: list[tuple[ast.expr, bool]] = []
        for group in (early, stepwise):
            if group:
                joined = _join(group, join)
                groups.append((self._named(joined, self._variation(joined)), True))
        groups.extend((self._rewrite(term), direct) for term, direct in late)
        return _join(groups, join)

    def _named(self, tree: ast.expr, varies: int) -> ast.expr:
        if isinstance(tree, (ast.Name, ast.Constant)):
            return tree
        text = ast.unparse(tree)
        if text not in self._known:
            into, letter = (self.per_step, "s") if varies & TIME else (self.bound, "c")
            # Of what changes each step, the constant parts are still computed once.
            inside = ast.unparse(self._constants_out(tree)) if varies & TIME else text
            name = f"{letter}{len(into)}__"
            into.append((name, inside))
            self.varies[name] = varies
            self._known[text] = name
        named = ast.Name(self._known[text], ast.Load())
        # What is kept is a number, and what reads a condition must read one.
        return ast.Compare(named, [ast.NotEq()], [ast.Constant(0.0)]) if _is_truth(tree) else named

    def _constants_out(self, tree: ast.expr) -> ast.expr:
        if isinstance(tree, (ast.Name, ast.Constant)):
            return tree
        if self._variation(tree) == CONSTANT:
            return self._named(tree, CONSTANT)
        new = copy.copy(tree)
        for name, value in ast.iter_fields(tree):
            if isinstance(tree, ast.Call) and name == "func":
                continue
            if isinstance(value, ast.expr):
                setattr(new, name, self._constants_out(value))
            elif isinstance(value, list):
                items = [self._constants_out(v) if isinstance(v, ast.expr) else v for v in value]
                setattr(new, name, items)
        return new


_BOUNDED = frozenset({"sin", "cos", "tan", "tanh", "exp", "log", "sign"})


def _grows(tree: ast.expr, times: set[str]) -> bool:
    """Whether a number reads one of `times` outside a function that levels it."""
    if _is_truth(tree) or (isinstance(tree, ast.Call) and _called(tree) in _BOUNDED):
        return False
    if isinstance(tree, ast.Name):
        return tree.id in times
    inner = (part for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr))
    return any(_grows(part, times) for part in inner)


def _is_truth(tree: ast.expr) -> bool:
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not)
    return isinstance(tree, (ast.Compare, ast.BoolOp))


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _flatten(tree: ast.expr, kinds: tuple[type, ...]) -> list[tuple[ast.expr, bool]]:
    """Terms of nested sums (or products); False marks one that is subtracted (or divided by)."""
    if not (isinstance(tree, ast.BinOp) and isinstance(tree.op, kinds)):
        return [(tree, True)]
    inverse = isinstance(tree.op, (ast.Sub, ast.Div))
    right = [(term, direct != inverse) for term, direct in _flatten(tree.right, kinds)]
    return _flatten(tree.left, kinds) + right


def _join(terms: list[tuple[ast.expr, bool]], join: ast.operator) -> ast.expr:
    product = isinstance(join, ast.Mult)
    inverse: ast.operator = ast.Div() if product else ast.Sub()
    terms = sorted(terms, key=lambda term: not term[1])  # stable: what divides comes last
    first, direct = terms[0]
    if direct:
        result: ast.expr = first
    else:
        result = ast.BinOp(ast.Constant(1.0 if product else 0.0), inverse, first)
    for term, direct in terms[1:]:
        result = ast.BinOp(result, join if direct else inverse, term)
    return result


_NUMPY: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log10": np.log10, "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "abs": np.abs,
    "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "clip": np.clip,
    "int": lambda x: np.asarray(x).astype(np.int64),
    "exprel": lambda x: np.where(x == 0, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x)),
}  # fmt: skip
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.true_divide,
    ast.Pow: np.power, ast.Mod: np.mod, ast.FloorDiv: np.floor_divide,
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal, ast.And: np.logical_and, ast.Or: np.logical_or,
}  # fmt: skip


def evaluate(expression: str, values: Mapping[str, Any]) -> NDArray[np.float64]:
    """The value of an expression of the closed language, elementwise over arrays.

    Walks the syntax tree; nothing is ever handed to Python's `eval`.
    """

    def value(tree: ast.expr) -> Any:
        match tree:
            case ast.Constant(value=number):
                return number if isinstance(number, bool) else float(number)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return values[name] if name in values else CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return np.negative(value(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.logical_not(value(operand))
            case ast.UnaryOp(operand=operand):
                return value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](value(left), value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _BINARY[type(op)](value(left), value(right))
            case ast.BoolOp(op=op, values=parts):
                result = value(parts[0])
                for part in parts[1:]:
                    result = _BINARY[type(op)](result, value(part))
                return result
            case ast.Call(func=ast.Name(id=function), args=arguments):
                return _NUMPY[function](*map(value, arguments))
        raise TypeError(f"{ast.dump(tree)} is outside the closed language")

    with np.errstate(all="ignore"):
        return np.asarray(value(ast.parse(expression, mode="eval").body), dtype=np.float64)
