"""`ember sweep`: plan, check, continue where it stopped, and leave one table."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from neuro.errors import ConfigError, EmberError, StoreError
from neuro.files.lock import locked
from sims.config.shipped import called
from sims.interrupt import deferred, exit_status, terminable, unheeded
from sims.store.home import text_without_home
from sims.store.software import simulating, software_id
from sims.sweep._telling import Teller, conclude, how_far, say, telling
from sims.sweep.check import check_sweep, plan_of
from sims.sweep.execute import execute
from sims.sweep.ledger import Counts, Ledger
from sims.sweep.plan import Plan, Point
from sims.sweep.pools import Pool, here, local_cluster, remote_cluster
from sims.sweep.table import Table, make_table, write_table
from sims.sweep.versions import refuse_mixture, softwares
from sims.sweep.worker import Job, RunPoint, simulate

if TYPE_CHECKING:
    from rich.console import Console

    from sims.config import Loaded

__all__ = ["run_sweep"]


def run_sweep(
    loaded: Loaded,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    on_error: Literal["continue", "stop"] = "continue",
    allow_version_change: bool = False,
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
        allow_version_change: Whether points may run under another version of Ember or of a package
            than those that are done; the table says which ran under which.
        console: Where progress is shown; the standard error output if left out.
        run_point: What running a point means; for tests and for sweeps over other things.

    Returns:
        The exit status: 0 when every point is done, 1 when any failed or is missing, 130 (143)
        when interrupted (terminated).

    Raises:
        ConfigError: if the config has no `sweep` section, or a point is refused.
        StoreError: if the folder holds another sweep or other files, or points that ran under
            another version, or is in use, or cannot be written.
        SimulationError: if the cluster cannot be reached, or is lost.
    """
    if console is None:
        from rich.console import Console

        console = Console(stderr=True)
    _check_options(workers, on_error)
    plan = plan_of(loaded)
    ledger = Ledger(Path(out if out is not None else Path("runs") / plan.name))
    ledger.check_free_for(plan.hash)
    if run_point is simulate and ledger.read_plan() is None:
        check_sweep(loaded)
    ledger.make_folders(runs=plan.section.keep == "runs")
    with locked(ledger.lock_file, lambda who: _in_use(ledger.folder, who)):
        ledger.check_free_for(plan.hash)
        refuse_mixture(ledger, plan, allowed=allow_version_change)
        before = _note(ledger, plan, loaded)
        todo = [point for point in plan.points if point.id in {*before.failed, *before.missing}]
        try:
            with terminable():
                if todo:
                    pool = _pool(run_point, workers, cluster, len(todo), ledger)
                    with telling(
                        console, plan, ledger, done=len(before.done), alone=workers == 0
                    ) as teller:
                        stop = on_error == "stop"
                        jobs = [_job(plan, point, ledger, allow_version_change) for point in todo]
                        _run(plan, jobs, pool, ledger, stop, teller, alone=workers == 0)
                counts = _note(ledger, plan, loaded)
                table = make_table(plan, ledger)
                write_table(table, plan, ledger)
                _draw(table, plan, ledger, console)
        except KeyboardInterrupt as interrupt:
            with unheeded():
                counts = _note(ledger, plan, loaded)
                say(console, f"interrupted: {how_far(counts)} and kept in {ledger.folder}; "
                    "run the same command again to go on")  # fmt: skip
            return exit_status(interrupt)
        except StoreError as error:  # a full disk, most likely
            raise StoreError(
                f"{error}; points that were finished are kept, and the same command runs the rest"
            ) from error
    conclude(console, ledger, counts, len(before.done))
    return 0 if counts.complete else 1


def _in_use(folder: Path, who: str) -> str:
    return (
        f"`{folder}` is in use by another sweep ({who}); wait for it, or see "
        f"`ember status {folder}`"
    )


def _check_options(workers: int | None, on_error: str) -> None:
    if on_error not in ("continue", "stop"):
        raise ConfigError(f"--on-error must be `continue` or `stop`, found `{on_error}`")
    if workers is not None and workers < 0:
        raise ConfigError(f"--workers must be a count of at least 0, found {workers}")
    for package in ("distributed", "pyarrow", "cryptography"):
        if importlib.util.find_spec(package) is None:
            raise EmberError(
                f"a sweep needs the package `{package}`, which is not installed; install "
                "`ember-neuro[sweep]`"
            )


def _note(ledger: Ledger, plan: Plan, loaded: Loaded) -> Counts:
    """Write `sweep.json` with how far the sweep is now."""
    counts = ledger.counts(point.id for point in plan.points)
    now = simulating()
    ledger.write_plan(
        {
            **plan.to_json(),
            "expected": counts.expected,
            "done": len(counts.done),
            "failed": len(counts.failed),
            "config_path": called(loaded.path),
            "config_text": text_without_home(loaded.text),
            "overrides": list(loaded.overrides),
            "resolved": loaded.resolved,
            "software": {**softwares(ledger.read_plan()), software_id(now): dict(now)},
        }
    )
    return counts


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
    jobs: list[Job],
    opened: AbstractContextManager[Pool],
    ledger: Ledger,
    stop_on_error: bool,
    teller: Teller,
    *,
    alone: bool,
) -> None:
    # In this process a point is interrupted at once; on Dask, once the workers have started, and
    # between outcomes.
    with nullcontext(_nothing) if alone else deferred() as check, ExitStack() as stack:
        try:
            pool = stack.enter_context(opened)
        except EmberError:
            check()  # what an interrupt broke is no error
            raise
        try:
            check()
            teller.stage(f"sweep {plan.name}")
            execute(
                jobs,
                pool,
                ledger,
                retries=plan.section.retries,
                stop_on_error=stop_on_error,
                ended=teller.ended,
                check=check,
            )
        except KeyboardInterrupt:
            teller.stage("stopping the workers")  # they get a few seconds
            raise


def _nothing() -> None:
    """No signal waits."""


def _job(plan: Plan, point: Point, ledger: Ledger, any_software: bool) -> Job:
    return Job(
        id=point.id,
        values=point.values,
        seed=point.seed,
        resolved=point.resolved,
        folder=str(ledger.folder.resolve()),
        plan_hash=plan.hash,
        measures=tuple(measure.model_dump(mode="json") for measure in plan.section.measures),
        keep_run=plan.section.keep == "runs",
        software=simulating(),
        any_software=any_software,
    )


def _draw(table: Table, plan: Plan, ledger: Ledger, console: Console) -> None:
    """A dose-response picture of every measure that answers to what was varied."""
    from sims.report.figures import dose_response, written_png
    from sims.report.figures.doses import responding

    units = {column.key: column.unit for column in plan.columns}
    path = ledger.folder / "dose_response.png"
    measures = [name for name in responding(table, units) if _answers(table, name, units)]
    if measures:
        if undrawn := written_png(path, lambda: dose_response(table, units, measures)):
            say(console, f"note: {undrawn}")
    else:
        path.unlink(missing_ok=True)


def _answers(table: Table, measure: str, keys: Collection[str]) -> bool:
    """Whether a measure changes while the seed stays, so that the change is not noise alone."""
    if "seed" in keys:
        return True
    found: dict[int, set[float]] = {}
    for seed, value in zip(table["seed"], table[measure], strict=True):
        if value is not None:
            found.setdefault(seed, set()).add(value)
    return any(len(values) > 1 for values in found.values())
