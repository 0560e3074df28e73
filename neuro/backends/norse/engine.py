"""Run a built network in PyTorch, without gradients: as any back end, or many settings at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuro.errors import ConfigError, SimulationError
from neuro.timing import steps_of

try:
    import torch
except ImportError:
    raise ConfigError(
        "back end `norse` needs PyTorch, which is not installed; install Ember with its `train` "
        "extra: ember-neuro[train]"
    ) from None

from neuro.backends.norse.chunk import Piece
from neuro.backends.norse.device import device_named
from neuro.backends.norse.finite import failure_of
from neuro.backends.norse.network import TorchNetwork
from neuro.build import Built
from neuro.memory import require_memory
from neuro.network import Record
from neuro.raw_run import RawRun
from neuro.recording import Recording
from neuro.simulate import as_recording
from neuro.sink import MemorySink, Sink

__all__ = ["run", "run_rows"]

_REALS = {"float32": torch.float32, "float64": torch.float64}
_EDGE_BYTES = 96  # of the indices of an edge and what sorts them, without its weight


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    sink: Sink,
    progress: Callable[[float], None],
    precision: str = "float32",
    device: str = "cpu",
    compile: bool = False,
) -> RawRun:
    """Simulate `n_steps`; see `neuro.simulate`. `threads` is not used: PyTorch has its own.

    Args:
        precision: `float32` or `float64`, of states, weights and arithmetic.
        device: `cpu`, `cuda` or `cuda:N`.
        compile: Compile steps by `torch.compile`, behind a check against uncompiled ones.

    Raises:
        ConfigError: if an option has no such value, or the device is not there.
        SimulationError: if a constant cannot be computed, memory will not suffice, or compiled
            steps give something else.
    """
    if precision not in _REALS:
        raise ConfigError(f"backend precision must be float32 or float64, found `{precision}`")
    place = device_named(device)
    _require(built, precision)
    started = time.perf_counter()
    network = TorchNetwork(built, dtype=_REALS[precision], compile=compile).to(place)
    prepared = time.perf_counter()
    found = _run(network, [sink], n_steps, records, every_ms, progress, {}, None)
    return found._replace(prepare_s=prepared - started)


def run_rows(
    network: TorchNetwork,
    *,
    duration_ms: float,
    settings: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    record: Sequence[Record] = (),
    every_ms: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> list[Recording]:
    """Run many settings of one network at once, and record each as if it had run alone.

    Args:
        network: From `torch_network`.
        settings: Values for each row, `(rows,)` or `(rows, n)`, by name (`names`).
        seeds: Of the noise of each row; the network's for all rows if None.
        record, every_ms, progress: As in `neuro.simulate`.

    Returns:
        One Recording for each row.

    Raises:
        NetworkError: if a name or shape does not fit.
        SimulationError: if a state stops being finite, naming the row.
    """
    built = network.built
    given = settings or {}
    rows = len(seeds) if seeds is not None else max((len(v) for v in given.values()), default=1)
    sinks = [MemorySink([p.name for p in built.populations], len(record)) for _ in range(rows)]
    every_ms = max(every_ms, built.dt_ms)
    raw = _run(
        network, sinks, steps_of(duration_ms, built.dt_ms, "duration"), record, every_ms,
        progress or (lambda done_ms: None), given, seeds,
    )  # fmt: skip
    recordings = [as_recording(built, sink, raw, "norse", record, every_ms) for sink in sinks]
    if raw.failure:
        raise SimulationError(raw.failure, recordings[0])
    return recordings


def _run(
    network: TorchNetwork, sinks: Sequence[Sink], n_steps: int, records: Sequence[Record],
    every_ms: float, progress: Callable[[float], None], settings: Mapping[str, Any],
    seeds: Sequence[int] | None,
) -> RawRun:  # fmt: skip
    started = time.perf_counter()
    every = steps_of(every_ms, network.built.dt_ms, "every")
    failure, reached = "", 0
    with torch.inference_mode():
        pieces = network.stream(
            n_steps=n_steps, batch=len(sinks), settings=settings, seeds=seeds, record=records
        )
        for state, piece in pieces if n_steps else ():
            _hand_over(piece, sinks, reached, state.step - reached, every)
            reached = state.step
            progress(reached * network.built.dt_ms)
            if failure := failure_of(network, state):
                break
    return RawRun(reached, 0.0, 0.0, time.perf_counter() - started, failure)


def _hand_over(piece: Piece, sinks: Sequence[Sink], first: int, n_steps: int, every: int) -> None:
    """Give each row's sink what a chunk gave."""
    for name, spikes in piece.spikes.items():
        row, step, unit = (x.cpu().numpy() for x in spikes.transpose(0, 1).nonzero(as_tuple=True))
        ends = np.searchsorted(row, np.arange(len(sinks) + 1))
        for k, sink in enumerate(sinks):
            part = slice(ends[k], ends[k + 1])
            if part.stop > part.start:
                sink.spikes(name, step[part] + first, unit[part].astype(np.int32))
    for number, frames in enumerate(piece.traces):
        whole = frames.cpu().numpy()
        for k, sink in enumerate(sinks):
            sink.trace(number, whole[:, k])
    levels, factors = (
        [x[-first % every :: every, :, 0].cpu().numpy() for x in part.values()]
        for part in (piece.levels, piece.factors)
    )
    none = np.zeros((len(range(-first % every, n_steps, every)), 0))
    for k, sink in enumerate(sinks):
        concentrations, scales = (
            np.stack([x[:, k] for x in part], 1) if part else none for part in (levels, factors)
        )
        sink.courses(concentrations, scales)


def _require(built: Built, precision: str) -> None:
    width = 8 if precision == "float64" else 4
    edges = sum(
        p.expected_edges * (_EDGE_BYTES + width * (3 + len(p.edge.variables if p.edge else ())))
        for p in built.projections
    )
    require_memory(edges, f"the network `{built.network.name}` on back end `norse`")
