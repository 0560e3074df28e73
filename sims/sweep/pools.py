"""Where points run: in this process, on a local Dask cluster, or on one at an address."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import queue
import signal
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeAlias

from neuro.errors import EmberError, SimulationError
from sims.sweep.worker import LOG_VARIABLE, Job, Outcome, RunPoint, run_job

__all__ = ["Pool", "here", "local_cluster", "remote_cluster"]

# Dask's own annotations are partial: its classes are used untyped.
Client: TypeAlias = Any
Future: TypeAlias = Any

_CONNECT_S = 20.0
"""How long a scheduler may take to answer at first."""

_GONE_S = 60.0
"""How long a cluster may have no connection or, if local, no worker before it is given up.

Engineering choice: a worker that was killed is replaced within seconds.
"""


class Pool(Protocol):
    """Something that runs jobs, some at a time, and reports how each ended."""

    @property
    def room(self) -> int:
        """How many more jobs it wants now."""

    def submit(self, job: Job) -> None:
        """Hand over a job."""

    def wait(self, timeout_s: float) -> Outcome | None:
        """The next job that ended; None if none did in time."""


class _Here:
    """Runs one job at a time in this process, when waited for."""

    def __init__(self, run_point: RunPoint) -> None:
        self._run_point = run_point
        self._waiting: deque[Job] = deque()

    @property
    def room(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def wait(self, timeout_s: float) -> Outcome | None:
        return run_job(self._waiting.popleft(), self._run_point) if self._waiting else None


class _OnDask:
    """Runs jobs as Dask tasks; a task that Dask gives up becomes a failed outcome."""

    def __init__(self, client: Client, run_point: RunPoint, most: int, *, own: bool) -> None:
        self._client, self._run_point, self._most, self._own = client, run_point, most, own
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._running: dict[str, tuple[Job, Future]] = {}
        self._last_seen = time.monotonic()

    @property
    def room(self) -> int:
        return self._most - len(self._running)

    def submit(self, job: Job) -> None:
        future = self._client.submit(
            run_job,
            job,
            self._run_point,
            key=f"ember-{job.id}-{job.attempt}-{time.monotonic_ns()}",
            pure=False,
            retries=0,
        )
        self._running[future.key] = job, future
        future.add_done_callback(self._ended.put)

    def wait(self, timeout_s: float) -> Outcome | None:
        future = None
        with suppress(queue.Empty):
            future = self._ended.get(timeout=timeout_s)
        if future is None:
            self._check_alive()
            return None
        self._last_seen = time.monotonic()
        entry = self._running.pop(future.key, None)
        return None if entry is None else _outcome(entry[0], future)

    def _check_alive(self) -> None:
        """Give up a cluster that is lost, rather than wait for ever.

        Raises:
            SimulationError: if there was no sign of life for a minute.
        """
        alive = self._client.status == "running" and (
            not self._own or bool(self._client.scheduler_info()["workers"])
        )
        if alive:
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > _GONE_S or self._client.status == "closed":
            raise SimulationError(
                "the cluster is gone: no scheduler or no worker answered; what was finished is "
                "kept, run the same command again"
            )


def _outcome(job: Job, future: Future) -> Outcome:
    from distributed import KilledWorker

    accident = True
    if future.status == "finished":
        with suppress(Exception):  # the connection may break while the answer travels
            outcome: Outcome = future.result(timeout=30)
            return outcome
        error = "the worker's answer was lost"
    elif future.status == "cancelled":
        error = "the cluster lost this point"
    else:
        raised = future.exception(timeout=30)
        accident = not isinstance(raised, EmberError)
        error = " ".join(str(raised).split())
        if isinstance(raised, KilledWorker):
            error = "the worker process died while running this point (killed, or out of memory)"
        elif accident:
            error = f"{type(raised).__name__}: {error}"
    return Outcome(job.id, False, error, accident, job.attempt, recorded=False)


@contextmanager
def here(run_point: RunPoint) -> Iterator[Pool]:
    """One point after the other in this process: for debugging, and for tiny sweeps."""
    yield _Here(run_point)


@contextmanager
def local_cluster(run_point: RunPoint, workers: int, log: Path) -> Iterator[Pool]:
    """A Dask cluster of `workers` processes on this machine, reachable from this process only.

    Whoever can talk to a Dask scheduler runs code as its user, and every user of a machine can
    reach its loopback address: so all that listens asks for a certificate, made for this cluster
    alone and kept in memory, and pages of HTTP are not served. What worker processes print between
    points goes to the end of `log`.
    """
    import dask

    distributed: Any = importlib.import_module("distributed")

    settings: dict[str, Any] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # A point whose worker died comes back here at once and is counted, see `execute`.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.preload": ["sims.sweep.worker"],
        f"distributed.nanny.pre-spawn-environ.{LOG_VARIABLE}": str(log.resolve()),
        "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    }
    with (
        TemporaryDirectory(prefix="ember-sweep-") as scratch,
        dask.config.set({**settings, "temporary-directory": scratch}),
        _quiet(),
    ):
        try:
            with _interrupts_kept_from_workers():
                cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tls://",
                    security=_temporary_certificate(),
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    # Dask would pause a worker that holds much memory, and a large network may.
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
        except (RuntimeError, OSError, TimeoutError) as error:
            # Each worker first imports the script that was started.
            raise SimulationError(
                f"the worker processes must start, found {type(error).__name__}: "
                f"{' '.join(str(error).split())}; a script calls run_sweep below "
                "`if __name__ == '__main__':`, and workers=0 needs no worker processes"
            ) from error
        except KeyboardInterrupt:
            _kill_workers()
            raise
        cluster.scheduler.http_server.stop()
        try:
            with cluster, distributed.Client(cluster, set_as_default=False) as client:
                yield _OnDask(client, run_point, workers, own=True)
        except KeyboardInterrupt:
            _kill_workers()  # a second signal broke into the closing
            raise


def _temporary_certificate() -> Any:
    security: Any = importlib.import_module("distributed.security")
    return security.Security.temporary()


@contextmanager
def _interrupts_kept_from_workers() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal; those started here leave it to this one.

    A blocked signal is handed down to the threads and processes that start within the block.
    """
    resource_tracker.ensure_running()  # which would lift the block in the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill_workers() -> None:
    """End the worker processes without asking them."""
    for process in multiprocessing.active_children():
        process.kill()


@contextmanager
def remote_cluster(run_point: RunPoint, address: str, points: int) -> Iterator[Pool]:
    """The Dask cluster whose scheduler listens at `address`, such as `tcp://node:8786`.

    All points are handed over at once, so that a cluster that adapts sees how much there is.

    Raises:
        SimulationError: if nothing answers there.
    """
    distributed: Any = importlib.import_module("distributed")
    with _quiet():
        try:
            client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            reason = " ".join(str(error).split())
            raise SimulationError(
                f"expected a Dask scheduler at `{address}`, found none ({reason}); start one with "
                "`dask scheduler`, or leave out --cluster"
            ) from None
        with client:
            yield _OnDask(client, run_point, points, own=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's own log speaks of ports and restarts; what matters of it reaches us as outcomes."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"distributed\..*")
            yield
    except KeyboardInterrupt:  # what was cut off in the middle complains until the process ends
        levels = [logging.CRITICAL for _ in levels]
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
