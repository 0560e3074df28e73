"""What a name in a synapse's text means: the edge's, the target's or the source's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from neuro.equations.compiler import numbers
from neuro.equations.compose import Composed, Port
from neuro.equations.fold import substituted
from neuro.equations.names import WEIGHT, is_noise
from neuro.equations.syntax import Line, names_in, parse_lines
from neuro.errors import EquationError, nearest
from neuro.units import TIME, Dimension

__all__ = ["EdgeNames"]

_CLOCK = {"t": TIME, "dt": TIME}


@dataclass(frozen=True, eq=False)
class _Cell:
    """The names of one end, as the text writes them, and what stands for each."""

    suffix: str  # "_post" or "_pre"
    dimensions: Mapping[str, Dimension]
    meaning: Mapping[str, str]

    @classmethod
    def of(
        cls, suffix: str, composed: Composed, dimensions: Mapping[str, Dimension],
        own: Mapping[str, str],
    ) -> _Cell:  # fmt: skip
        """`own`: names that the synapse's text uses for variables of its port."""
        known = set(dimensions)
        lines = {line.name: line for line in composed.lines}
        readable = {**lines, **composed.parameters}
        meaning = {}
        for name in readable:
            text = name
            while inner := [n for n in names_in(text) if _is_subexpression(lines.get(n))]:
                text = substituted(text, {n: numbers(lines[n].expression, known) for n in inner})
            meaning[name] = substituted(
                text, {n: n + suffix for n in names_in(text) if n in known and n not in _CLOCK}
            )
        meaning |= {short: meaning[name] for short, name in own.items()}
        full = {name: dimensions[own.get(name, name)] for name in meaning}
        return cls(suffix, full, meaning)


def _is_subexpression(line: Line | None) -> bool:
    return line is not None and line.kind == "subexpression"


Measured: TypeAlias = tuple[Composed, Mapping[str, Dimension]]
"""A model and the dimension of each of its names."""


class EdgeNames:
    """Resolves the names of one synapse model on one port.

    Attributes:
        dimensions: Of every name that statements may read, as the text writes it.
        edge_dimensions: The same for the equations of `edges`, where a bare name is the edge's.
        canonical_dimensions: The same in the names of an EdgeProgram.
        ends: Of these, the names that belong to a cell.
    """

    def __init__(
        self, port: Port, edge: Mapping[str, Dimension], target: Measured, source: Measured | None
    ) -> None:
        self.where = f"synapse `{port.synapse.name}`"
        own = {
            line.name: line.name + port.suffix
            for line in parse_lines(port.synapse.equations, self.where)
        }
        self._post = _Cell.of("_post", *target, own)
        self._pre = _Cell.of("_pre", *source, {}) if source else None
        parameters = {name: value.dimension for name, value in port.parameters.items()}
        self._edge = {**_CLOCK, "w": port.synapse.weight.dimension, **parameters, **edge}
        self._inputs = set(target[0].inputs) | (set(source[0].inputs) if source else set())
        self._sums = {name + "_post" for name in target[0].summed}
        self._sums |= {name + "_pre" for name in source[0].summed} if source else set()
        self._states = {
            name: self._post.meaning[name]
            for name in self._post.meaning
            if any(
                line.kind == "differential" and line.name + "_post" == self._post.meaning[name]
                for line in target[0].lines
            )
        }
        for name in {*edge, *parameters}:
            if name in own and name in edge:
                raise EquationError(
                    f"{self.where}: edges: `{name}` must be defined once, found it twice"
                )
        cells = [self._post, *([self._pre] if self._pre else [])]
        ends = {n + cell.suffix: dim for cell in cells for n, dim in cell.dimensions.items()}
        self.ends = {name + "_post": dim for name, dim in target[1].items()}
        self.ends |= {name + "_pre": dim for name, dim in source[1].items()} if source else {}
        self.canonical_dimensions: dict[str, Dimension] = {**self.ends, **self._edge}
        self.edge_dimensions: dict[str, Dimension] = {**ends, **self._edge}
        self.dimensions: dict[str, Dimension] = {**self._post.dimensions, **ends, **self._edge}

    def canonical(self, expression: str, *, statement: bool) -> str:
        """The expression in the names of an EdgeProgram, its unit names numbers.

        Args:
            statement: Whether a bare name that is not the edge's may be the target's.
        """
        values = {}
        for name in names_in(expression) - self._edge.keys():
            meaning = self._meaning(name)
            if meaning is not None and (statement or name not in self._post.meaning):
                values[name] = meaning
        return numbers(substituted(expression, values), {*self.ends, *self._edge})

    def check_reads(self, expression: str, where: str, *, statement: bool) -> None:
        """Say what is wrong with a name, where a plain "unknown name" would not.

        Args:
            where: What the message begins with.
            statement: Whether a bare name that is not the edge's may be the target's.

        Raises:
            EquationError: if the source has no variables, an end is asked for an input or a sum,
                a cell's variable does not say whose it is, or there is white noise.
        """
        for name in sorted(names_in(expression) - self._edge.keys()):
            if name in self._post.meaning and not statement:
                raise EquationError(
                    f"{where}: `{name}` must say whose it is in the equations of edges; "
                    f"write `{name}_post` or `{name}_pre`"
                )
            if is_noise(name):
                raise EquationError(
                    f"{where}: edges have no white noise `{name}`; use randn() in on_pre"
                )
            if sums := names_in(self._meaning(name) or "0") & self._sums:
                raise EquationError(
                    f"{where}: `{name}` depends on `{min(sums)}`, the sum over synapses of this "
                    f"very step, which synapses cannot read"
                )
            bare = name.removesuffix("_post").removesuffix("_pre")
            if bare in self._inputs:
                raise EquationError(
                    f"{where}: `{name}` is an input over time, which a synapse cannot read; "
                    f"give the model a subexpression or a state that holds what is needed"
                )
            if name.endswith("_pre") and self._pre is None:
                raise EquationError(
                    f"{where}: `{name}` needs a population as source; spikes from outside "
                    f"have no variables"
                )

    def written(self, name: str, variables: Mapping[str, object], where: str) -> str:
        """What a statement assigns to, in the names of an EdgeProgram.

        Raises:
            EquationError: if it is neither a variable of the edge nor a state of the target.
        """
        if name == "w" or name in variables:
            return name
        bare = name.removesuffix("_post")
        if name not in self._edge and bare in self._states:
            return self._states[bare]
        known = {"w", *variables, *self._states}
        raise EquationError(
            f"{where}: `{name}` is neither a variable of the edge nor a state of the target"
            f"{nearest(name, known)}"
        )

    @staticmethod
    def arriving(expression: str) -> str:
        """The expression with the weight as it acts on the target."""
        return substituted(expression, {"w": WEIGHT})

    def _meaning(self, name: str) -> str | None:
        """What a name that is not the edge's stands for; one without a suffix is the target's."""
        for cell in (self._post, self._pre):
            if cell and name.endswith(cell.suffix):
                return cell.meaning.get(name.removesuffix(cell.suffix))
        return self._post.meaning.get(name)
