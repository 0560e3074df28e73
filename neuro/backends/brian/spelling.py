"""Names as Brian2 sees them: `u003v` for the model's `v`, the fourth of its names.

Brian2 keeps names for itself (`j`, `summed`, `lastupdate` …), of which none begins so. The number
comes first because SymPy sorts the terms of a sum by name: the sums, and so the last bits of a
result, do not depend on what variables are called. No underscore follows it, since a variable
called `pre` would then end in `_pre`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from neuro.equations.compose import Composed, Port
from neuro.equations.edges import edge_lines
from neuro.equations.fold import substituted
from neuro.equations.names import renamed
from neuro.equations.syntax import names_in

__all__ = ["Spelling", "of_cells", "of_edges", "read_anew", "subexpressions"]


class Spelling:
    """What stands for each name of one model."""

    def __init__(self, letter: str, names: Iterable[str]) -> None:
        unique = dict.fromkeys(names)
        self._names = {name: f"{letter}{k:03}{name}" for k, name in enumerate(unique)}

    def __getitem__(self, name: str) -> str:
        return self._names[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def text(self, expression: str, suffix: str = "") -> str:
        """An expression with its variables spelled so; `_post` and `_pre` go behind them."""
        return renamed(
            expression, lambda name: self._names[name] + suffix if name in self._names else name
        )


def of_cells(composed: Composed) -> Spelling:
    """The names of a population's model with its ports."""
    lines = [line.name for line in composed.lines]
    return Spelling("u", [*lines, *composed.parameters, *composed.inputs])


def of_edges(port: Port) -> Spelling:
    """The names that the synapses of a port have for themselves."""
    lines = [line.name for line in edge_lines(port) if "summed" not in line.flags]
    return Spelling("e", ["w", *port.parameters, *lines])


def subexpressions(composed: Composed, spelling: Spelling, suffix: str = "") -> dict[str, str]:
    """The subexpressions of a model, spelled."""
    return {
        spelling[line.name] + suffix: spelling.text(line.expression, suffix)
        for line in composed.lines
        if line.kind == "subexpression"
    }


def read_anew(expression: str, known: Mapping[str, str]) -> str:
    """A statement's right side with the `known` subexpressions written out, and no mere name.

    Brian2 computes a subexpression again where a variable in it has changed, but does not see one
    that is read by way of another subexpression (2.9, `make_statements`). And with its numpy
    target `a = b; b += c` changes `a`, which is then the same array.
    """
    while inner := {n: known[n] for n in names_in(expression) & known.keys()}:
        expression = substituted(expression, inner)
    return f"-(-{expression})" if expression.strip().isidentifier() else expression
