"""Rows of nested tuples of tensors, such as a carry: taken out, put together, and moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["joined", "mapped", "rows_of"]

T = TypeVar("T")


def mapped(tree: T, change: Callable[[Tensor], Tensor]) -> T:
    """The tree with every tensor changed; what is None stays None.

    >>> from bridges.reasoning.carry import State
    >>> mapped(State(torch.ones(2, 1, 1), None), lambda part: 2 * part).y.flatten().tolist()
    [2.0, 2.0]
    """
    return _mapped(tree, change)


def _mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return change(tree)
    return type(tree)(*(_mapped(part, change) for part in tree))


def rows_of(tree: T, rows: slice) -> T:
    """Those rows of every tensor."""
    return mapped(tree, lambda part: part[rows])


def joined(trees: Sequence[T]) -> T:
    """The rows of several trees of one shape, one after the other."""
    return trees[0] if len(trees) == 1 else _joined(trees)


def _joined(trees: Sequence[Any]) -> Any:
    first = trees[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.cat(list(trees))
    return type(first)(*(_joined(parts) for parts in zip(*trees, strict=True)))
