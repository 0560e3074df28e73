"""Find what of an expression single precision cannot compute: the time, and uniform numbers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping

from neuro.backends.norse.wording import is_truth

__all__ = ["Drawn", "apart", "is_rand"]


def is_rand(tree: ast.expr) -> bool:
    """Whether an expression is one uniform number."""
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "rand"


class Drawn(ast.NodeTransformer):
    """Numbers the random numbers of an expression, from left to right, and names each.

    Args:
        draw: The code of the next draw, given `rand` or `randn`.
        parts: Gets the code of each, by its name.
    """

    def __init__(self, draw: Callable[[str], str], parts: dict[str, str]) -> None:
        self._draw, self._parts = draw, parts

    def visit_Call(self, node: ast.Call) -> ast.expr:
        kind = node.func.id if isinstance(node.func, ast.Name) else ""
        if kind not in ("rand", "randn"):
            node.args = [self.visit(argument) for argument in node.args]
            return node
        name = f"{kind}{len(self._parts)}__"
        self._parts[name] = self._draw(kind)
        return ast.Name(name, ast.Load())


def apart(
    tree: ast.expr, parts: dict[str, str], wide: Callable[[ast.expr], str], times: Collection[str]
) -> ast.expr:
    """The tree with a name for each part that must be computed in double precision.

    Args:
        parts: Gets the code of each, by its name; holds that of random numbers.
        wide: The code of a part in double precision.
        times: The time, and what grows with it.
    """

    def named(part: ast.expr, form: str) -> ast.expr:
        code, name = wide(part), f"wide{len(parts)}__"
        parts[name] = form.format(code)
        return ast.Name(name, ast.Load())

    if isinstance(tree, ast.Compare):
        sides = [tree.left, *tree.comparators]
        if any(_is_wide(side, parts, times) for side in sides):
            sides = [named(side, "({})") for side in sides]
        else:
            sides = [apart(side, parts, wide, times) for side in sides]
        return ast.Compare(sides[0], tree.ops, sides[1:])
    if _is_wide(tree, parts, times):
        return named(tree, "({}).to(F__)")
    for name, value in ast.iter_fields(tree):
        if isinstance(value, ast.expr) and name != "func":
            setattr(tree, name, apart(value, parts, wide, times))
        elif isinstance(value, list):
            items = [apart(v, parts, wide, times) if isinstance(v, ast.expr) else v for v in value]
            setattr(tree, name, items)
    return tree


def _is_wide(tree: ast.expr, parts: Mapping[str, str], times: Collection[str]) -> bool:
    """Whether a number, apart from conditions in it, reads the time or a uniform number."""
    if is_truth(tree):
        return False
    if isinstance(tree, ast.Name):
        return tree.id in times or (tree.id in parts and not tree.id.startswith("randn"))
    inner = (part for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr))
    return any(_is_wide(part, parts, times) for part in inner)
