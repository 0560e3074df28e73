"""Apply each mutant to a copy of the repository and see that its test fails.

    python -m tests.mutants                      all of them
    python -m tests.mutants --seconds 180        as many as fit, spread over the list
    python -m tests.mutants --only circuits/     those with this text in `area/id`
    python -m tests.mutants --again              also those that were killed on these sources

The exit status is 0 if no mutant survived. A mutant is killed by a failing test and by nothing
else: one whose test cannot be collected, or that fails without the change, is an error of the list.
Stopped in any way, the same command takes up those that are missing; what was killed stands under
`runs/mutants`. A sample judges anew and keeps nothing, since it does not see tests pass without the
change.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue

from neuro.cache import cache_folder
from tests.mutants._copy import Copy, Outcome, link_machine_code
from tests.mutants._kept import keep, killed_before
from tests.mutants.catalogue import MUTANTS, Mutant


def spread(mutants: Sequence[Mutant], seed: str) -> list[Mutant]:
    """The mutants in an order that depends on `seed` alone."""
    return sorted(mutants, key=lambda m: hashlib.sha256(f"{seed} {m.id}".encode()).digest())


def judge(
    mutants: Sequence[Mutant], copies: Sequence[Copy], *, ends: float, known_to_pass: bool
) -> list[Outcome]:
    """What became of the mutants, of which none is begun after `ends`; each is printed."""
    free: Queue[Copy] = Queue()
    for copy in copies:
        free.put(copy)
    outcomes: list[Outcome] = []

    def one(mutant: Mutant) -> None:
        copy = free.get()
        try:
            if time.monotonic() > ends:
                return
            outcome = copy.judge(mutant, known_to_pass=known_to_pass)
        finally:
            free.put(copy)
        if outcome.verdict == "killed" and not known_to_pass:
            keep(mutant)
        outcomes.append(outcome)
        print(f"{outcome.verdict:9}{outcome.seconds:6.1f} s  {mutant.name}", flush=True)

    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            list(pool.map(one, mutants))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """Judge the chosen mutants; 0 if all were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="text in `area/id` of those to take")
    parser.add_argument("--again", action="store_true", help="also those that were killed before")
    parser.add_argument("--seconds", type=float, help="a sample: start none later")
    parser.add_argument("--seed", default="", help="another order, for samples")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    mutants = [m for m in MUTANTS if chosen.only in m.name]
    if not mutants:
        print(f"no mutant has `{chosen.only}` in its area and id", file=sys.stderr)
        return 2
    sample = chosen.seconds is not None
    if sample:
        mutants = spread(mutants, chosen.seed)
    before = 0
    if not (sample or chosen.again):
        todo = [mutant for mutant in mutants if not killed_before(mutant)]
        before, mutants = len(mutants) - len(todo), todo
    print(f"{len(mutants)} mutants, and {before} killed before on these sources", flush=True)
    outcomes: list[Outcome] = []
    if mutants:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
            if compiled := cache_folder():
                link_machine_code(compiled, folder / "caches" / "shared" / "ember")
            copies = [
                stack.enter_context(Copy(folder / str(job), folder / "caches"))
                for job in range(min(chosen.jobs, len(mutants)))
            ]
            ends = started + chosen.seconds if sample else float("inf")
            # `make test` ran all tests just before a sample is taken.
            outcomes = judge(mutants, copies, ends=ends, known_to_pass=sample)
    wrong = [outcome for outcome in outcomes if outcome.verdict != "killed"]
    for outcome in wrong:
        print(f"\n{outcome.verdict}: {outcome.mutant}\n{outcome.output[-2000:]}", file=sys.stderr)
    print(f"{len(outcomes)} of {len(mutants)} mutants judged, {len(wrong)} not killed")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command continues") from None
