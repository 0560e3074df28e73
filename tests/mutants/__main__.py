"""Apply each mutant to a copy of the repository and see that its test fails.

    python -m tests.mutants                    all of them
    python -m tests.mutants --seconds 180      as many as fit, spread over the list
    python -m tests.mutants --only dorsal      those with this text in their id

The exit status is 0 if no mutant survived. A mutant is killed by a failing test and by nothing
else: one whose test cannot be collected, or that fails without the change, is an error of the list.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant

LIMIT_S = 300  # a test takes 10 s at most; a busy machine and a first compilation take the rest
# What is derived from model text is cached by that text, not by the code that derives it.
DERIVING = ("neuro/equations/", "neuro/backends/", "neuro/build.py")


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: `killed`, `SURVIVED` or `error`, and why."""

    mutant: Mutant
    verdict: str
    seconds: float
    output: str = ""


class Copy:
    """A copy of the repository's files in which one mutant at a time stands."""

    def __init__(self, folder: Path, caches: Path) -> None:
        self.tree, self.caches = folder, caches
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (source := ROOT / name).is_file():
                target = self.tree / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def pytest(self, tests: Sequence[str], cache: str) -> tuple[int, str]:
        """Exit status and output of a test run in the copy."""
        limit_s = LIMIT_S + 30 * len(tests)
        environment = os.environ | {
            "PYTHONPATH": str(self.tree),
            "PYTHONDONTWRITEBYTECODE": "1",  # two versions of a file may be equally old and long
            "XDG_CACHE_HOME": str(self.caches / cache),
            "CI": "true",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0"]
        try:
            done = subprocess.run(
                [*command, *tests], cwd=self.tree, env=environment, timeout=limit_s,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            return -1, f"no answer within {limit_s} s\n{error.stdout!r}"
        return done.returncode, done.stdout

    def judge(self, mutant: Mutant) -> Outcome:
        """Apply the mutant, run its test, take the change back."""
        path = self.tree / mutant.file
        text = path.read_text(encoding="utf-8")
        started = time.monotonic()
        cache = mutant.id if mutant.file.startswith(DERIVING) else "shared"
        try:
            path.write_text(mutant.applied(text), encoding="utf-8")
            status, output = self.pytest([mutant.test], cache)
        except ValueError as error:
            status, output = -1, str(error)
        finally:
            path.write_text(text, encoding="utf-8")
        # A fixture or a collection that fails is no assertion that failed.
        killed = status == 1 and "\nFAILED " in output
        verdict = "killed" if killed else "SURVIVED" if status == 0 else "error"
        return Outcome(mutant, verdict, time.monotonic() - started, output)


def spread(mutants: Sequence[Mutant], seed: str) -> list[Mutant]:
    """The mutants in an order that depends on `seed` alone."""
    return sorted(mutants, key=lambda m: hashlib.sha256(f"{seed} {m.id}".encode()).digest())


def main(arguments: list[str] | None = None) -> int:
    """Judge the chosen mutants; 0 if all were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="text in the ids to take")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start none later")
    parser.add_argument("--seed", default="", help="another order, for samples")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    mutants = [m for m in MUTANTS if chosen.only in m.id]
    if not mutants:
        print(f"no mutant has `{chosen.only}` in its id", file=sys.stderr)
        return 2
    sample = chosen.seconds < float("inf")
    if sample:
        mutants = spread(mutants, chosen.seed)
    started, outcomes = time.monotonic(), list[Outcome]()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: Queue[Copy] = Queue()
        for job in range(chosen.jobs):
            copies.put(Copy(Path(folder) / str(job), Path(folder) / "caches"))
        if not sample:  # `make test` ran them all just before a sample is taken
            copy = copies.get()
            status, output = copy.pytest(sorted({m.test for m in mutants}), "shared")
            copies.put(copy)
            if status != 0:
                print(output, file=sys.stderr)
                print("the tests must pass without any mutant, and did not", file=sys.stderr)
                return 2
        print(f"{len(mutants)} mutants", flush=True)

        def judge(mutant: Mutant) -> None:
            if time.monotonic() - started > chosen.seconds:
                return
            copy = copies.get()
            try:
                outcome = copy.judge(mutant)
            finally:
                copies.put(copy)
            outcomes.append(outcome)
            print(f"{outcome.verdict:9}{outcome.seconds:6.1f} s  {mutant.id}", flush=True)

        with ThreadPoolExecutor(chosen.jobs) as pool:
            list(pool.map(judge, mutants))
    wrong = [outcome for outcome in outcomes if outcome.verdict != "killed"]
    for outcome in wrong:
        print(f"\n{outcome.verdict}: {outcome.mutant}\n{outcome.output[-2000:]}", file=sys.stderr)
    print(f"{len(outcomes)} of {len(mutants)} mutants judged, {len(wrong)} not killed")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
