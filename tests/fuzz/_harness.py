"""Mutate a valid input many times, hand each mutant to a task, and count how the tasks end.

A file `fuzz_X.py` beside this one defines `KINDS`, a tuple of `Kind`. `make fuzz` runs all of them
in full, `test_fuzz.py` a small fixed sample. The same seed gives the same mutants.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ENDS", "Kind", "Report", "Server", "Servers", "fuzz", "table"]

ROOT = Path(__file__).parents[2]
ENDS = ("right", "refused", "traceback", "crash", "hang", "wrong")
LONGEST_LINE = 650  # of a refusal with its prefix: what a person reads at a glance


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        name: Such as `config`; also the name of the folder of what failed.
        make: Writes valid inputs into a folder and returns their paths; called once, in a worker.
        mutate: Damages the bytes of one of them.
        task: `module:function`, called in a worker as `task(mutant, original)` in an empty folder
            of its own. It returns "" where the result is right, or what is wrong with it; it
            raises `SystemExit` (see `_server.ember`) or an `EmberError` where it refuses.
        count: Mutants of `make fuzz`.
        sample: Mutants of one test in CI.
        preload: Modules that the worker imports before the first task; kinds with the same ones
            can share a server.
        undamaged: How many of the valid inputs are tried first; None for all.
        seconds: CPU time that a task may take.
        memory: Bytes that it may take beside what the imports take.
    """

    name: str
    make: Callable[[Path], Sequence[Path]]
    mutate: Callable[[bytes, random.Random], bytes]
    task: str
    count: int
    sample: int = 20
    preload: tuple[str, ...] = ("sims.cli", "neuro.errors")
    undamaged: int | None = None
    seconds: float = 20
    memory: int = 4 << 30


@dataclass
class Report:
    """How the mutants of one kind ended; `failures` are the paths of those that ended badly."""

    kind: str
    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of CPU time, one number a mutant

    @property
    def good(self) -> bool:
        """Whether every mutant gave the right result or was refused in one line."""
        return not self.failures and sum(self.ends.values()) > 0


class Server:
    """A warm process that runs tasks in children; a context manager.

    One that dies with its task is started again, and the task counts as a crash.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = preload
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
            "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz._server", *self._preload], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii",
        )  # fmt: skip

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> int:
        """Kill the process, which holds nothing worth keeping; its status."""
        process = self._process
        process.kill()  # the libraries that it has loaded can take minutes to let go
        with suppress(BrokenPipeError):
            process.communicate()
        return process.returncode

    def run(self, **request: Any) -> dict[str, Any]:
        """The end of one task: `status`, `signal`, its CPU `seconds`, and whether it `hung`."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            signal = max(1, -self._end())
            self._process = self._started()
            return {"status": None, "signal": signal, "hung": False, "seconds": 0.0}
        answer: dict[str, Any] = json.loads(line)
        return answer


class Servers:
    """One server for each set of modules, started when it is first needed; a context manager."""

    def __init__(self) -> None:
        self._started: dict[tuple[str, ...], Server] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, kind: Kind) -> Server:
        """The one that a kind needs."""
        if kind.preload not in self._started:
            self._started[kind.preload] = self._stack.enter_context(Server(kind.preload))
        return self._started[kind.preload]


def fuzz(
    kind: Kind,
    folder: Path,
    server: Server,
    *,
    count: int,
    seed: int = 0,
    report: Report | None = None,
) -> Report:
    """Run `count` mutants; those that end badly are left in `folder`, with why.

    Args:
        report: One to fill, which an interrupt leaves as it stands.

    Raises:
        AssertionError: if an input that nobody damaged does not give the right result.
    """
    report = report or Report(kind.name)
    originals = _made(kind, folder / "made", server)
    for original in originals[: kind.undamaged]:
        end, why, _ = _one(server, kind, folder / "work", original, original.read_bytes())
        assert end == "right", f"{kind.name}: undamaged {original.name} ended {end}: {why}"
    for number in range(count):
        rng = random.Random(f"{kind.name} {seed} {number}")  # noqa: S311 - repeats
        original = rng.choice(originals)
        mutant = kind.mutate(original.read_bytes(), rng)
        end, why, seconds = _one(server, kind, folder / "work", original, mutant)
        report.ends[end] += 1
        report.seconds.append(seconds)
        if end not in ("right", "refused"):
            kept = folder / f"{kind.name}-{seed}-{number}-{end}{original.suffix}"
            kept.write_bytes(mutant)
            kept.with_suffix(".why").write_text(why, encoding="utf-8")
            report.failures.append(str(kept))
    shutil.rmtree(folder / "work", ignore_errors=True)
    return report


def _made(kind: Kind, folder: Path, server: Server) -> list[Path]:
    """The valid inputs, made by a child of the server, which has imported what that needs."""
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier search in the same folder
    folder.mkdir(parents=True)
    maker = f"{kind.make.__module__}:{kind.make.__name__}"
    ended = server.run(
        task=maker, arguments=[str(folder)], folder=str(folder), seconds=120, memory=kind.memory
    )
    assert ended["status"] == 0, f"{maker}: {ended}\n{(folder / 'stderr').read_text('utf-8')}"
    return [Path(path) for path in json.loads((folder / "made").read_text("utf-8"))]


def _one(
    server: Server, kind: Kind, work: Path, original: Path, content: bytes
) -> tuple[str, str, float]:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    mutant = work / f"mutant{original.suffix}"
    mutant.write_bytes(content)
    ended = server.run(
        task=kind.task, arguments=[str(mutant), str(original)], folder=str(work),
        seconds=kind.seconds, memory=kind.memory,
    )  # fmt: skip
    return *_judged(ended, work), ended["seconds"]


def _judged(ended: dict[str, Any], work: Path) -> tuple[str, str]:
    """How a task ended, and what it printed or why it is wrong."""
    written = work / "stderr"
    errors = written.read_text("utf-8", "replace") if written.exists() else ""
    if ended["hung"]:
        return "hang", errors
    if ended["signal"]:
        return "crash", f"signal {ended['signal']}\n{errors}"
    if "Traceback (most recent call last)" in errors or ended["status"] == 99:
        return "traceback", errors
    if ended["status"]:
        lines = [line for line in errors.splitlines() if line.startswith(("ember: ", "Error: "))]
        one_line = len(lines) == 1 and len(lines[0]) <= LONGEST_LINE
        return ("refused", lines[0]) if one_line else ("wrong", f"no single line:\n{errors}")
    wrong = (work / "wrong").read_text("utf-8")
    return ("wrong", wrong) if wrong else ("right", "")


def table(reports: Sequence[Report]) -> str:
    """One row for each kind; the last two columns are CPU seconds, of all and of the slowest."""
    rows = [("kind", "mutants", *ENDS, "CPU s", "longest")]
    for report in reports:
        counts = [report.ends[end] for end in ENDS]
        seconds = sum(report.seconds), max(report.seconds, default=0.0)
        rows.append(
            (report.kind, *map(str, (sum(counts), *counts)), *(f"{s:.1f}" for s in seconds))
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
