"""Check, choose a back end, run, and hand back a Recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuro.backends import BACKENDS, backend_named, check_support
from neuro.build import Built, build
from neuro.constants import check_constants
from neuro.edge_binding import factor_bounds
from neuro.equations.shape import deep_calls
from neuro.errors import ConfigError, NetworkError, SimulationError, nearest, shown
from neuro.network import Network, Record
from neuro.ranges import parts, whole
from neuro.raw_run import RawRun
from neuro.recorded import recorded_at
from neuro.recording import Course, Recording, Trace
from neuro.sink import MemorySink, Sink
from neuro.spikes import Spikes
from neuro.stability import check_stability
from neuro.timing import steps_of
from neuro.units import quantities

__all__ = ["as_recording", "prepare", "run_built", "simulate"]

_MOST_THREADS = 1024  # each takes memory for blocks of its own, also where it has no cells


@quantities
@deep_calls()
def simulate(
    network: Network,
    *,
    duration_ms: float,
    dt_ms: float = 0.1,
    seed: int = 0,
    backend: str = "numba",
    threads: int = 1,
    options: Mapping[str, Any] | None = None,
    record: Sequence[Record] = (),
    every_ms: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Recording:
    """Run a network and record its spikes, the traces asked for, and all modulators.

    A spike's time is the start of the step in which the threshold was crossed; traces are
    sampled before the step; a delay counts from spike to arrival and is at least one step.
    These are Brian2's conventions. The spikes depend on the seed and on nothing else: not on
    `threads`, and not on what is recorded.

    Args:
        network: What to run.
        duration_ms, dt_ms: Length of the run, a whole number of steps of `dt_ms`.
        seed: Decides edges, drawn parameters and noise; a whole number in 0..2**63 - 1.
        backend: `numba`, `brian`, `norse` or `lava`.
        threads: For the `numba` back end, up to 1024; the others take what they take.
        options: Further settings of the back end. `numba`: `precision` (`float32`, the default,
            or `float64`). `brian`: `codegen` (`numpy` or `cython`). `norse`: `precision`, `device`
            (`cpu`, `cuda`, `cuda:N`) and `compile`. `lava`: `runner` (`emulator`, the default, or
            `lava-nc`) and `timeout_s` of lava-nc.
        record: Traces to keep, of cells or of edges. Spikes of all populations are always kept.
        every_ms: Interval between samples of concentrations and factors.
        progress: Called with the simulated time in ms, now and then.

    Raises:
        EquationError, NetworkError, BackendUnsupported: before anything compiles.
        SimulationError: if a state variable stops being finite; its `recording` holds what was
            recorded until then.
    """
    started = time.perf_counter()
    record = parts(record, "record", Record)
    built = prepare(network, seed=seed, dt_ms=dt_ms, backend=backend, record=record)
    bound_s = time.perf_counter() - started
    sink = MemorySink([p.name for p in built.populations], len(record))
    raw = run_built(
        built, sink, duration_ms=duration_ms, backend=backend, threads=threads, options=options,
        record=record, every_ms=every_ms, progress=progress,
    )  # fmt: skip
    raw = raw._replace(prepare_s=bound_s + raw.prepare_s)
    recording = as_recording(built, sink, raw, backend, record, max(every_ms, dt_ms))
    if raw.failure:
        raise SimulationError(raw.failure, recording)
    return recording


@quantities
@deep_calls()
def run_built(
    built: Built,
    sink: Sink,
    *,
    duration_ms: float,
    backend: str = "numba",
    threads: int = 1,
    options: Mapping[str, Any] | None = None,
    record: Sequence[Record] = (),
    every_ms: float = 1.0,
    progress: Callable[[float], None] | None = None,
    resume: Mapping[str, Any] | None = None,
    checkpoint: Callable[[Callable[[], dict[str, Any]]], None] | None = None,
) -> RawRun:
    """Run what `prepare` built, and hand what is recorded to `sink` as it comes.

    Memory does not grow with the length of the run, unless the sink's does.

    Args:
        resume: A state that `checkpoint` was given; the run goes on from there, to the same
            spikes, with any number of threads.
        checkpoint: Called now and then with a function that gives the state: a flat dict of
            numbers and arrays. What was handed to the sink until then ends where the state does.

    Raises:
        ConfigError: if the back end lacks an option, or cannot be resumed.
        SimulationError: if a constant cannot be computed, or memory will not suffice.
    """
    chosen = backend_named(backend)
    for name in options or {}:
        if name not in chosen.options:
            raise ConfigError(
                f"back end `{backend}` has no option `{name}`{nearest(name, chosen.options)}"
            )
    threads = whole(threads, "threads", least=1, most=_MOST_THREADS, error=ConfigError)
    settings = {**chosen.options, **(options or {})}
    settings.pop("threads", None)
    stops: dict[str, Any] = {}
    if resume is not None or checkpoint is not None:
        able = [b.name for b in BACKENDS.values() if b.resumes]
        if chosen.name not in able:
            raise ConfigError(
                f"back end `{backend}` cannot be resumed; use {' or '.join(able)}, or run without "
                f"checkpoints"
            )
        stops = {"resume": resume, "checkpoint": checkpoint}
    raw: RawRun = chosen.load().run(
        built,
        n_steps=steps_of(duration_ms, built.dt_ms, "duration"),
        threads=threads,
        records=parts(record, "record", Record),
        every_ms=max(every_ms, built.dt_ms),
        sink=sink,
        progress=progress or (lambda done_ms: None),
        **stops,
        **settings,
    )
    return raw


@quantities
def as_recording(
    built: Built, sink: MemorySink, raw: RawRun, backend: str, record: Sequence[Record],
    every_ms: float,
) -> Recording:  # fmt: skip
    """What a sink kept of a run, as a Recording; `every_ms` is the interval of the courses."""
    duration_ms = raw.reached_steps * built.dt_ms
    spikes = {s.source.name: s.source.spikes.between(0.0, duration_ms) for s in built.sources}
    for population in built.populations:
        if population.program.threshold:
            steps, units = sink.spikes_of(population.name)
            spikes[population.name] = Spikes(
                steps * built.dt_ms, units, n_units=population.n, t_stop_ms=duration_ms
            )
    traces = {}
    for number, r in enumerate(record):
        place = recorded_at(built, r)
        cells = np.array(r.cells or range(place.size(built)), dtype=np.int64)
        traces[f"{r.population}.{r.variable}"] = Trace(
            r.population, r.variable, place.unit, cells, r.every_ms,
            sink.trace_of(number, cells.size), of_edges=place.edges,
        )  # fmt: skip
    network = built.network
    keys = list(dict.fromkeys(f"{e.target}.{e.parameter}" for e in network.effects))
    concentrations, factors = sink.courses_of(len(network.transmitters), len(keys))
    return Recording(
        duration_ms=duration_ms,
        dt_ms=built.dt_ms,
        seed=built.seed,
        backend=backend,
        spikes=spikes,
        traces=traces,
        modulators={
            t.name: Course(t.name, "nM", every_ms, concentrations[:, k])
            for k, t in enumerate(network.transmitters)
        },
        factors={key: Course(key, "1", every_ms, factors[:, k]) for k, key in enumerate(keys)},
        timings={"build": raw.prepare_s, "compile": raw.compile_s, "simulate": raw.simulate_s},
        notes=built.notes(),
    )


@quantities
@deep_calls()
def prepare(
    network: Network,
    *,
    seed: int = 0,
    dt_ms: float = 0.1,
    backend: str = "numba",
    record: Sequence[Record] = (),
    wire: bool = True,
) -> Built:
    """Everything `simulate` does before it steps: bind, compile the equations, refuse.

    Args:
        wire: False leaves the edges undrawn, which is enough for a check.

    Raises:
        EquationError, NetworkError, BackendUnsupported: if the network cannot be run.
    """
    if not isinstance(network, Network):
        raise NetworkError(f"what is simulated must be a Network, found {shown(network)}")
    record = parts(record, "record", Record)
    built = build(network, seed=seed, dt_ms=dt_ms, wire=wire)
    chosen = backend_named(backend)
    check_support(built, chosen)
    chosen.check(built)
    check_constants(built)
    scaled = factor_bounds(built)
    for population in built.populations:
        check_stability(population, dt_ms, scaled.get(population.name, {}))
    seen: set[str] = set()
    for r in record:
        place = recorded_at(built, r)
        if f"{r.population}.{r.variable}" in seen:
            raise NetworkError(
                f"record: `{r.variable}` of `{r.population}` stands twice, and a run keeps one "
                f"trace of each; name all cells in one record, with one interval"
            )
        seen.add(f"{r.population}.{r.variable}")
        if not place.variable:
            raise NetworkError(
                f"record: `{r.population}` has no variable `{r.variable}`"
                f"{nearest(r.variable, place.known)} (known: {', '.join(place.known) or 'none'})"
            )
        if r.cells and (wire or not place.edges):  # undrawn edges cannot be counted
            n = place.size(built)
            if odd := [cell for cell in r.cells if not 0 <= cell < n]:
                raise NetworkError(
                    f"record: `{r.variable}` of `{r.population}`: "
                    f"{'edges' if place.edges else 'cells'} must lie in 0..{n - 1}, found {odd[0]}"
                )
        steps_of(r.every_ms, dt_ms, f"record: every of `{r.population}.{r.variable}`", least=1)
    return built
