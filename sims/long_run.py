"""Run an experiment into a file while it goes on: what `ember run` does.

Spikes, traces and courses go to the disk as they come, so that a run needs no more memory for
being long. Every minute the state is saved too: after a crash, a kill or ctrl-C the same call
goes on from there, to the same spikes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from neuro.backends import BACKENDS
from neuro.build import Built
from neuro.errors import EmberError, SimulationError, StoreError
from neuro.files.lock import locked_output
from neuro.raw_run import RawRun
from neuro.recording import Recording
from neuro.simulate import prepare, run_built
from sims.assembly import Experiment, build_experiment, place_of
from sims.config import Loaded
from sims.config.located import located
from sims.interrupt import deferred
from sims.progress import Progress, silent
from sims.result import Provenance
from sims.run import provenance_of, settings_of
from sims.store.atomic import check_not_read, check_writable
from sims.store.checkpoint import Checkpoint
from sims.store.file_sink import FileSink, outline
from sims.store.growing import GrowingFile, find_checkpoint, growing_file
from sims.store.identity import identity
from sims.store.run_file import write_provenance

__all__ = ["CHECKPOINT_S", "NEVER", "Told", "run_to_file"]

CHECKPOINT_S = 60.0
"""Seconds between checkpoints; engineering choice: a minute is what a kill may cost."""

NEVER = float("inf")

_SHARE = 20.0
"""Unless the user says how often, saving takes at most this part of the time: 5 %."""


@dataclass(frozen=True)
class Told:
    """What there is to say of a run whose recording is in a file.

    Attributes:
        path: The file.
        recording: Without what was recorded.
        populations: Of each population and source, the number of cells and of spikes.
        resumed_ms: Where an earlier process had come to; 0 if none had.
    """

    path: Path
    provenance: Provenance
    recording: Recording
    populations: Mapping[str, tuple[int, int]]
    resumed_ms: float = 0.0


def run_to_file(
    loaded: Loaded,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    threads: int | None = None,
    checkpoint_every_s: float | None = None,
    progress: Progress | None = None,
) -> Told:
    """Encode, build and simulate, and write the run file as it comes.

    A run to the same `path` that was ended before its time is taken up where it was, if config,
    seed, back end, versions and code are the same.

    Args:
        loaded: From `sims.config.load`.
        force: Replace an older file, and start over where an unfinished run does not fit.
        threads: Instead of the config's; the spikes do not depend on it.
        checkpoint_every_s: Seconds between checkpoints, or `NEVER`; if None, a minute on back
            ends that can be resumed.
        progress: Told what is being done, and how far the simulation is.

    Raises:
        EmberError: one line with file, line and key of what is wrong, before anything is
            simulated where that can be known.
        SimulationError: if a variable stopped being finite; it says where what was recorded is.
        StoreError: if another process runs to the same file, or the disk is full; the last
            checkpoint still holds.
        KeyboardInterrupt: saying what is kept.
    """
    settings = settings_of(loaded, threads)
    check_not_read(path, loaded.reads)
    check_writable(path, force=force)
    with locked_output(path):
        return _run_locked(loaded, path, force, settings, checkpoint_every_s, progress or silent)


def _run_locked(
    loaded: Loaded,
    path: str | os.PathLike[str],
    force: bool,
    settings: Mapping[str, Any],
    checkpoint_every_s: float | None,
    progress: Progress,
) -> Told:
    backend = BACKENDS[loaded.config.backend.name]
    same = cache(lambda: identity(loaded))
    found = find_checkpoint(path, same, force=force)
    try:
        experiment = build_experiment(loaded, progress)
    except KeyboardInterrupt as interrupt:
        reached_ms = None if found is None else found.reached_ms
        raise type(interrupt)(_goes_on(reached_ms).removeprefix("; ")) from None
    progress(f"compiling for {backend.name}")
    started = time.perf_counter()
    try:
        built = prepare(
            experiment.network, seed=loaded.config.seed, dt_ms=float(loaded.config.dt),
            backend=backend.name, record=experiment.records,
        )  # fmt: skip
        with growing_file(path, found) as growing, ExitStack() as signals:
            run = _Running(
                loaded, experiment, built, growing, found, same, progress, signals,
                every_s=checkpoint_every_s or (CHECKPOINT_S if backend.resumes else NEVER),
                share=_SHARE if checkpoint_every_s is None else 0.0,
                build_s=time.perf_counter() - started,
            )  # fmt: skip
            try:
                raw = run_built(
                    built,
                    run.sink,
                    record=experiment.records,
                    progress=run.progress,
                    resume=None if found is None else found.state,
                    checkpoint=run.checkpoint if run.saves else None,
                    **settings,
                )
                return run.ended(raw, force=force)
            except KeyboardInterrupt as interrupt:
                raise type(interrupt)(run.interrupted()) from None
            except StoreError as error:
                raise StoreError(f"{error}{_goes_on(growing.saved_ms)}") from None
    except StoreError:
        raise
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None


class _Running:
    """One run on its way to a file: what happens between two stretches of steps, and at the end.

    Attributes:
        saves: Whether checkpoints are made.
    """

    def __init__(
        self, loaded: Loaded, experiment: Experiment, built: Built, growing: GrowingFile,
        found: Checkpoint | None, same: Callable[[], Mapping[str, Any]], progress: Progress,
        signals: ExitStack, *, every_s: float, share: float, build_s: float,
    ) -> None:  # fmt: skip
        self._loaded, self._experiment, self._built = loaded, experiment, built
        self._growing, self._found, self._same = growing, found, same
        self._tell, self._signals = progress, signals
        self._every_s, self._share, self._build_s = every_s, share, build_s
        self.saves = every_s != NEVER
        plan = outline(
            built, experiment.records, float(loaded.config.record.every),
            coordinates=experiment.coordinates, signals=experiment.signals,
        )  # fmt: skip
        tails = None if found is None else found.tails
        self.sink = FileSink(growing.file, plan, tails, growing.writing)
        if found is not None and self.sink.rows() != dict(found.rows):
            raise StoreError(
                f"`{growing.path}` does not fit its checkpoint; start over with `--force`"
            )
        self._sources, self._cells = plan.sources, plan.spiking
        self._from_ms = 0.0 if found is None else found.reached_ms
        self._duration_ms = float(loaded.config.duration)
        self._reached_ms = self._from_ms
        self._began = self._saved = time.monotonic()
        self._stopping: Callable[[], None] | None = None
        self._stopped = False

    # ------------------------------------------------------------------ between two stretches

    def progress(self, done_ms: float) -> None:
        """All until `done_ms` is in the sink; the first ctrl-C from here on waits for this."""
        if self._stopping is None:
            self._stopping = self._signals.enter_context(deferred())
            self._began = time.monotonic()
        self._reached_ms = done_ms
        self._tell("simulating", done_ms, self._duration_ms)
        if not self.saves:
            self._stop_if_asked()

    def checkpoint(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save now and then, and before an interrupt."""
        try:
            self._stop_if_asked()
        except KeyboardInterrupt:
            self._save(state)
            raise
        if time.monotonic() - self._saved >= self._every_s:
            self._save(state)

    def _stop_if_asked(self) -> None:
        if self._stopping is not None:
            try:
                self._stopping()
            except KeyboardInterrupt:
                self._stopped = True
                raise

    def _save(self, state: Callable[[], Mapping[str, Any]]) -> None:
        started = time.monotonic()
        self._growing.save(
            Checkpoint(
                identity=self._same(),
                reached_ms=self._reached_ms,
                simulate_s=self._simulate_s(started - self._began),
                rows=self.sink.rows(),
                tails=self.sink.tails(),
                state=state(),
            )
        )
        self._saved = time.monotonic()
        self._every_s = max(self._every_s, self._share * (self._saved - started))

    # ------------------------------------------------------------------ at the end

    def ended(self, raw: RawRun, *, force: bool) -> Told:
        """The run is over: the file goes to its place.

        Raises:
            SimulationError: if it failed; the file is kept among the unfinished ones.
        """
        reached_ms = raw.reached_steps * self._built.dt_ms
        timings = {
            "encode": self._experiment.encode_s,
            "build": self._build_s + raw.prepare_s,
            "compile": raw.compile_s,
            "simulate": self._simulate_s(raw.simulate_s),
        }
        if raw.failure:
            kept = ""
            if self.sink.recorded:
                self._finish(reached_ms, timings, raw.failure)
                path = self._growing.keep(resumable=False)
                kept = f"; what was recorded until {_time(reached_ms)} is in `{path}`"
            raise SimulationError(raw.failure + kept)
        provenance, recording = self._finish(reached_ms, timings)
        self._growing.publish(force=force)
        counts = self.sink.counts
        given = {name: (s.n_units, len(s.between(0.0, reached_ms)))
                 for name, s in self._sources.items()}  # fmt: skip
        return Told(
            path=Path(self._growing.path),
            provenance=provenance,
            recording=recording,
            populations=given | {name: (n, counts[name]) for name, n in self._cells.items()},
            resumed_ms=self._from_ms,
        )

    def interrupted(self) -> str:
        """Ctrl-C: keep what there is, and say so."""
        if not self._stopped or not self.sink.recorded:  # in a stretch, where nothing fits together
            return _goes_on(self._growing.saved_ms).removeprefix("; ")
        timings = {
            "encode": self._experiment.encode_s,
            "build": self._build_s,
            "simulate": self._simulate_s(time.monotonic() - self._began),
        }
        self._finish(self._reached_ms, timings, "interrupted")
        path = self._growing.keep(resumable=self._growing.saved_ms is not None)
        return (
            f"what was recorded until {_time(self._reached_ms)} of {_time(self._duration_ms)} is "
            f"in `{path}`{_goes_on(self._growing.saved_ms)}"
        )

    def _finish(
        self, reached_ms: float, timings: Mapping[str, float], failure: str = ""
    ) -> tuple[Provenance, Recording]:
        self._tell(f"writing {self._growing.path}")
        provenance = provenance_of(self._loaded, failure)
        recording = Recording(
            duration_ms=reached_ms,
            dt_ms=self._built.dt_ms,
            seed=self._built.seed,
            backend=self._loaded.config.backend.name,
            spikes={},
            timings=timings,
            notes=self._built.notes(),
        )
        self.sink.finish(reached_ms)
        with self._growing.writing():
            write_provenance(self._growing.file, provenance, recording)
        return provenance, recording

    def _simulate_s(self, spent_s: float) -> float:
        return spent_s + (0.0 if self._found is None else self._found.simulate_s)


def _goes_on(saved_ms: float | None) -> str:
    return "" if saved_ms is None else f"; the same command goes on from {_time(saved_ms)}"


def _time(time_ms: float) -> str:
    return f"{time_ms:g} ms" if time_ms < 1000 else f"{time_ms / 1000:g} s"
