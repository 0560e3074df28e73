"""Trains all of a study by `ember train`, each in its own folder; goes on where it was stopped."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import Failed
from _studies import Study

from sims.interrupt import terminable

__all__ = ["Training", "spent", "train_all", "trainings"]

ATTEMPTS = "attempts.jsonl"
POLL_S = 0.1


@dataclass(frozen=True)
class Training:
    """One training of a study: a variant and a seed, and where it lies."""

    variant: str
    seed: int
    config: str
    overrides: tuple[str, ...]
    folder: Path

    @property
    def name(self) -> str:
        """By which it is spoken of."""
        return f"{self.variant}, seed {self.seed}"

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return (self.folder / "result.json").is_file()


def trainings(
    study: Study, out: Path, *, seeds: int, only: Sequence[str] = (), changes: Sequence[str] = ()
) -> list[Training]:
    """All of a study, seed by seed, so that one cut short is complete for its first seeds.

    Raises:
        Failed: if `only` names a variant that there is not.
    """
    if unknown := [name for name in only if name not in study.variants]:
        raise Failed(f"a variant must be one of {', '.join(study.variants)}, found {unknown[0]!r}")
    return [
        Training(
            variant, seed, study.config, (*changes, *own, f"seed={seed}"),
            out / variant.replace(" ", "_") / f"seed{seed}",
        )
        for seed in range(1, seeds + 1)
        for variant, own in study.variants.items()
        if not only or variant in only
    ]  # fmt: skip


def train_all(wanted: Sequence[Training], out: Path, *, processes: int = 1) -> None:
    """Bring every training to its end, some at a time; what is finished is left as it is.

    Each start and each end is noted in `attempts.jsonl`. Ctrl-C and SIGTERM are handed on, so
    that every training saves where it is.

    Raises:
        Failed: when all are through, if some have failed; or if a training is still at work in a
            process that an earlier start has left behind.
    """
    waiting = [training for training in wanted if not training.done]
    going: dict[int, tuple[Training, float, subprocess.Popen[bytes]]] = {}
    failed: list[str] = []
    out.mkdir(parents=True, exist_ok=True)
    with terminable():
        try:
            while waiting or going:
                while waiting and len(going) < processes:
                    training = waiting.pop(0)
                    print(f"  {training.name} ({len(waiting)} more wait)", flush=True)
                    process = _start(training, out)
                    going[process.pid] = (training, time.monotonic(), process)
                time.sleep(POLL_S)
                failed += _ended(going, out)
        except BaseException:
            for _, _, process in going.values():
                process.send_signal(signal.SIGTERM)
            while going:
                time.sleep(POLL_S)
                _ended(going, out)
            raise
    if failed:
        raise Failed("; ".join(failed))


def spent(training: Training, out: Path) -> dict[str, Any]:
    """Wall and CPU seconds of a training over its attempts.

    `whole` is false where an attempt's end was not seen, so that its time is not in the sums.
    """
    lines = (out / ATTEMPTS).read_text("utf-8").splitlines() if (out / ATTEMPTS).is_file() else []
    mine = [e for e in map(json.loads, lines) if e["training"] == _key(training, out)]
    ends = [entry for entry in mine if entry["what"] == "end"]
    return {
        "wall_s": round(sum(entry["wall_s"] for entry in ends), 1),
        "cpu_s": round(sum(entry["cpu_s"] for entry in ends), 1),
        "attempts": len(mine) - len(ends),
        "whole": bool(ends) and len(mine) == 2 * len(ends),
    }


def _start(training: Training, out: Path) -> subprocess.Popen[bytes]:
    training.folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(training.folder.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failed(
                f"{training.name} is being trained by a process that is still at work in "
                f"{training.folder}; wait until it has ended"
            ) from None
        _note(out, {"what": "start", "training": _key(training, out)})
        command = [
            sys.executable, "-m", "sims", "train", training.config, *training.overrides,
            f"output.cache={(out.parent / 'datasets').resolve()}", "--out", str(training.folder),
        ]  # fmt: skip
        with training.folder.with_suffix(".log").open("ab") as log:
            # The training holds the lock as long as it lives, even if this process does not.
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,),
                start_new_session=True,
            )  # fmt: skip
    finally:
        os.close(lock)


def _ended(
    going: dict[int, tuple[Training, float, subprocess.Popen[bytes]]], out: Path
) -> list[str]:
    """Note those that have ended, and tell which of them failed."""
    failed = []
    for pid, (training, began, process) in list(going.items()):
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found == 0:
            continue
        process.returncode = os.waitstatus_to_exitcode(status)
        del going[pid]
        _note(out, {
            "what": "end", "training": _key(training, out), "status": process.returncode,
            "wall_s": time.monotonic() - began, "cpu_s": usage.ru_utime + usage.ru_stime,
        })  # fmt: skip
        if process.returncode:
            log = training.folder.with_suffix(".log")
            text = log.read_text("utf-8", errors="replace").strip()
            last = text.splitlines()[-1:] or ["nothing said"]
            failed.append(f"{training.name} ended with {process.returncode}: {last[0]} (see {log})")
    return failed


def _note(out: Path, entry: dict[str, Any]) -> None:
    with (out / ATTEMPTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _key(training: Training, out: Path) -> str:
    return training.folder.relative_to(out).as_posix()
