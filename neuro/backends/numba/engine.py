"""Run a built network with its printed kernel: one block of cells a thread, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from neuro.backends.numba.kernel import Kernel
from neuro.build import Built
from neuro.errors import ConfigError
from neuro.network import Record
from neuro.raw_run import RawRun
from neuro.sink import Sink

__all__ = ["run"]

_CHUNK_S = 0.2  # seconds between two visits to Python: progress, ctrl-C, what was recorded
_REALS: dict[str, type[np.floating]] = {"float32": np.float32, "float64": np.float64}


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    sink: Sink,
    progress: Callable[[float], None],
    resume: dict[str, Any] | None = None,
    checkpoint: Callable[[Callable[[], dict[str, Any]]], None] | None = None,
    precision: str = "float32",
) -> RawRun:
    """Simulate up to step `n_steps`; see `neuro.simulate` for the meaning of the arguments.

    Args:
        resume: What `checkpoint` was given, to go on from there.
        checkpoint: Called now and then with a function that gives the state of the run.
        precision: `float32` or `float64`, of states, weights and arithmetic.

    Raises:
        ConfigError: if `precision` is neither.
        SimulationError: if a constant cannot be computed.
    """
    if precision not in _REALS:
        raise ConfigError(f"backend precision must be float32 or float64, found `{precision}`")
    started = time.perf_counter()
    kernel = Kernel(built, max(1, threads), records, every_ms, _REALS[precision])
    prepared = time.perf_counter()
    kernel.compile()
    if resume is not None:
        kernel.restore(resume)
    compiled = time.perf_counter()
    failure = ""
    chunk = kernel.chunk_steps
    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        while kernel.step < n_steps and not failure:
            begun = time.perf_counter()
            failure = kernel.advance(min(kernel.step + chunk, n_steps), pool, sink)
            took = time.perf_counter() - begun
            if took > 2 * _CHUNK_S:
                chunk = max(1, chunk // 2)
            elif took < _CHUNK_S / 2:
                chunk = min(2 * chunk, kernel.chunk_steps)
            progress(kernel.step * built.dt_ms)
            if checkpoint is not None and not failure:
                checkpoint(kernel.state)
    return RawRun(
        reached_steps=kernel.step,
        prepare_s=prepared - started,
        compile_s=compiled - prepared,
        simulate_s=time.perf_counter() - compiled,
        failure=failure,
    )
