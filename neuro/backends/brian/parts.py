"""The Brian2 objects of a built network: groups, spike generators, synapses, spike monitors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from neuro.backends.brian.edges import FACTOR, edge_synapses
from neuro.backends.brian.integrator import integrator
from neuro.backends.brian.spelling import of_cells, read_anew, subexpressions
from neuro.build import Built, BuiltBackground, BuiltPopulation, BuiltProjection
from neuro.edge_binding import scaled_by
from neuro.equations.brian_compiler import brian_dimension, brian_unit, unit_dimension
from neuro.equations.names import WEIGHT
from neuro.network import Drive
from neuro.units import Dimension, coherent_factor

__all__ = ["Parts"]

_NAME = re.compile(r"[^A-Za-z0-9_]")


class Parts:
    """Everything Brian2 needs to run a built network, but for modulation and recording.

    Attributes:
        groups, sources, synapses, monitors: Brian2 objects by Ember's names.
        spelled: The names of each population's model as Brian2 sees them.
        backgrounds: The Brian2 variable that scales the weight of each background.
        namespace: What the equations refer to besides their variables: the drives.
    """

    def __init__(self, b2: Any, built: Built) -> None:
        self._b2, self._built = b2, built
        self.dt = built.dt_ms * b2.ms
        self._modulated = {place[1:] for places in scaled_by(built).values() for place in places}
        self.namespace: dict[str, Any] = {}
        self.spelled = {p.name: of_cells(p.composed) for p in built.populations}
        self._numbers = {b.background.name: k for k, b in enumerate(built.backgrounds)}
        self.groups: dict[str, Any] = {p.name: self._group(p) for p in built.populations}
        self.sources = {
            s.source.name: b2.SpikeGeneratorGroup(
                s.source.n, s.units, s.steps * self.dt, dt=self.dt, sorted=True
            )
            for s in built.sources
        }
        self.monitors = {
            p.name: b2.SpikeMonitor(self.groups[p.name])
            for p in built.populations
            if p.program.threshold
        }
        self.synapses = {p.projection.name: self._synapses(p) for p in built.projections}
        # Brian2 would take them by the names of its objects; what only adds comes first.
        n = len(built.projections)
        for k, p in enumerate(built.projections):
            for pathway in self.synapses[p.projection.name]._pathways:
                late = k - n if p.edge is not None else k - 2 * n - 1
                pathway.order = 1 + k if pathway.prepost == "post" else late
        self.backgrounds = {b.background.name: self._background(b) for b in built.backgrounds}

    @property
    def everything(self) -> list[Any]:
        """All objects, for a Brian2 Network."""
        kinds = (self.groups, self.sources, self.monitors, self.synapses)
        return [item for kind in kinds for item in kind.values()]

    def _group(self, built: BuiltPopulation) -> Any:
        composed, spelled = built.composed, self.spelled[built.name]
        units = {
            line.name: unit_dimension(line.unit, f"unit `{line.unit}`") for line in composed.lines
        }
        text = [
            str(
                line._replace(
                    name=spelled[line.name],
                    expression=spelled.text(line.expression),
                    unit=brian_unit(units[line.name]),
                    # Brian2 would ask for shared parameters, and here each cell may have its own.
                    flags=line.flags if line.kind != "subexpression" else (),
                )
            )
            for line in composed.lines
        ]
        for name, quantity in composed.parameters.items():
            flag = "" if (built.name, name) in self._modulated else " (constant)"
            text.append(f"{spelled[name]} : {brian_unit(quantity.dimension)}{flag}")
        for name, drive in built.drives.items():
            call = self._drive(f"drive_{len(self.namespace)}", drive, composed.inputs[name])
            unit = brian_unit(composed.inputs[name])
            # Else the last stage of a Runge-Kutta step would read the frame after this one.
            text.append(f"{spelled[name]} = {call} : {unit} (constant over dt)")
        for background in self._built.backgrounds:
            if background.background.target == built.name:
                weight, scale = self._weight_names(background)
                dimension = background.background.synapse.weight.dimension
                text.append(f"{weight} : {brian_unit(dimension)} (shared)")
                text.append(f"{scale} : 1 (shared)")
        inner = subexpressions(composed, spelled)
        group = self._b2.NeuronGroup(
            built.n,
            "\n".join(text),
            # Brian2 lets synapses stand at a group only if it may spike.
            threshold=spelled.text(composed.threshold) or "False",
            reset="; ".join(
                f"{spelled[s.name]} = {read_anew(spelled.text(s.expression), inner)}"
                for s in composed.reset
            )
            or "",
            refractory=spelled.text(composed.refractory) or False,
            method=integrator(built.program.method) if built.program.states else "euler",
            namespace=self.namespace,
            dt=self.dt,
            name=f"ember_{_NAME.sub('_', built.name)}*",
        )
        for name, value in built.parameters.items():
            factor = coherent_factor(composed.parameters[name].dimension)
            group.variables[spelled[name]].set_value(np.asarray(value) / factor)
        for name, values in built.initial.items():
            group.variables[spelled[name]].set_value(values / coherent_factor(units[name]))
        return group

    def _drive(self, array: str, drive: Drive, dimension: Dimension) -> str:
        """Put a drive into the namespace; the text that reads it."""
        values = np.asarray(drive.values).reshape(len(drive.values), -1)
        one_for_all = values.shape[1] == 1
        values = (values[:, 0] if one_for_all else values) / coherent_factor(dimension)
        unit = self._b2.Quantity(1.0, dim=brian_dimension(dimension))
        self.namespace[array] = self._b2.TimedArray(values * unit, dt=drive.dt_ms * self._b2.ms)
        return f"{array}(t)" if one_for_all else f"{array}(t, i)"

    def _synapses(self, built: BuiltProjection) -> Any:
        projection = built.projection
        target = next(p for p in self._built.populations if p.name == projection.target)
        ends = (
            self.groups.get(projection.source) or self.sources[projection.source],
            self.groups[projection.target],
        )
        if built.edge is not None:
            spelled = self.spelled[target.name], self.spelled.get(projection.source)
            source = next((p for p in self._built.populations if p.name == projection.source), None)
            return edge_synapses(self._b2, built, target, source, ends, spelled, self.dt)
        spelling = self.spelled[target.name]

        def post(text: str) -> str:
            return re.sub(rf"\b{WEIGHT}\b", f"(w_syn*{FACTOR})", spelling.text(text, "_post"))

        on_pre = "\n".join(
            f"{spelling[s.name]}_post += {post(s.increment)}"
            for s in target.composed.on_pre[built.port]
        )
        dimension = projection.synapse.weight.dimension
        synapses = self._b2.Synapses(
            *ends,
            model=f"w_syn : {brian_unit(dimension)} (constant)\n{FACTOR} : 1 (shared)",
            on_pre=on_pre,
            namespace={},
            dt=self.dt,
        )
        if built.source.size:
            synapses.connect(i=built.source, j=built.target)
            synapses.variables["w_syn"].set_value(built.weight / coherent_factor(dimension))
            synapses.delay = built.delay_steps * self.dt
        else:
            synapses.connect(condition="False")
        synapses.variables[FACTOR].set_value(1.0)
        return synapses

    def _background(self, built: BuiltBackground) -> Any:
        background = built.background
        target = next(p for p in self._built.populations if p.name == background.target)
        group, spelled = self.groups[background.target], self.spelled[background.target]
        weight, factor = self._weight_names(built)
        dimension = background.synapse.weight.dimension
        group.variables[weight].set_value(built.weight / coherent_factor(dimension))
        group.variables[factor].set_value(1.0)
        code = [f"arrivals = poisson({built.arrivals!r})"]
        for s in target.composed.on_pre[built.port]:
            increment = spelled.text(s.increment)
            increment = re.sub(rf"\b{WEIGHT}\b", f"({weight}*{factor})", increment)
            code.append(f"{spelled[s.name]} += arrivals*({increment})")
        group.run_regularly("\n".join(code), dt=self.dt, when="synapses",
                             order=-len(self._built.projections) - 1)  # fmt: skip
        return group.variables[factor]

    def _weight_names(self, built: BuiltBackground) -> tuple[str, str]:
        """Of a background's weight and of what scales it, as variables of its target."""
        number = self._numbers[built.background.name]
        return f"weight_of_{number}", f"factor_of_{number}"
