"""Run a built network with its printed kernel, chunk by chunk."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from neuro.backends.numba import kernel, random
from neuro.backends.numba.cells import CellPrinter
from neuro.backends.numba.layout import lay_out
from neuro.backends.numba.printer import print_kernel
from neuro.build import Built, steps_of
from neuro.equations import cache_folder
from neuro.errors import SimulationError
from neuro.network import Record, participants
from neuro.raw_run import Courses, RawRun

__all__ = ["run"]

_CHUNK_MS = 100.0  # between chunks: progress, ctrl-C, the check for NaN
_SPARE = 200_000  # spikes a population can hold between two visits to Python


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    progress: Callable[[float], None],
) -> RawRun:
    """Simulate `n_steps`; see `neuro.simulate` for the meaning of the arguments.

    Raises:
        SimulationError: if a state stops being finite, or a constant cannot be computed.
    """
    started = time.perf_counter()
    network, dt_ms = built.network, built.dt_ms
    layout = lay_out(built, max(1, threads))
    factors = {key: k for k, key in enumerate(layout.modulators.factor_keys)}
    printers = []
    for population in built.populations:
        mine = {
            key.removeprefix(population.name + "."): k
            for key, k in factors.items()
            if key.startswith(population.name + ".")
        }
        printers.append(CellPrinter(population, dt_ms, mine))
    index = {p.name: k for k, p in enumerate(built.populations)}
    kept = [(index[record.population], record.variable) for record in records]
    source = print_kernel(built, layout, printers, kept, parallel=threads > 1)
    module = _load(source)
    printed = time.perf_counter()

    depth = layout.depth
    senders = participants(network)
    modulators = layout.modulators
    frames = -(-n_steps // (course_every := steps_of(every_ms, dt_ms, "every")))
    trace_every = [steps_of(r.every_ms, dt_ms, f"every of `{r.variable}`") for r in records]
    chosen = [
        np.array(r.cells or range(built.populations[k].n), dtype=np.int64)
        for r, (k, _) in zip(records, kept, strict=True)
    ]
    traces = [
        np.empty((-(-n_steps // e), c.size)) for e, c in zip(trace_every, chosen, strict=True)
    ]
    courses = np.empty((frames, len(network.transmitters)))
    factor_courses = np.empty((frames, len(factors)))
    states = [
        np.array([p.initial[name] for name in p.program.states]).reshape(-1, p.n)
        for p in built.populations
    ]
    out_unit = [np.empty(p.n + _SPARE, np.int32) for p in built.populations]
    out_step = [np.empty(p.n + _SPARE, np.int64) for p in built.populations]
    out_n = np.zeros(len(printers), np.int64)
    concentration = np.array([float(t.baseline_at(0.0)) for t in network.transmitters])
    arguments: dict[str, Any] = {
        "dt": dt_ms,
        "key": random.seed_key(built.seed),
        "S": tuple(states),
        "shared": tuple(p.shared for p in printers),
        "cells": tuple(p.cells for p in printers),
        "last": tuple(np.full(p.n, -(2**40), np.int64) for p in built.populations),
        "free": tuple(np.ones(p.n, np.bool_) for p in built.populations),
        "hits": tuple(np.empty(p.n, np.int64) for p in built.populations),
        "bounds": tuple(layout.bounds[p.name] for p in built.populations),
        "found": tuple(np.zeros(layout.n_blocks, np.int64) for _ in printers),
        "rings": tuple(np.empty((depth[s.name], s.n), np.int32) for s in senders),
        "ring_n": tuple(np.zeros(depth[s.name], np.int64) for s in senders),
        "pointer": tuple(e.pointer for e in layout.edges),
        "target": tuple(e.target for e in layout.edges),
        "weight": tuple(e.weight for e in layout.edges),
        "delays": tuple(e.delays for e in layout.edges),
        "source_step": tuple(s.steps for s in built.sources),
        "source_unit": tuple(s.units for s in built.sources),
        "source_at": np.zeros(len(built.sources), np.int64),
        "drives": tuple(
            np.ascontiguousarray(d.values.reshape(d.values.shape[0], -1)) for d in network.drives
        ),
        "drive_every": np.array(
            [
                steps_of(d.dt_ms, dt_ms, f"dt of the drive of `{d.variable}`")
                for d in network.drives
            ],
            dtype=np.int64,
        ),
        "concentration": concentration,
        "decay": modulators.decay,
        "per_spike": modulators.per_spike,
        "release": modulators.release_steps,
        "receptors": modulators.receptors,
        "effects": modulators.effects,
        "factors": np.ones(len(factors)),
        "courses": courses,
        "factor_courses": factor_courses,
        "course_every": course_every,
        "traces": tuple(traces),
        "chosen": tuple(chosen),
        "every": np.array(trace_every, np.int64),
        "out_unit": tuple(out_unit),
        "out_step": tuple(out_step),
        "out_n": out_n,
    }
    names = list(_parameters(module))
    spikes: list[list[tuple[Any, Any]]] = [[] for _ in printers]
    if threads > 1:
        numba.set_num_threads(min(threads, int(numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]
    compiled = _compile(module, names, arguments)
    simulated = time.perf_counter()

    step = 0
    chunk = max(1, round(_CHUNK_MS / dt_ms))
    while step < n_steps:
        stop = min(step + chunk, n_steps)
        at_ms = (step + np.arange(stop - step)) * dt_ms
        arguments |= {
            "first": step,
            "stop": stop,
            "baseline": np.array([t.baseline_at(at_ms) for t in network.transmitters]).reshape(
                -1, stop - step
            ),
        }
        step = module.run(*(arguments[name] for name in names))
        for k in range(len(printers)):
            if out_n[k]:
                spikes[k].append((out_step[k][: out_n[k]].copy(), out_unit[k][: out_n[k]].copy()))
        out_n[:] = 0
        _check_finite(built, states, step)
        progress(step * dt_ms)
    return RawRun(
        spikes={
            p.name: (
                np.concatenate([s for s, _ in spikes[k]] or [np.zeros(0, np.int64)]),
                np.concatenate([u for _, u in spikes[k]] or [np.zeros(0, np.int32)]),
            )
            for k, p in enumerate(built.populations)
        },
        traces=traces,
        courses=Courses(
            {t.name: courses[:, k] for k, t in enumerate(network.transmitters)},
            {key: factor_courses[:, k] for key, k in factors.items()},
        ),
        prepare_s=printed - started,
        compile_s=compiled,
        simulate_s=time.perf_counter() - simulated,
    )


def _parameters(module: ModuleType) -> tuple[str, ...]:
    code = module.run.py_func.__code__
    return tuple(code.co_varnames[: code.co_argcount])


def _compile(module: ModuleType, names: Sequence[str], arguments: dict[str, Any]) -> float:
    """Compile (or load) the kernel by a call that takes no step; the seconds it took."""
    started = time.perf_counter()
    none = arguments | {
        "first": 0, "stop": 0, "baseline": np.empty((arguments["concentration"].size, 0)),
    }  # fmt: skip
    module.run(*(none[name] for name in names))
    return time.perf_counter() - started


def _check_finite(built: Built, states: Sequence[Any], step: int) -> None:
    for population, values in zip(built.populations, states, strict=True):
        if values.size and not np.isfinite(values).all():
            row, cell = np.argwhere(~np.isfinite(values))[0]
            raise SimulationError(
                f"population `{population.name}`: `{population.program.states[row]}` of cell "
                f"{cell} became {values[row, cell]} before {step * built.dt_ms:g} ms; lower dt or "
                f"check the parameters"
            )


_loaded: dict[str, ModuleType] = {}


def _load(source: str) -> ModuleType:
    """Import the printed module from the cache, where Numba keeps its machine code beside it.

    The name holds a digest of everything the machine code depends on. A link is made only if
    the name is free, so that processes that print the same kernel do not disturb each other.
    """
    parts = [source, version("numba"), version("numpy"), sys.version]
    parts += [Path(module.__file__ or "").read_text() for module in (kernel, random)]
    name = "kernel_" + hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
    if name in _loaded:
        return _loaded[name]
    folder = cache_folder() / "kernels"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    if not path.exists():
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".kernel-")
        with os.fdopen(handle, "w") as file:
            file.write(source)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SimulationError(f"the kernel cache at {folder} cannot be read; set EMBER_CACHE")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks the module up when it caches
    spec.loader.exec_module(module)
    _loaded[name] = module
    return module
