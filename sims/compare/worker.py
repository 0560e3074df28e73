"""One back end's runs, in a process of their own.

The parent writes a `Job` as a line of JSON to the standard input and reads a line of JSON for each
thing that is to be told: how far it is, what came out, or what went wrong. What libraries print
goes to the standard error output.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuro.errors import BackendUnsupported, EmberError, NetworkError
from sims.compare.named import Named
from sims.compare.rounding import Rounding

if TYPE_CHECKING:
    from neuro.build import Built
    from sims.config import Loaded
    from sims.result import Provenance

__all__ = ["Job", "Task", "main", "run_job"]

_EVERY_S = 0.2
"""Between two lines on how far a run is; engineering choice."""

_STIMULI = 8
"""Encodings that are kept between runs of one seed; engineering choice."""

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Task:
    """One run, of the network itself or, with a `twin` above 0, of a twin of that number.

    Attributes:
        out: The run file to write.
        rounding: How far the twin's numbers are moved.
    """

    out: str
    seed: int
    twin: int = 0
    rounding: Rounding | None = None


@dataclass(frozen=True)
class Job:
    """A back end and what it is to run.

    Attributes:
        resolved: The config, JSON-ready.
        imports: Modules to import first, which may register back ends.
    """

    backend: Named
    resolved: Mapping[str, Any]
    text: str
    path: str
    overrides: tuple[str, ...]
    tasks: tuple[Task, ...]
    imports: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """The job as JSON."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        data = json.loads(text)
        tasks = [
            Task(**{**t, "rounding": None if t["rounding"] is None else Rounding(**t["rounding"])})
            for t in data["tasks"]
        ]
        lists = {"overrides": tuple(data["overrides"]), "imports": tuple(data["imports"])}
        return cls(**{**data, **lists, "backend": Named(**data["backend"]), "tasks": tuple(tasks)})


def run_job(job: Job, tell: Tell, *, alone: bool = True) -> None:
    """Run every task, telling of each; the first that fails is the last.

    Args:
        alone: Whether this process does nothing else, so that its memory is the run's.
    """
    try:
        for module in job.imports:
            import_module(module)
        for number, task in enumerate(job.tasks):
            tell({"done": number, **_run(job, task, tell, alone)})
    except EmberError as error:
        # The network was built before, so that what is wrong with it is wrong for this back end.
        refused = isinstance(error, (BackendUnsupported, NetworkError))
        kind = "refused" if refused else "failed"
        tell({"error": " ".join(str(error).split()), "verdict": kind})
    except Exception as error:
        traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        tell({"error": text, "verdict": "failed"})


def _run(job: Job, task: Task, tell: Tell, alone: bool) -> dict[str, Any]:
    from neuro.simulate import prepare, simulate
    from sims.assembly import build_experiment
    from sims.assembly.stimulus import remember_encodings
    from sims.compare.rounding import rounding_of
    from sims.compare.twins import twin_of
    from sims.config import from_resolved
    from sims.result import Run
    from sims.store import write_run

    remember_encodings(_STIMULI)
    loaded = from_resolved(
        {**job.resolved, "seed": task.seed},
        text=job.text, path=job.path, overrides=job.overrides,
    )  # fmt: skip
    config, chosen = loaded.config, job.backend
    experiment = build_experiment(loaded)
    network = experiment.network
    if task.rounding is not None:
        network = twin_of(network, task.rounding, task.twin)
    duration_ms, dt_ms = float(config.duration), float(config.dt)
    recording = simulate(
        network,
        duration_ms=duration_ms,
        dt_ms=dt_ms,
        seed=task.seed,
        backend=chosen.name,
        threads=chosen.threads,
        options=chosen.options,
        record=experiment.records,
        every_ms=float(config.record.every),
        progress=_progress(tell, duration_ms),
    )
    provenance = _provenance(loaded)
    write_run(
        task.out,
        Run(recording, provenance, experiment.signals, experiment.coordinates),
        force=True,
    )
    told: dict[str, Any] = {
        "timings": {"encode": experiment.encode_s, **recording.timings},
        "peak_memory_bytes": provenance.peak_memory_bytes if alone else None,
        "rounding": None,
    }
    if not task.twin:  # after the measurement, which it must not enter

        def built() -> Built:
            return prepare(network, seed=task.seed, dt_ms=dt_ms, backend=chosen.name)

        told["rounding"] = asdict(rounding_of(chosen, dt_ms, built))
    return told


def _provenance(loaded: Loaded) -> Provenance:
    """As of `sims.run.provenance_of`; versions and commit are asked for once."""
    from sims.store.provenance import peak_memory_bytes

    return replace(
        _first_provenance(),
        name=loaded.config.name,
        config_text=loaded.text,
        config_path=loaded.path,
        overrides=loaded.overrides,
        resolved=loaded.resolved,
        config_hash=loaded.hash,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        peak_memory_bytes=peak_memory_bytes(),
    )


@cache
def _first_provenance() -> Provenance:
    from sims.store.provenance import collect

    return collect(
        name="", config_text="", config_path="", overrides=(), resolved={}, config_hash=""
    )


def _progress(tell: Tell, duration_ms: float) -> Callable[[float], None]:
    last = 0.0

    def progress(done_ms: float) -> None:
        nonlocal last
        if time.monotonic() - last > _EVERY_S:
            last = time.monotonic()
            tell({"progress": [done_ms, duration_ms]})

    return progress


def _end_with_parent() -> None:
    """The standard input stays open as long as there is somebody to tell."""
    os.read(0, 1)
    os._exit(1)


def main() -> None:
    """Entry point of the process: a job on the standard input, lines on the standard output."""
    from sims.terminal.startup import fewer_collections, import_numba

    fewer_collections()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print, native ones too, is no answer

    def tell(what: dict[str, Any]) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import_numba()
    run_job(job, tell)
