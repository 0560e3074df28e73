"""Run one config on several back ends and find out how far they agree."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from neuro.errors import SimulationError
from neuro.files.hdf5 import trust_hdf5
from neuro.recording import Recording
from sims.compare.analyse import analysed
from sims.compare.deviation import Deviation, deviation_of
from sims.compare.named import Named
from sims.compare.plan import Plan, plan_comparison, with_backend
from sims.compare.processes import Answer, Runner, here, in_process
from sims.compare.report import Report
from sims.compare.reporting import TWINS, backend_report, whole_report
from sims.compare.rounding import Rounding, coarser
from sims.compare.verdict import Twins
from sims.compare.worker import Job, Task
from sims.config import Loaded
from sims.progress import Progress, silent
from sims.store.run_file import read_run

__all__ = ["Comparison", "compare", "compared"]

TIMEOUT_S = 3600.0
"""For one run; engineering choice."""

_NEAR = 64.0
"""How many times less a near twin's numbers are moved than a far one's, where the reference rounds
less than that; engineering choice."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A report, and of the first seed what a picture of it needs.

    Attributes:
        recordings: By label, the reference among them.
        deviations: By label, of every other back end that ran.
        twins: By label, the twins each was judged by; empty where something is random.
        rates_hz: By label, each population's mean rate in each run.
    """

    report: Report
    recordings: dict[str, Recording]
    deviations: dict[str, Deviation]
    twins: dict[str, Twins]
    rates_hz: dict[str, dict[str, list[float]]]


def compare(
    loaded: Loaded,
    backends: str | Sequence[str],
    *,
    reference: str = "",
    seeds: int | None = None,
    jitter_ms: float | None = None,
    timeout_s: float = TIMEOUT_S,
    imports: Sequence[str] = (),
    folder: str | os.PathLike[str] | None = None,
    alone: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Run a config on each back end, and compare each with the reference.

    A back end that refuses the network, fails or takes too long is reported, and the others go on.

    Args:
        loaded: From `sims.config.load`; its own back end is not looked at.
        backends: Such as `numba,brian,numba:precision=float64,threads=2`.
        reference: One of them; `brian` if it is left out and among them, else the first in double
            precision.
        seeds: How many seeds, from the config's on; 1, or 10 where something is random.
        jitter_ms: Within which two spikes may be one; a time step if None.
        timeout_s: For one run.
        imports: Modules to import first, here and in each process, which may register back ends.
        folder: Existing folder for run files and logs; one that is thrown away if None.
        alone: Give each back end a process of its own, so that its memory and time are its own.
        progress: Told what is being done, and how far a simulation is.

    Raises:
        EmberError: if config, back ends or numbers are wrong, or the reference cannot be run.
    """
    tell = progress or silent
    plan = plan_comparison(
        loaded, backends, reference=reference, seeds=seeds, jitter_ms=jitter_ms, imports=imports,
        progress=tell,
    )  # fmt: skip
    if folder is not None:
        return compared(plan, folder, timeout_s=timeout_s, alone=alone, progress=tell)
    with tempfile.TemporaryDirectory(prefix="ember-compare-") as temporary:
        return compared(plan, temporary, timeout_s=timeout_s, alone=alone, progress=tell)


def compared(
    plan: Plan,
    folder: str | os.PathLike[str],
    *,
    timeout_s: float = TIMEOUT_S,
    alone: bool = True,
    progress: Progress = silent,
) -> Comparison:
    """Do what is planned, with run files and logs in an existing folder; see `compare`.

    Raises:
        EmberError: if the reference cannot be run.
    """
    return _Comparing(plan, Path(folder), timeout_s, alone, progress).result()


class _Comparing:
    def __init__(
        self, plan: Plan, folder: Path, timeout_s: float, alone: bool, tell: Progress
    ) -> None:
        self._plan, self._folder, self._tell = plan, folder, tell
        self._timeout_s, self._alone = timeout_s, alone
        for name in ("runs", "logs"):
            (folder / name).mkdir(exist_ok=True)

    def result(self) -> Comparison:
        plan = self._plan
        answers = {one.label: self._run(one, self._tasks(one)) for one in plan.chosen}
        first = answers[plan.reference.label]
        if first.verdict:
            raise SimulationError(
                f"the reference `{plan.reference.label}` {_did(first)}: {first.error}"
            )
        runs = {
            one.label: self._read(self._tasks(one))
            for one in plan.chosen
            if not answers[one.label].verdict
        }
        reference = runs[plan.reference.label]
        others = [one for one in plan.chosen if one is not plan.reference and one.label in runs]
        deviations = {
            one.label: [
                deviation_of(a, b, plan.spiking, plan.jitter_ms)
                for a, b in zip(reference, runs[one.label], strict=True)
            ]
            for one in others
        }
        roundings = {
            one.label: coarser(_rounding(first), _rounding(answers[one.label])) for one in others
        }
        twins = (
            {}
            if plan.random
            else self._twins(reference, _rounding(first), list(roundings.values()))
        )
        reports = []
        for one in plan.chosen:
            answer = answers[one.label]
            found = None
            if one in others:
                found = analysed(
                    plan, one.label, reference, runs[one.label], deviations[one.label],
                    twins.get(roundings[one.label].largest, ()),
                )  # fmt: skip
            of_runs = runs.get(one.label, [])
            reports.append(
                backend_report(plan, one, answer, found, of_runs, roundings.get(one.label))
            )
        return Comparison(
            report=whole_report(plan, reports, reference),
            recordings={label: of_runs[0] for label, of_runs in runs.items()},
            deviations={label: of_runs[0] for label, of_runs in deviations.items()},
            twins={
                label: twins[rounding.largest][0]
                for label, rounding in roundings.items()
                if not plan.random
            },
            rates_hz={
                label: {n: [run.spikes[n].rate_hz for run in of_runs] for n in plan.spiking}
                for label, of_runs in runs.items()
            },
        )

    def _tasks(self, one: Named) -> tuple[Task, ...]:
        seeds = self._plan.seeds
        return tuple(
            Task(str(self._folder / "runs" / f"{one.file}{_of_seed(seed, seeds)}.h5"), seed)
            for seed in seeds
        )

    def _run(self, one: Named, tasks: tuple[Task, ...], what: str = "") -> Answer:
        loaded = self._plan.loaded
        job = Job(
            one, with_backend(loaded, one), loaded.text, loaded.path, loaded.overrides, tasks,
            self._plan.imports,
        )  # fmt: skip
        runner: Runner = here
        if self._alone:
            log = self._folder / "logs" / f"{one.file}.txt"
            runner = partial(in_process, log=log, timeout_s=self._timeout_s)
        stage = f"{one.label}{what}"
        self._tell(stage)
        return runner(job, lambda done_ms, total_ms: self._tell(stage, done_ms, total_ms))

    def _read(self, tasks: Sequence[Task]) -> list[Recording]:
        for task in tasks:
            trust_hdf5(task.out)  # a process of our own wrote it, into a folder of our own
        return [read_run(task.out, lazy=False).recording for task in tasks]

    def _twins(
        self, reference: Sequence[Recording], own: Rounding, roundings: Sequence[Rounding]
    ) -> dict[float, list[Twins]]:
        """For each size of roundings, and each seed, how far twins of the reference are from it."""
        sizes = {rounding.largest: rounding for rounding in roundings}
        if not sizes:
            return {}
        plan = self._plan
        scales = {size: min(_NEAR, size / own.largest) for size in sizes}
        kinds = {
            (size, scale): rounding.scaled(1 / scale)
            for size, rounding in sizes.items()
            for scale in {1.0, scales[size]}
        }
        with tempfile.TemporaryDirectory(prefix="ember-twins-") as temporary:
            tasks = {
                (seed, kind, number): Task(
                    f"{temporary}/{len(plan.seeds)}_{seed}_{at}_{number}.h5", seed, number, rounding
                )
                for seed in plan.seeds
                for at, (kind, rounding) in enumerate(kinds.items())
                for number in range(1, TWINS + 1)
            }
            answer = self._run(plan.reference, tuple(tasks.values()), ": twins")
            if answer.verdict:
                raise SimulationError(
                    f"the reference `{plan.reference.label}`, with its numbers moved by a "
                    f"rounding, {_did(answer)}: {answer.error}"
                )
            found = dict(zip(tasks, self._read(list(tasks.values())), strict=True))

        def away(seed: int, kind: tuple[float, float]) -> list[Deviation]:
            base = reference[plan.seeds.index(seed)]
            return [
                deviation_of(base, found[seed, kind, number], plan.spiking, plan.jitter_ms)
                for number in range(1, TWINS + 1)
            ]

        return {
            size: [
                Twins(rounding, scale, away(seed, (size, scale)), away(seed, (size, 1.0)))
                for seed in plan.seeds
            ]
            for (size, rounding), scale in zip(sizes.items(), scales.values(), strict=True)
        }


def _rounding(answer: Answer) -> Rounding:
    return Rounding(**answer.done[0]["rounding"])


def _did(answer: Answer) -> str:
    return {"refused": "refused the network", "timed out": "took too long"}.get(
        answer.verdict, answer.verdict
    )


def _of_seed(seed: int, seeds: Sequence[int]) -> str:
    return f"_seed{seed}" if len(seeds) > 1 else ""
