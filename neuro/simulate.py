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
from neuro.recorded import recorded_at
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
        record: Traces to keep, of cells or of edges. Spikes of all populations are always kept.
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
    recorded = [recorded_at(built, r) for r in record]
    traces = {
        f"{r.population}.{r.variable}": Trace(
            r.population,
            r.variable,
            place.units[r.variable],
            np.array(r.cells or range(place.size(built)), dtype=np.int64),
            r.every_ms,
            data,
            of_edges=place.edges,
        )
        for r, place, data in zip(record, recorded, raw.traces, strict=True)
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
        place = recorded_at(built, r)
        if r.variable not in place.known:
            raise NetworkError(
                f"record: `{r.population}` has no variable `{r.variable}`"
                f"{nearest(r.variable, place.known)} (known: {', '.join(place.known) or 'none'})"
            )
        if r.cells and (wire or not place.edges):  # undrawn edges cannot be counted
            n = place.size(built)
            if odd := [cell for cell in r.cells if not 0 <= cell < n]:
                raise NetworkError(
                    f"record: {'edges' if place.edges else 'cells'} of `{r.population}` must lie "
                    f"in 0..{n - 1}, found {odd[0]}"
                )
        steps_of(r.every_ms, dt_ms, f"record: every of `{r.population}.{r.variable}`")
    return built
