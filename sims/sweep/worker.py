"""One point of a sweep, run in whatever process was given it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from neuro.errors import EmberError, StoreError
from neuro.files.links import real_path
from neuro.files.regular import open_to_append
from sims.store.atomic import naming
from sims.sweep.ledger import START, Ledger
from sims.sweep.measures import Number
from sims.sweep.versions import check_worker

__all__ = ["Job", "Outcome", "PointResult", "run_job", "simulate"]


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to run one point; it travels to other machines.

    Attributes:
        folder: The sweep's folder, which the worker must see as well.
        plan_hash: The plan that `folder` must hold.
        measures: Further measures, JSON-ready.
        keep_run: Whether to keep the whole run file.
        attempt: 1 at first.
        software: What the sweep runs under, see `sims.store.software`.
        any_software: Whether a worker of another software may run it.
    """

    id: str
    values: Mapping[str, Any]
    seed: int
    resolved: Mapping[str, Any]
    folder: str
    plan_hash: str
    measures: tuple[Mapping[str, Any], ...] = ()
    keep_run: bool = False
    attempt: int = 1
    software: Mapping[str, Any] = field(default_factory=dict)
    any_software: bool = False


@dataclass(frozen=True)
class PointResult:
    """What running a point gives: numbers for the table, and what it took."""

    measures: Mapping[str, Number]
    timings: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended.

    Attributes:
        error: One line; empty when done.
        accident: Whether another attempt may end differently.
        recorded: Whether the worker wrote the job file itself.
    """

    id: str
    done: bool
    error: str = ""
    accident: bool = False
    attempt: int = 1
    recorded: bool = True


LOG_VARIABLE = "EMBER_SWEEP_WORKER_LOG"
"""Environment variable that tells a worker process where its own output goes."""

RunPoint = Callable[[Job], PointResult]

_STIMULI = 4
"""Encodings a worker process keeps; engineering choice: a sound, heat and a path fit."""

# Standard output and error belong to the whole process, so a process runs one point at a time.
_ALONE = threading.Lock()


def simulate(job: Job) -> PointResult:
    """Run the point's experiment on one thread and measure it."""
    from sims.assembly.stimulus import remember_encodings
    from sims.config import from_resolved
    from sims.config.sweep import WindowMeasure
    from sims.run import run_experiment
    from sims.sweep.measures import measure

    remember_encodings(_STIMULI)
    # Points already share the cores, and results do not depend on the number of threads.
    run = run_experiment(from_resolved(dict(job.resolved)), threads=1)
    windows = [WindowMeasure.model_validate(window) for window in job.measures]
    measures = measure(run.recording, windows)
    if job.keep_run:
        from sims.store import write_run

        write_run(Ledger(Path(job.folder)).runs / f"{job.id}.h5", run, force=True)
    return PointResult(measures, dict(run.recording.timings), run.provenance.peak_memory_bytes)


def run_job(job: Job, run_point: RunPoint = simulate) -> Outcome:
    """Run one point, keep its log, and write its job file; an exception becomes a failure.

    A point that is done already (because a worker was thought lost) is not run again.

    Raises:
        StoreError: if this machine does not see the sweep's folder, cannot write to it, or runs
            another software.
    """
    ledger = Ledger(Path(job.folder))
    plan = ledger.read_plan()
    if plan is None or plan.get("plan_hash") != job.plan_hash:
        raise StoreError(
            f"every worker must see the sweep's folder, found none of this plan at "
            f"`{job.folder}` on {socket.gethostname()}; put it on a shared file system"
        )
    before = ledger.job(job.id)
    if before is not None and before["status"] == "done":
        return Outcome(job.id, done=True, attempt=job.attempt)
    software = check_worker(job.software, allowed=job.any_software)
    started = datetime.now(UTC)
    clock = time.perf_counter()
    result, outcome = PointResult({}), Outcome(job.id, done=True, attempt=job.attempt)
    with _ALONE, _captured(ledger.log(job.id), job):
        try:
            result = run_point(job)
        except Exception as error:
            with suppress(OSError):  # the log's disk may be full; the job file says it too
                traceback.print_exc()
            outcome = Outcome(job.id, False, _one_line(error), _is_accident(error), job.attempt)
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    ledger.write_job(
        {
            "id": job.id,
            "status": "done" if outcome.done else "failed",
            "error": outcome.error,
            "seed": job.seed,
            "values": dict(job.values),
            "measures": dict(result.measures),
            "attempt": job.attempt,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 6),
            "timings": dict(result.timings),
            "peak_memory_bytes": result.peak_memory_bytes,
            "host": socket.gethostname(),
            "software": software,
        }
    )
    return outcome


def dask_setup(worker: Any) -> None:
    """Called by Dask as a worker process of ours starts.

    Ctrl-C is left to the sweep that started it, its output kept off the progress bar, and its page
    of HTTP, which asks nobody who they are, not served.
    """
    worker.http_server.stop()
    with suppress(ValueError):  # not the main thread: somebody else's arrangement
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = os.environ.get(LOG_VARIABLE)
    if log:
        with suppress(OSError), open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, EmberError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _is_accident(error: Exception) -> bool:
    """Disks, memory and libraries recover; what Ember refuses it would refuse again."""
    return not isinstance(error, EmberError) or isinstance(error, StoreError)


@contextmanager
def _captured(path: Path, job: Job) -> Iterator[None]:
    """Send this process's stdout and stderr, native libraries' too, to the end of a log.

    Raises:
        StoreError: if the log cannot be written at the start; what it cannot take later is lost.
    """
    with ExitStack() as stack:
        with naming(path):
            # Line by line, so that what a killed process said is kept.
            handle = open_to_append(real_path(path))
            log = open(handle, "a", 1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
            stack.callback(_closed, log)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            log.write(
                f"{START} {job.attempt} at {now} on {socket.gethostname()}, process {os.getpid()}\n"
            )
        streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        for stream in streams:
            stream.flush()
        saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        try:
            for fd, _ in saved:
                os.dup2(log.fileno(), fd)
            sys.stdout = sys.stderr = log
            yield
        finally:
            sys.stdout, sys.stderr = streams
            for fd, copy in saved:
                os.dup2(copy, fd)
                os.close(copy)


def _closed(log: TextIO) -> None:
    try:
        log.close()
    except OSError:  # the last lines did not fit; close what is left of it
        with suppress(OSError):
            log.close()
