"""Check, choose a back end, run, and hand back a Recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuro.backends import backend_named, check_support
from neuro.build import Built, build, steps_of
from neuro.errors import ConfigError, NetworkError, nearest
from neuro.network import Network, Record
from neuro.recording import Course, Recording, Trace
from neuro.spikes import Spikes

__all__ = ["prepare", "simulate"]


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
        seed: Decides edges, drawn parameters and noise.
        backend: `numba` or `brian`.
        threads: For the `numba` back end.
        options: Further settings of the back end (`codegen` for `brian`).
        record: Traces to keep. Spikes of all populations are always kept.
        every_ms: Interval between samples of concentrations and factors.
        progress: Called with the simulated time in ms, now and then.

    Raises:
        EquationError, NetworkError, BackendUnsupported: before anything compiles.
        SimulationError: if a state variable stops being finite.
    """
    started = time.perf_counter()
    chosen = backend_named(backend)
    for name in options or {}:
        if name not in chosen.options:
            raise ConfigError(
                f"back end `{backend}` has no option `{name}`{nearest(name, chosen.options)}"
            )
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, found {threads}")
    n_steps = steps_of(duration_ms, dt_ms, "duration")
    every_ms = max(every_ms, dt_ms)
    built = prepare(network, seed=seed, dt_ms=dt_ms, backend=backend, record=record)
    bound = time.perf_counter()
    raw = chosen.load().run(
        built,
        n_steps=n_steps,
        threads=threads,
        records=record,
        every_ms=every_ms,
        progress=progress or (lambda done_ms: None),
        **(options or {}),
    )
    populations = {p.name: p for p in built.populations}
    spikes = {s.source.name: s.source.spikes.between(0.0, duration_ms) for s in built.sources} | {
        name: Spikes(steps * dt_ms, units, n_units=populations[name].n, t_stop_ms=duration_ms)
        for name, (steps, units) in raw.spikes.items()
    }
    traces = {
        f"{r.population}.{r.variable}": Trace(
            r.population,
            r.variable,
            populations[r.population].program.units[r.variable],
            np.array(r.cells or range(populations[r.population].n), dtype=np.int64),
            r.every_ms,
            data,
        )
        for r, data in zip(record, raw.traces, strict=True)
    }
    return Recording(
        duration_ms=duration_ms,
        dt_ms=dt_ms,
        seed=seed,
        backend=backend,
        spikes=spikes,
        traces=traces,
        modulators={
            name: Course(name, "nM", every_ms, values)
            for name, values in raw.courses.concentrations.items()
        },
        factors={
            key: Course(key, "1", every_ms, values) for key, values in raw.courses.factors.items()
        },
        timings={
            "build": bound - started + raw.prepare_s,
            "compile": raw.compile_s,
            "simulate": raw.simulate_s,
        },
    )


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
    built = build(network, seed=seed, dt_ms=dt_ms, wire=wire)
    check_support(built, backend_named(backend))
    for r in record:
        population = network.population(r.population)
        program = next(p.program for p in built.populations if p.name == r.population)
        known = [*program.states, *(name for name, _ in program.subexpressions)]
        if r.variable not in known:
            raise NetworkError(
                f"record: `{r.population}` has no variable `{r.variable}`"
                f"{nearest(r.variable, known)} (known: {', '.join(known) or 'none'})"
            )
        if any(not 0 <= cell < population.n for cell in r.cells):
            raise NetworkError(
                f"record: cells of `{r.population}` must lie in 0..{population.n - 1}, "
                f"found {max(r.cells)}"
            )
        steps_of(r.every_ms, dt_ms, f"record: every of `{r.population}.{r.variable}`")
    return built
