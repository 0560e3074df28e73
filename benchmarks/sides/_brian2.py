"""What the Brian2 sides share: choosing a target, and running a compiled model several times."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import brian2
import numpy as np

__all__ = ["run_model"]

Read = Callable[[], dict[str, Any]]


def run_model(
    make: Callable[[], tuple[list[Any], Read]],
    *,
    target: str,
    seconds: float,
    repeats: int,
    threads: int,
) -> dict[str, Any]:
    """Run a model `repeats` times, each with other random numbers.

    Args:
        make: Builds the model; gives its objects, and a function that reads what a run left.
        target: `standalone` (C++, its compilation timed apart), `cython` or `numpy`.
        threads: OpenMP threads of the standalone binary; 1 builds it without OpenMP.

    Returns:
        `run_s` of each repeat, `compile_s` (all that came before the first run), `results`.
    """
    brian2.defaultclock.dt = 0.1 * brian2.ms
    brian2.BrianLogger.suppress_hierarchy("brian2")
    started = time.perf_counter()
    run_s, results = [], []
    if target == "standalone":
        brian2.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
        with tempfile.TemporaryDirectory() as folder:
            brian2.set_device("cpp_standalone", directory=folder, build_on_run=False)
            objects, read = make()
            brian2.Network(objects).run(seconds * brian2.second)
            device = brian2.get_device()
            device.build(directory=folder, run=False, compile=True, with_output=False)
            compile_s = time.perf_counter() - started
            for _ in range(repeats):
                # The binary seeds itself from the system, since no seed is set.
                device.run(directory=folder, with_output=False, run_args=[])
                run_s.append(float(device._last_run_time))
                results.append(read())
    else:
        brian2.prefs.codegen.target = target
        for repeat in range(repeats + 1):  # the first pays for the compiler
            brian2.seed(repeat)
            objects, read = make()
            network = brian2.Network(objects)
            network.run(0 * brian2.second)
            if repeat == 0:
                network.run(1 * brian2.ms)
                compile_s = time.perf_counter() - started
                continue
            begun = time.perf_counter()
            network.run(seconds * brian2.second)
            run_s.append(time.perf_counter() - begun)
            results.append(read())
    return {"run_s": run_s, "compile_s": compile_s, "results": results,
            "version": brian2.__version__, "numpy": np.__version__}  # fmt: skip
