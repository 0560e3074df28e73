"""Run a built network in Brian2, as the reference the other back ends are checked against.

Text, methods, edges, weights, delays, start values and drives are those of the Built network;
only the random numbers drawn while it runs are Brian2's own, so a stochastic network agrees in
distribution and a deterministic one spike for spike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from neuro.backends.brian.edges import edge_dimensions
from neuro.backends.brian.in_turn import in_turn
from neuro.backends.brian.modulators import Modulators
from neuro.backends.brian.parts import Parts
from neuro.backends.brian.spelling import of_edges
from neuro.brian2_import import brian2
from neuro.build import Built, BuiltProjection
from neuro.equations import Port
from neuro.equations.brian_compiler import unit_dimension
from neuro.errors import ConfigError
from neuro.network import Record
from neuro.raw_run import RawRun
from neuro.recorded import Recorded, recorded_at
from neuro.sink import Sink
from neuro.units import coherent_factor

__all__ = ["run"]

_CHUNK_MS = 100.0


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    sink: Sink,
    progress: Callable[[float], None],
    codegen: str = "numpy",
) -> RawRun:
    """Simulate `n_steps`; see `neuro.simulate`. `threads` is not used: Brian2 has one.

    Args:
        codegen: Brian2's target: `numpy` starts at once, `cython` needs a C compiler.

    Raises:
        ConfigError: if `codegen` is neither.
    """
    if codegen not in ("numpy", "cython"):
        raise ConfigError(f"backend codegen must be numpy or cython, found `{codegen}`")
    b2 = brian2()
    started = time.perf_counter()
    with _settings(b2, codegen, built.seed):
        parts = Parts(b2, built)
        modulators = Modulators(b2, parts, built, n_steps, every_ms)
        places = [recorded_at(built, r) for r in records]
        monitors = [
            b2.StateMonitor(
                (parts.synapses if place.edges else parts.groups)[r.population],
                _spelled(built, parts, place),
                record=list(r.cells) or True,
                dt=r.every_ms * b2.ms,
                when="start",
                order=1,  # after the modulators of this step
            )
            for r, place in zip(records, places, strict=True)
        ]
        network = b2.Network(*parts.everything, modulators.operation, *monitors)
        chunk = max(1, round(_CHUNK_MS / built.dt_ms))
        reached = 0

        # One run a chunk would do for this too, but Brian2 takes long to prepare each.
        def look() -> None:
            nonlocal reached
            if reached:
                progress(reached * built.dt_ms)
                if found := _failure(built, parts, reached):
                    raise _NotFinite(found)
            reached = min(reached + chunk, n_steps)

        # Before anything else in the first step of a chunk, at what the chunk before has left.
        network.add(b2.NetworkOperation(look, dt=chunk * parts.dt, when="start", order=-1))
        prepared = time.perf_counter()
        network.run(0 * b2.ms, namespace={})  # generates the code
        compiled = time.perf_counter()
        try:
            network.run(n_steps * parts.dt, namespace=parts.namespace)
            failure = _failure(built, parts, n_steps)
            progress(n_steps * built.dt_ms)
        except _NotFinite as error:
            failure = str(error)
    for name, monitor in parts.monitors.items():
        steps = np.rint(np.asarray(monitor.t / parts.dt)).astype(np.int64)
        sink.spikes(name, steps, np.asarray(monitor.i, dtype=np.int32))
    for number, (r, monitor) in enumerate(zip(records, monitors, strict=True)):
        values = np.asarray(monitor.variables[monitor.record_variables[0]].get_value())
        frames = values.reshape(len(monitor.t), len(monitor.record))
        sink.trace(number, frames * _coherent(built, r))
    sink.courses(*modulators.courses())
    return RawRun(
        reached_steps=reached,
        prepare_s=prepared - started,
        compile_s=compiled - prepared,
        simulate_s=time.perf_counter() - compiled,
        failure=failure,
    )


class _NotFinite(Exception):
    """Ends a run before the next step; its text is the failure."""


@contextmanager
def _settings(b2: Any, codegen: str, seed: int) -> Iterator[None]:
    """Brian2's settings and NumPy's global generator, which Brian2 seeds, as they were."""
    target, state = b2.prefs.codegen.target, np.random.get_state()  # noqa: NPY002
    b2.prefs.codegen.target = codegen
    b2.seed(seed % 2**32)
    try:
        with in_turn():
            yield
    finally:
        b2.prefs.codegen.target = target
        np.random.set_state(state)  # noqa: NPY002


def _spelled(built: Built, parts: Parts, place: Recorded) -> str:
    """What Brian2 calls a recorded variable."""
    if not place.edges:
        return parts.spelled[built.populations[place.at].name][place.variable]
    return of_edges(_port(built, built.projections[place.at]))[place.variable]


def _port(built: Built, projection: BuiltProjection) -> Port:
    target = next(p for p in built.populations if p.name == projection.projection.target)
    return target.ports[projection.port]


def _coherent(built: Built, record: Record) -> float:
    """What turns Brian2's SI value of a recorded variable into Ember's unit."""
    place = recorded_at(built, record)
    if place.edges:
        port = _port(built, built.projections[place.at])
        return coherent_factor(edge_dimensions(port)[place.variable])
    lines = built.populations[place.at].composed.lines
    line = next(ln for ln in lines if ln.name == place.variable)
    return coherent_factor(unit_dimension(line.unit, f"unit `{line.unit}`"))


def _failure(built: Built, parts: Parts, step: int) -> str:
    """Which state of a cell or an edge is not finite, if one is."""
    for population in built.populations:
        for state in population.program.states:
            name = parts.spelled[population.name][state]
            values = np.asarray(parts.groups[population.name].variables[name].get_value())
            if not np.isfinite(values).all():
                cell = int(np.flatnonzero(~np.isfinite(values))[0])
                return (
                    f"population `{population.name}`: `{population.shown(state)}` of cell "
                    f"{cell} became {values[cell]} before {step * built.dt_ms:g} ms; lower dt or "
                    f"check the parameters"
                )
    for projection in built.projections:
        name = projection.projection.name
        if projection.edge is None:
            continue
        spelled = of_edges(_port(built, projection))
        for variable in projection.edge.variables:
            values = np.asarray(parts.synapses[name].variables[spelled[variable]].get_value())
            if not np.isfinite(values).all():
                edge = int(np.flatnonzero(~np.isfinite(values))[0])
                return (
                    f"projection `{name}`: `{variable}` of edge {edge}, from cell "
                    f"{projection.source[edge]} to {projection.target[edge]}, became "
                    f"{values[edge]} before {step * built.dt_ms:g} ms; lower dt or check the "
                    f"parameters"
                )
    return ""
