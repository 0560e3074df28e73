"""Run a built network in Brian2, as the reference the other back ends are checked against.

Text, methods, edges, weights, delays, start values and drives are those of the Built network;
only the random numbers drawn while it runs are Brian2's own, so a stochastic network agrees in
distribution and a deterministic one spike for spike.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.brian2_import import brian2
from neuro.build import Built, BuiltPopulation, BuiltProjection, steps_of
from neuro.equations._brian import brian_unit
from neuro.equations.compose import WEIGHT
from neuro.errors import ConfigError, SimulationError
from neuro.modulation import effect_factor
from neuro.network import Record
from neuro.raw_run import Courses, RawRun
from neuro.units import Dimension, coherent_factor

__all__ = ["run"]

_CHUNK_MS = 100.0


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    progress: Callable[[float], None],
    codegen: str = "numpy",
) -> RawRun:
    """Simulate `n_steps`; see `neuro.simulate`. `threads` is not used: Brian2 has one.

    Args:
        codegen: Brian2's target: `numpy` starts at once, `cython` needs a C compiler.

    Raises:
        ConfigError: if `codegen` is neither.
        SimulationError: if a state stops being finite.
    """
    if codegen not in ("numpy", "cython"):
        raise ConfigError(f"backend codegen must be numpy or cython, found `{codegen}`")
    b2 = brian2()
    started = time.perf_counter()
    dt = built.dt_ms * b2.ms
    with _settings(b2, codegen, built.seed):
        parts = _Parts(b2, built, dt)
        modulation = _Modulation(b2, parts, built, n_steps, every_ms)
        monitors = [
            b2.StateMonitor(
                parts.groups[r.population],
                r.variable,
                record=list(r.cells) or True,
                dt=r.every_ms * b2.ms,
                when="start",
                order=1,  # after the modulators of this step
            )
            for r in records
        ]
        network = b2.Network(*parts.everything, modulation.operation, *monitors)
        prepared = time.perf_counter()
        network.run(0 * b2.ms, namespace={})  # generates the code
        compiled = time.perf_counter()
        step, chunk = 0, max(1, round(_CHUNK_MS / built.dt_ms))
        while step < n_steps:
            todo = min(chunk, n_steps - step)
            network.run(todo * dt, namespace=parts.namespace)
            step += todo
            _check_finite(built, parts.groups, step)
            progress(step * built.dt_ms)
        spikes = {}
        for name, monitor in parts.monitors.items():
            steps = np.rint(np.asarray(monitor.t / dt)).astype(np.int64)
            spikes[name] = (steps, np.asarray(monitor.i, dtype=np.int64))
        traces = [
            np.asarray(m.variables[r.variable].get_value()).reshape(-1, _width(m))
            * coherent_factor(_dimension(built, r))
            for r, m in zip(records, monitors, strict=True)
        ]
    return RawRun(
        spikes,
        traces,
        modulation.courses(),
        prepare_s=prepared - started,
        compile_s=compiled - prepared,
        simulate_s=time.perf_counter() - compiled,
    )


@contextmanager
def _settings(b2: Any, codegen: str, seed: int):  # type: ignore[no-untyped-def]
    """Brian2's settings and NumPy's global generator, which Brian2 seeds, as they were."""
    target, state = b2.prefs.codegen.target, np.random.get_state()  # noqa: NPY002
    b2.prefs.codegen.target = codegen
    b2.seed(seed % 2**32)
    try:
        yield
    finally:
        b2.prefs.codegen.target = target
        np.random.set_state(state)  # noqa: NPY002


class _Parts:
    """The Brian2 objects of a built network."""

    def __init__(self, b2: Any, built: Built, dt: Any) -> None:
        self.b2, self.built, self.dt = b2, built, dt
        self.namespace: dict[str, Any] = {}
        self.modulated = {(effect.target, effect.parameter) for effect in built.network.effects}
        self.groups: dict[str, Any] = {p.name: self._group(p) for p in built.populations}
        self.sources = {
            s.source.name: b2.SpikeGeneratorGroup(
                s.source.n, s.units, s.steps * dt, dt=dt, sorted=True
            )
            for s in built.sources
        }
        self.monitors = {
            p.name: b2.SpikeMonitor(self.groups[p.name])
            for p in built.populations
            if p.program.threshold
        }
        self.synapses = {p.projection.name: self._synapses(p) for p in built.projections}
        self.everything = [
            *self.groups.values(), *self.sources.values(), *self.monitors.values(),
            *self.synapses.values(),
        ]  # fmt: skip

    def _group(self, built: BuiltPopulation) -> Any:
        composed = built.composed
        lines = [line._replace(unit=brian_unit_of(line.unit)) for line in composed.lines]
        text = [str(line) for line in lines]
        for name, quantity in composed.parameters.items():
            constant = (built.name, name) not in self.modulated
            text.append(
                f"{name} : {brian_unit(quantity.dimension)}{' (constant)' if constant else ''}"
            )
        for name, drive in built.drives.items():
            array = f"drive_{built.name}_{name}"
            dimension = composed.inputs[name]
            wide = np.ndim(drive.values) == 2
            values = np.asarray(drive.values).reshape(len(drive.values), -1)
            values = values if wide and values.shape[1] > 1 else values[:, 0]
            si = values / coherent_factor(dimension)
            unit = self.b2.Quantity(1.0, dim=_dim(self.b2, dimension))
            self.namespace[array] = self.b2.TimedArray(si * unit, dt=drive.dt_ms * self.b2.ms)
            call = f"{array}(t, i)" if values.ndim == 2 else f"{array}(t)"
            text.append(f"{name} = {call} : {brian_unit(dimension)}")
        group = self.b2.NeuronGroup(
            built.n,
            "\n".join(text),
            threshold=composed.threshold or None,
            reset="; ".join(f"{s.name} = {s.expression}" for s in composed.reset) or None,
            refractory=composed.refractory or False,
            method=built.program.method if built.program.states else "euler",
            namespace=self.namespace,
            dt=self.dt,
            name=f"ember_{re.sub(r'[^A-Za-z0-9_]', '_', built.name)}*",
        )
        for name, value in built.parameters.items():
            factor = coherent_factor(composed.parameters[name].dimension)
            group.variables[name].set_value(np.asarray(value) / factor)
        dimensions = {line.name: line for line in composed.lines}
        for name, values in built.initial.items():
            group.variables[name].set_value(values / _line_factor(dimensions[name].unit))
        return group

    def _synapses(self, built: BuiltProjection) -> Any:
        projection = built.projection
        target = next(p for p in self.built.populations if p.name == projection.target)
        port = target.composed.on_pre[built.port]
        states = set(target.program.states)

        def post(text: str) -> str:
            names = {WEIGHT: "w_syn*factor_syn"}
            names |= {name: name + "_post" for name in states | set(target.composed.parameters)}
            return re.sub(r"\b[A-Za-z]\w*\b", lambda m: names.get(m[0], m[0]), text)

        on_pre = "\n".join(
            f"{s.name}_post += {post(s.increment)}"
            if s.increment
            else f"{s.name}_post = {post(s.expression)}"
            for s in port
        )
        pre = self.groups.get(projection.source) or self.sources[projection.source]
        dimension = projection.synapse.weight.dimension
        synapses = self.b2.Synapses(
            pre,
            self.groups[projection.target],
            model=f"w_syn : {brian_unit(dimension)} (constant)\nfactor_syn : 1 (shared)",
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
        synapses.variables["factor_syn"].set_value(1.0)
        return synapses


class _Modulation:
    """Transmitters and effects as one operation at the start of each step."""

    def __init__(self, b2: Any, parts: _Parts, built: Built, n_steps: int, every_ms: float) -> None:
        self.parts, self.built = parts, built
        network, dt_ms = built.network, built.dt_ms
        self.every = steps_of(every_ms, dt_ms, "every")
        self.concentration = {t.name: float(t.baseline_at(0.0)) for t in network.transmitters}
        self.keys = list(dict.fromkeys(f"{e.target}.{e.parameter}" for e in network.effects))
        self.factors = dict.fromkeys(self.keys, 1.0)
        self.counts: dict[str, deque[int]] = {}
        for t in network.transmitters:
            delay = max(1, steps_of(float(t.delay), dt_ms, f"delay of `{t.name}`"))
            self.counts[t.name] = deque([0] * delay, maxlen=delay)
        self.kept: list[tuple[list[float], list[float]]] = []
        self.step = 0
        self.n_steps = n_steps
        self.operation = b2.NetworkOperation(self.advance, dt=parts.dt, when="start", order=0)

    def advance(self) -> None:
        """Bring concentrations to the start of this step, and set the parameters they scale."""
        network, dt_ms = self.built.network, self.built.dt_ms
        if self.step >= self.n_steps:
            return
        for t in network.transmitters:
            if self.step == 0:
                break
            base = float(t.baseline_at((self.step - 1) * dt_ms))
            old = self.concentration[t.name]
            new = base + (old - base) * np.exp(-dt_ms / float(t.uptake))
            if t.released_by:
                group = self.parts.groups[t.released_by]
                self.counts[t.name].append(len(group.spikes))
                new += float(t.per_spike) / group.N * self.counts[t.name][0]
            self.concentration[t.name] = float(new)
        self._apply()
        if self.step % self.every == 0:
            self.kept.append((list(self.concentration.values()), list(self.factors.values())))
        self.step += 1

    def _apply(self) -> None:
        network = self.built.network
        occupancy = {
            r.name: r.occupancy(self.concentration[r.transmitter]) for r in network.receptors
        }
        for key in self.keys:
            target, parameter = key.rsplit(".", 1)
            effects = [e for e in network.effects if (e.target, e.parameter) == (target, parameter)]
            factor = float(effect_factor(effects, occupancy))
            self.factors[key] = factor
            if target in self.parts.groups:
                built = next(p for p in self.built.populations if p.name == target)
                scale = coherent_factor(built.composed.parameters[parameter].dimension)
                value = np.asarray(built.parameters[parameter]) * factor / scale
                self.parts.groups[target].variables[parameter].set_value(value)
            elif target in self.parts.synapses:
                self.parts.synapses[target].variables["factor_syn"].set_value(factor)

    def courses(self) -> Courses:
        """What was sampled, one value a frame."""

        def columns(names: Sequence[str], which: int) -> dict[str, NDArray[np.float64]]:
            rows = np.array([kept[which] for kept in self.kept]).reshape(len(self.kept), -1)
            return {name: rows[:, k] for k, name in enumerate(names)}

        return Courses(columns(list(self.concentration), 0), columns(self.keys, 1))


def brian_unit_of(unit: str) -> str:
    """Brian2's base unit for the unit text of an equation."""
    from neuro.equations._brian import unit_dimension

    return brian_unit(unit_dimension(unit, f"unit `{unit}`"))


def _line_factor(unit: str) -> float:
    from neuro.equations._brian import unit_dimension

    return coherent_factor(unit_dimension(unit, f"unit `{unit}`"))


def _dim(b2: Any, dimension: Dimension) -> Any:
    from neuro.equations._brian import _to_brian

    return _to_brian(dimension)


def _dimension(built: Built, record: Record) -> Dimension:
    from neuro.equations._brian import unit_dimension

    population = next(p for p in built.populations if p.name == record.population)
    line = next(ln for ln in population.composed.lines if ln.name == record.variable)
    return unit_dimension(line.unit, f"unit `{line.unit}`")


def _width(monitor: Any) -> int:
    return len(monitor.record)


def _check_finite(built: Built, groups: dict[str, Any], step: int) -> None:
    for population in built.populations:
        for state in population.program.states:
            values = np.asarray(groups[population.name].variables[state].get_value())
            if not np.isfinite(values).all():
                cell = int(np.flatnonzero(~np.isfinite(values))[0])
                raise SimulationError(
                    f"population `{population.name}`: `{state}` of cell {cell} became "
                    f"{values[cell]} before {step * built.dt_ms:g} ms; lower dt or check the "
                    f"parameters"
                )
