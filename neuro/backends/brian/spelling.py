"""Names as Brian2 sees them: `u003_v` for the model's `v`, the fourth of its names.

Brian2 keeps names for itself (`j`, `summed`, `lastupdate` …), of which none begins so. The number
comes first because SymPy sorts the terms of a sum by name: the sums, and so the last bits of a
result, do not depend on what variables are called.
"""

from __future__ import annotations

from collections.abc import Iterable

from neuro.equations.compose import Composed, Port
from neuro.equations.edges import edge_lines
from neuro.equations.names import renamed

__all__ = ["Spelling", "of_cells", "of_edges"]


class Spelling:
    """What stands for each name of one model."""

    def __init__(self, letter: str, names: Iterable[str]) -> None:
        unique = dict.fromkeys(names)
        self._names = {name: f"{letter}{k:03}_{name}" for k, name in enumerate(unique)}

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
