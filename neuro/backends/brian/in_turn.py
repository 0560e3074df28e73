"""Brian2's numpy code, with the spikes of a step in turn wherever their order matters.

Brian2 runs each statement of an `on_pre` for all spikes of a step at once. That is not what the
statements mean if one changes a cell and a later one reads it, as in `v += w; q = v`, where two
spikes reach one cell: the first must not see the second's change. Its compiled targets take one
spike after the other; its numpy target does so only where a variable is read before it is changed,
and warns otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from neuro.brian2_import import brian2

__all__ = ["in_turn"]


@contextmanager
def in_turn() -> Iterator[None]:
    """Within it, Brian2's numpy target takes one spike after the other where that matters."""
    brian2()
    from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

    before = NumpyCodeObject.generator_class
    NumpyCodeObject.generator_class = _generator()
    try:
        yield
    finally:
        NumpyCodeObject.generator_class = before


@cache
def _generator() -> Any:
    from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
    from brian2.codegen.permutation_analysis import (
        OrderDependenceError,
        check_for_order_independence,
    )
    from brian2.core.functions import Function

    class InTurn(NumpyCodeGenerator):  # type: ignore[misc]
        def vectorise_code(
            self, statements: Any, variables: Any, variable_indices: Any, index: str = "_idx"
        ) -> Any:
            # Brian2 counts random numbers too, which may be drawn in any order.
            values = {n: v for n, v in variables.items() if not isinstance(v, Function)}
            try:
                check_for_order_independence(statements, values, variable_indices)
            except OrderDependenceError:
                self._use_ufunc_at_vectorisation = False
            return super().vectorise_code(statements, variables, variable_indices, index)

    return InTurn
