"""Hand points to a pool until all have ended: retries, the end of a sweep, what is written."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from neuro.errors import StoreError
from neuro.files.links import real_path
from neuro.files.regular import open_to_append
from sims.sweep.ledger import Ledger
from sims.sweep.pools import Pool
from sims.sweep.worker import Job, Outcome

__all__ = ["execute"]

_TICK_S = 0.5

_UNCHARGED = 20
"""How often a point may lose its worker before it started; engineering choice: a sweep ends."""


def execute(
    jobs: Iterable[Job],
    pool: Pool,
    ledger: Ledger,
    *,
    retries: int,
    stop_on_error: bool,
    ended: Callable[[Outcome], None],
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run every job; an accident is retried, a point that cannot be run is a counted failure.

    Args:
        retries: How often a job that failed by accident is run again.
        stop_on_error: Return at the first failure; jobs that run then are given up.
        ended: Called with the last outcome of each job.
        check: Called between outcomes; what it raises ends the sweep.

    Raises:
        SimulationError: if the cluster is lost.
    """
    waiting = deque(jobs)
    running: dict[str, Job] = {}
    starts: dict[str, int] = {}
    bad_luck: Counter[str] = Counter()
    while waiting or running:
        while waiting and pool.room > 0:
            job = waiting.popleft()
            running[job.id], starts[job.id] = job, ledger.starts(job.id)
            pool.submit(job)
        outcome = pool.wait(_TICK_S)
        check()
        if outcome is None:
            continue
        job = running.pop(outcome.id)
        if not outcome.recorded:
            never_began = outcome.accident and ledger.starts(job.id) == starts[job.id]
            if never_began and bad_luck[job.id] < _UNCHARGED:
                # Its worker died of the point before, or of something else.
                bad_luck[job.id] += 1
                waiting.appendleft(job)
                continue
            outcome = _record(ledger, job, outcome)
        if not outcome.done and outcome.accident and outcome.attempt <= retries:
            waiting.append(replace(job, attempt=outcome.attempt + 1))
            continue
        ended(outcome)
        if stop_on_error and not outcome.done:
            return


def _record(ledger: Ledger, job: Job, outcome: Outcome) -> Outcome:
    """Write what the worker could not; a point it finished before it died is done."""
    found = ledger.job(job.id)
    if found is not None and found["status"] == "done":
        return replace(outcome, done=True, error="", recorded=True)
    with (
        suppress(OSError, StoreError),
        open(open_to_append(real_path(ledger.log(job.id))), "a", encoding="utf-8") as log,
    ):
        log.write(f"\n{outcome.error}\n")  # the job file says it as well
    ledger.write_job(
        {
            "id": job.id,
            "status": "failed",
            "error": outcome.error,
            "seed": job.seed,
            "values": dict(job.values),
            "measures": {},
            "attempt": job.attempt,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "timings": {},
            "peak_memory_bytes": 0,
            "host": "",
            "software": "",
        }
    )
    return replace(outcome, recorded=True)
