"""Limits on the shape of expressions, and long sums written so that they are not deep.

Other tools walk an expression by recursion and write subexpressions out, so a text of a few
hundred letters could overflow the stack or grow without end.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from neuro.errors import EquationError

__all__ = [
    "check_growth",
    "check_shape",
    "check_size",
    "deep_calls",
    "terms_of",
    "with_shallow_sums",
]

DEEPEST = 100  # levels; each of these limits is an engineering choice, far above shipped models
MOST_TERMS = 500  # of one sum, which Brian2 writes out flat again and walks by recursion
MOST_PARTS = 1_500  # of one text: compiled for four stages each takes some 12 ms; shipped ones: 400
_FRAMES = 20_000  # enough for that: some frames a term
MOST_NODES = 6_000  # of one equation with all that it reads written out


def check_shape(tree: ast.AST, where: str) -> None:
    """Refuse an expression that is nested too deeply or too large; a sum is one level.

    Raises:
        EquationError: with the limit.
    """
    level: Sequence[ast.AST] = [tree]
    depth = nodes = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > DEEPEST:
            raise EquationError(
                f"{where}: an expression must be nested at most {DEEPEST} levels deep, found more; "
                f"give a part of it a name in an equation of its own"
            )
        if nodes > MOST_PARTS:
            raise EquationError(f"{where}: {_too_long('more')}")
        level = [child for node in level for child in _inside(node, where)]


def check_size(expressions: Iterable[str], where: str) -> None:
    """Refuse equations or statements that are too large together.

    Raises:
        EquationError: with the limit and the size.
    """
    trees = (ast.parse(text, mode="eval") for text in expressions if text)
    size = sum(isinstance(node, ast.expr) for tree in trees for node in ast.walk(tree))
    if size > MOST_PARTS:
        raise EquationError(f"{where}: {_too_long(f'{size:,}')}")


def _too_long(found: str) -> str:
    return f"a text must have at most {MOST_PARTS:,} names, numbers and signs, found {found}"


def check_growth(expressions: Mapping[str, str], where: str) -> None:
    """Refuse subexpressions that would be too large with those that they read written out.

    Raises:
        EquationError: naming the equation, the limit and the size.
    """
    trees = {name: ast.parse(text, mode="eval") for name, text in expressions.items() if text}
    sizes: dict[str, int] = {}
    reads = {
        name: Counter(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in trees)
        for name, tree in trees.items()
    }
    left = set(trees)
    while ready := [name for name in left if not reads[name].keys() & left]:
        for name in ready:
            own = sum(1 for _ in ast.walk(trees[name]))
            sizes[name] = own + sum(n * sizes[other] for other, n in reads[name].items())
            if sizes[name] > MOST_NODES:
                raise EquationError(f"{where}: `{name}`: {_too_large(f'{sizes[name]:,}')}")
        left.difference_update(ready)  # a circle stays, which others report


def _too_large(found: str) -> str:
    return (
        f"an expression must have at most {MOST_NODES:,} names, numbers and signs with all "
        f"subexpressions written out, found {found}"
    )


@contextmanager
def deep_calls() -> Iterator[None]:
    """Allow the recursion that tools need for long sums, and no longer than the block."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _inside(node: ast.AST, where: str) -> Sequence[ast.AST]:
    terms = terms_of(node) if isinstance(node, ast.expr) else []
    if len(terms) > MOST_TERMS:
        raise EquationError(
            f"{where}: a sum must have at most {MOST_TERMS:,} terms, found {len(terms):,}; give a "
            f"part of it a name in an equation of its own"
        )
    if len(terms) > 1:
        return [term for term, _ in terms]
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.expr))]


def terms_of(tree: ast.expr) -> list[tuple[ast.expr, bool]]:
    """The terms of a sum, from left to right, and whether each is added."""
    found = list[tuple[ast.expr, bool]]()
    ahead = [(tree, True)]
    while ahead:
        one, added = ahead.pop()
        if isinstance(one, ast.BinOp) and isinstance(one.op, (ast.Add, ast.Sub)):
            ahead += [(one.right, added == isinstance(one.op, ast.Add)), (one.left, added)]
        else:
            found.append((one, added))
    return found


def with_shallow_sums(expression: str) -> str:
    """An expression whose sums of more than `DEEPEST` terms are written as sums of halves."""
    if expression.count("+") + expression.count("-") <= DEEPEST:
        return expression
    tree = ast.parse(" ".join(expression.split()), mode="eval").body
    return ast.unparse(ast.fix_missing_locations(_halved(tree)))


def _halved(tree: ast.expr) -> ast.expr:
    terms = terms_of(tree)
    if len(terms) > DEEPEST:
        return _sum([(_halved(term), added) for term, added in terms])
    for name, value in ast.iter_fields(tree):
        if isinstance(value, ast.expr):
            setattr(tree, name, _halved(value))
        elif isinstance(value, list):
            setattr(tree, name, [_halved(v) if isinstance(v, ast.expr) else v for v in value])
    return tree


def _sum(terms: Sequence[tuple[ast.expr, bool]]) -> ast.expr:
    if len(terms) == 1:
        term, added = terms[0]
        return term if added else ast.UnaryOp(ast.USub(), term)
    middle = len(terms) // 2
    return ast.BinOp(_sum(terms[:middle]), ast.Add(), _sum(terms[middle:]))
