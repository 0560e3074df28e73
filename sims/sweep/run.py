"""`ember sweep`: plan, check, continue where it stopped, and leave one table."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal

from neuro.errors import ConfigError, EmberError, StoreError
from sims.sweep._lock import locked
from sims.sweep.execute import execute
from sims.sweep.ledger import Counts, Ledger
from sims.sweep.plan import Plan, Point, make_plan, unknown_part
from sims.sweep.pools import Pool, here, local_cluster, remote_cluster
from sims.sweep.table import write_table
from sims.sweep.worker import Job, Outcome, RunPoint, simulate

if TYPE_CHECKING:
    from rich.console import Console

    from sims.config import Loaded

__all__ = ["run_sweep"]

INTERRUPTED = 130
TERMINATED = 143


def run_sweep(
    loaded: Loaded,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    on_error: Literal["continue", "stop"] = "continue",
    console: Console | None = None,
    run_point: RunPoint = simulate,
) -> int:
    """Run every point of a sweep that is not done yet, and write its table and pictures.

    All points are checked before anything runs. Points run in worker processes; each leaves one
    file in the folder, so a sweep that was interrupted or killed continues where it stopped.

    Args:
        loaded: A config with a `sweep` section.
        out: The sweep's folder; `runs/<name>` if left out. All workers must see it.
        workers: How many processes; one for each core if left out, 0 to run in this process.
        cluster: Address of a Dask scheduler to use instead of processes on this machine.
        on_error: Whether to `continue` with the other points when one fails, or to `stop`.
        console: Where progress is shown; the standard error output if left out.
        run_point: What running a point means; for tests and for sweeps over other things.

    Returns:
        The exit status: 0 when every point is done, 1 when any failed or is missing, 130 (143)
        when interrupted (terminated).

    Raises:
        ConfigError: if the config has no `sweep` section, or a point is refused.
        StoreError: if the folder holds another sweep or other files, or is in use.
        SimulationError: if the cluster cannot be reached, or is lost.
    """
    console = console or _stderr()
    plan = _plan(loaded, workers, on_error)
    ledger = Ledger(Path(out if out is not None else Path("runs") / plan.name))
    _check_folder(ledger, plan)
    if run_point is simulate and ledger.read_plan() is None:
        _check_experiment(loaded)
    ledger.make_folders(runs=plan.section.keep == "runs")
    with locked(ledger.folder):
        _check_folder(ledger, plan)
        ids = [point.id for point in plan.points]
        before = ledger.counts(ids)
        _write_plan(ledger, plan, loaded, before)
        todo = [point for point in plan.points if point.id not in set(before.done)]
        status = 0
        if todo:
            pool = _pool(run_point, workers, cluster, len(todo), ledger)
            try:
                with _terminable():
                    _run(plan, todo, pool, ledger, len(before.done), on_error == "stop", console)
            except KeyboardInterrupt as interrupt:
                status = TERMINATED if isinstance(interrupt, _Terminated) else INTERRUPTED
        counts = ledger.counts(ids)
        _write_plan(ledger, plan, loaded, counts)
        if status:
            _say(console, f"interrupted: {_progress(counts)} and kept in {ledger.folder}; "
                 "run the same command again to go on")  # fmt: skip
            return status
        made = [*write_table(plan, ledger), *_pictures(ledger.folder, counts)]
    _conclude(console, ledger, counts, len(before.done), made)
    return 0 if counts.complete else 1


def _plan(loaded: Loaded, workers: int | None, on_error: str) -> Plan:
    from sims.config import from_resolved

    section = getattr(loaded.config, "sweep", None)
    if section is None:
        raise loaded.refusal(
            (), "a sweep needs the section `sweep`, found none; to run it once use `ember run`"
        )
    if on_error not in ("continue", "stop"):
        raise ConfigError(f"--on-error must be `continue` or `stop`, found `{on_error}`")
    if workers is not None and workers < 0:
        raise ConfigError(f"--workers must be a count of at least 0, found {workers}")
    for package in ("distributed", "pyarrow"):
        if importlib.util.find_spec(package) is None:
            raise EmberError(
                f"a sweep needs the package `{package}`, which is not installed; install "
                "`ember-neuro[sweep]`"
            )
    base = {key: value for key, value in loaded.resolved.items() if key != "sweep"}
    for key in section.vary:
        problem = unknown_part(base, key)
        if problem:
            raise loaded.refusal(("sweep", "vary", key), problem)
    return make_plan(str(base["name"]), section, base, from_resolved)


def _check_experiment(loaded: Loaded) -> None:
    """Refuse in one line what would otherwise fail in every point."""
    from sims.experiment import check_experiment
    from sims.sweep.measures import check_windows

    network = check_experiment(loaded).network
    check_windows(
        loaded.config.sweep.measures,
        duration_ms=float(loaded.config.duration),
        populations=[*(p.name for p in network.populations), *(s.name for s in network.sources)],
        modulators=[transmitter.name for transmitter in network.transmitters],
        factors=[f"{effect.target}.{effect.parameter}" for effect in network.effects],
    )


_OURS = {"sweep.lock", "jobs", "logs", "runs"}


def _check_folder(ledger: Ledger, plan: Plan) -> None:
    folder = ledger.folder
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"a sweep needs a folder, found the file `{folder}`; give another --out")
    found = ledger.read_plan()
    if found is not None and found.get("plan_hash") != plan.hash:
        raise StoreError(
            f"`{folder}` holds another sweep, or the config has changed since; give another "
            "--out, or remove that folder to start over"
        )
    if found is None and folder.is_dir():
        others = [f.name for f in folder.iterdir() if f.name not in _OURS and f.name[0] != "."]
        if others:
            raise StoreError(
                f"a sweep needs an empty folder or its own, found `{sorted(others)[0]}` in "
                f"`{folder}`; give another --out"
            )


def _write_plan(ledger: Ledger, plan: Plan, loaded: Loaded, counts: Counts) -> None:
    ledger.write_plan(
        {
            "name": plan.name,
            "plan_hash": plan.hash,
            "vary": {
                column.key: {
                    "unit": column.unit,
                    "values": list(dict.fromkeys(column.values)),
                }
                for column in plan.columns
            },
            "expected": counts.expected,
            "done": len(counts.done),
            "failed": len(counts.failed),
            "points": [
                {"id": point.id, "seed": point.seed, "values": dict(point.values)}
                for point in plan.points
            ],
            "config_path": str(loaded.path),
            "config_text": loaded.text,
            "overrides": list(loaded.overrides),
            "resolved": loaded.resolved,
        }
    )


def _pool(
    run_point: RunPoint, workers: int | None, cluster: str | None, points: int, ledger: Ledger
) -> AbstractContextManager[Pool]:
    if cluster is not None:
        return remote_cluster(run_point, cluster, points)
    if workers == 0:
        return here(run_point)
    return local_cluster(run_point, min(workers or _cores(), points), ledger.logs / "workers.log")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    plan: Plan,
    points: list[Point],
    opened: AbstractContextManager[Pool],
    ledger: Ledger,
    done: int,
    stop_on_error: bool,
    console: Console,
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    jobs = [
        Job(
            id=point.id,
            values=point.values,
            seed=point.seed,
            resolved=point.resolved,
            folder=str(ledger.folder.resolve()),
            plan_hash=plan.hash,
            measures=tuple(m.model_dump(mode="json") for m in plan.section.measures),
            keep_run=plan.section.keep == "runs",
        )
        for point in points
    ]
    values = {point.id: point.values for point in points}
    failed = 0
    told_every = max(1, len(points) // 10)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting workers", total=len(plan.points), completed=done, failed="")

        def ended(outcome: Outcome) -> None:
            nonlocal done, failed
            done += outcome.done
            if not outcome.done:
                failed += 1
                given = ", ".join(f"{key}={value}" for key, value in values[outcome.id].items())
                _say(bar.console, f"failed ({given}): {outcome.error}; "
                     f"see {ledger.log(outcome.id)}")  # fmt: skip
            bar.update(task, completed=done, failed=f"{failed} failed" if failed else "")
            if not console.is_terminal and (done + failed) % told_every == 0:
                _say(console, f"{done} of {len(plan.points)} points, {failed} failed")

        with opened as pool:
            bar.update(task, description=f"sweep {plan.name}")
            try:
                execute(
                    jobs,
                    pool,
                    ledger,
                    retries=plan.section.retries,
                    stop_on_error=stop_on_error,
                    ended=ended,
                )
            except KeyboardInterrupt:
                _say(bar.console, "stopping the workers")  # they get a few seconds
                raise


class _Terminated(KeyboardInterrupt):
    """A scheduler's polite end, as SLURM's at the end of the wall time."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the sweep as Ctrl-C does, so that workers are not left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pictures(folder: Path, counts: Counts) -> list[Path]:
    if not counts.done:
        return []
    return []
    from sims.report import sweep_pictures

    pictures: list[Path] = sweep_pictures(folder)
    return pictures


def _conclude(
    console: Console, ledger: Ledger, counts: Counts, before: int, made: list[Path]
) -> None:
    again = f" ({before} of them before)" if before else ""
    _say(console, f"{_progress(counts)}{again}, {len(counts.failed)} failed, "
         f"{len(counts.missing)} missing")  # fmt: skip
    for path in made:
        _say(console, f"  {path}")
    if not counts.complete:
        _say(console, f"see `ember status {ledger.folder}`; the same command runs the rest again")


def _progress(counts: Counts) -> str:
    return f"{len(counts.done)} of {counts.expected} points are done"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)
