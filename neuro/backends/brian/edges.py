"""Synapses with a state of their own: the model's own text, as a Brian2 Synapses object.

Nothing here reads the derived EdgeProgram but for the names of what is stored, so that what
other back ends make of the program is checked against Brian2's reading of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuro.backends.brian.integrator import advance_exactly, integrator
from neuro.backends.brian.spelling import Spelling, of_edges, read_anew, subexpressions
from neuro.build import BuiltPopulation, BuiltProjection
from neuro.equations import Port
from neuro.equations.brian_compiler import brian_unit, unit_dimension
from neuro.equations.edges import edge_lines
from neuro.equations.fold import substituted
from neuro.equations.syntax import Line, Statement, names_in, parse_lines, parse_statements
from neuro.units import Dimension, coherent_factor

__all__ = ["FACTOR", "edge_dimensions", "edge_synapses", "parameter_of"]

FACTOR = "factor_syn"  # what effects make of the projection's weight


def edge_synapses(
    b2: Any, built: BuiltProjection, target: BuiltPopulation, source: BuiltPopulation | None,
    ends: tuple[Any, Any], spelled: tuple[Spelling, Spelling | None], dt: Any,
) -> Any:  # fmt: skip
    """The Synapses of a projection that has an EdgeProgram, with its edges and start values.

    Args:
        ends: Brian2's objects of the source and the target.
        spelled: The names of the target's and the source's models as Brian2 sees them.
    """
    port, program = target.ports[built.port], built.edge
    if program is None:
        raise ValueError(f"projection {built.projection.name} has no edge program")
    text = _Text(port, edge_lines(port), spelled, (target, source))
    name_of = of_edges(port)
    weight = port.synapse.weight.dimension
    dimensions = edge_dimensions(port)
    model = [f"{FACTOR} : 1 (shared)"]
    if "w" not in {line.name for line in text.lines}:
        model.append(f"{name_of['w']} : {brian_unit(weight)}")
    for name in program.parameters:
        unit = brian_unit(port.parameters[name].dimension)
        model.append(f"{name_of[name]} : {unit} (shared)")
    for line in text.lines:
        expression = line.expression and text.equation(line)
        unit = brian_unit(dimensions[line.name])
        model.append(str(line._replace(name=text.own(line), expression=expression, unit=unit)))
    on_pre, on_post = (
        "\n".join(text.statement(s) for s in parse_statements(code, "synapse"))
        for code in (port.synapse.on_pre, port.synapse.on_post)
    )
    # Modulators, which set parameters, come before; what is summed is read before it changes.
    synapses = b2.Synapses(
        *ends,
        model="\n".join(model),
        on_pre=on_pre or None,
        on_post=on_post or None,
        method=integrator(program.method or "exact"),
        namespace={},
        dt=dt,
    )
    advance_exactly(synapses)
    if synapses.state_updater is not None:
        synapses.state_updater.order = -1
    for updater in synapses.summed_updaters.values():
        updater.order = -2
    if built.source.size:
        synapses.connect(i=built.source, j=built.target)
        synapses.variables[name_of["w"]].set_value(built.weight / coherent_factor(weight))
        if on_pre:
            synapses.delay = built.delay_steps * dt
        for name, value in built.edge_initial.items():
            factor = coherent_factor(dimensions[name])
            values = np.full(built.source.size, value / factor)
            synapses.variables[name_of[name]].set_value(values)
    else:
        synapses.connect(condition="False")
    synapses.variables[FACTOR].set_value(1.0)
    for name in program.parameters:
        variable, value = parameter_of(synapses, port, name, built.edge_parameters[name])
        variable.set_value(value)
    return synapses


def edge_dimensions(port: Port) -> dict[str, Dimension]:
    """The dimension of `w` and of each name that the equations of the edges define."""
    lines = {line.name: unit_dimension(line.unit, "edges") for line in edge_lines(port)}
    return {"w": port.synapse.weight.dimension} | lines


def parameter_of(synapses: Any, port: Port, name: str, value: float) -> tuple[Any, float]:
    """Brian2's variable of a parameter of all edges, and in its unit a value in coherent ones."""
    factor = coherent_factor(port.parameters[name].dimension)
    return synapses.variables[of_edges(port)[name]], value / factor


class _Text:
    """A synapse's text in the names of a Brian2 Synapses object.

    The variables that the synapse has on its target carry the port's suffix there. What acts on
    the target takes the weight times its factor.
    """

    def __init__(
        self, port: Port, lines: tuple[Line, ...], spelled: tuple[Spelling, Spelling | None],
        cells: tuple[BuiltPopulation, BuiltPopulation | None],
    ) -> None:  # fmt: skip
        self.lines = lines
        self._suffix = port.suffix
        self._edge = of_edges(port)
        self._ports = {line.name for line in parse_lines(port.synapse.equations, "synapse")}
        self._target, self._source = spelled
        self._written_out = {
            line.name: line.expression
            for line in lines
            if line.kind == "subexpression" and "summed" not in line.flags
        }
        self._anew = {self._edge[n]: self._here(text) for n, text in self._written_out.items()}
        for population, spelling, suffix in zip(cells, spelled, ("_post", "_pre"), strict=True):
            if population and spelling:
                self._anew |= subexpressions(population.composed, spelling, suffix)

    def own(self, line: Line) -> str:
        """What an equation defines: a variable of the edge, or the target's that it sums into."""
        return self._end(line.name) if "summed" in line.flags else self._edge[line.name]

    def equation(self, line: Line) -> str:
        """The right-hand side of an equation."""
        right = self._acting if "summed" in line.flags else self._here
        return right(line.expression)

    def statement(self, statement: Statement) -> str:
        """A statement of `on_pre` or `on_post`."""
        if statement.name in self._edge:
            left, right = self._edge[statement.name], self._here
        else:
            left, right = self._end(statement.name), self._acting
        if statement.increment:
            return f"{left} += {read_anew(right(statement.increment), self._anew)}"
        return f"{left} = {read_anew(right(statement.expression), self._anew)}"

    def _here(self, expression: str) -> str:
        return substituted(expression, {name: self._end(name) for name in names_in(expression)})

    def _acting(self, expression: str) -> str:
        while inner := self._defined(expression):
            expression = substituted(expression, inner)
        weight = self._edge["w"]
        return substituted(self._here(expression), {weight: f"({weight}*{FACTOR})"})

    def _defined(self, expression: str) -> Mapping[str, str]:
        return {n: self._written_out[n] for n in names_in(expression) & self._written_out.keys()}

    def _end(self, name: str) -> str:
        if name in self._edge:
            return self._edge[name]
        if name.endswith("_pre") and self._source:
            bare = name.removesuffix("_pre")
            return f"{self._source[bare]}_pre" if bare in self._source else name
        bare = name.removesuffix("_post")
        if bare in self._ports:
            bare += self._suffix
        return f"{self._target[bare]}_post" if bare in self._target else name
