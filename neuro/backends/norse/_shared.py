"""Compute once what several lines of printed code have in common."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["shared"]


def shared(lines: Sequence[str]) -> list[str]:
    """The same assignments, with a name for each expression that occurs more than once.

    Every name must be assigned at most once in these lines, and nothing may depend on how often
    an expression is evaluated.

    >>> shared(["a = m * h + n", "b = exp__(m * h + n)"])
    ['x0__ = m * h + n', 'a = x0__', 'b = exp__(x0__)']
    """
    trees = [ast.parse(line).body[0] for line in lines]
    seen, repeated = set[str](), set[str]()

    def look(node: ast.AST) -> None:
        if isinstance(node, (ast.BinOp, ast.Call)):
            text = ast.unparse(node)
            if text in seen:  # what lies within is shared with it
                repeated.add(text)
                return
            seen.add(text)
        for child in ast.iter_child_nodes(node):
            look(child)

    for tree in trees:
        look(tree)
    rewriter = _Rewriter(repeated)
    result: list[str] = []
    for tree in trees:
        new = ast.unparse(rewriter.visit(tree))
        result += [*rewriter.pending, new]
        rewriter.pending = []
    return result


class _Rewriter(ast.NodeTransformer):
    def __init__(self, repeated: set[str]) -> None:
        self._repeated = repeated
        self._names: dict[str, str] = {}
        self.pending: list[str] = []

    def visit(self, node: ast.AST) -> ast.AST:
        text = ast.unparse(node) if isinstance(node, (ast.BinOp, ast.Call)) else ""
        if text not in self._repeated:
            return self.generic_visit(node)
        if text not in self._names:
            inside = ast.unparse(self.generic_visit(node))
            self._names[text] = f"x{len(self._names)}__"
            self.pending.append(f"{self._names[text]} = {inside}")
        return ast.Name(self._names[text], ast.Load())
