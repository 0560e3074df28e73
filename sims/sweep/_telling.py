"""What a person sees while a sweep runs: a bar with the time left, and a line a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sims.sweep.ledger import Counts, Ledger
from sims.sweep.plan import Plan
from sims.sweep.worker import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["Teller", "conclude", "how_far", "say", "telling"]


class Teller(Protocol):
    """Is told of each point that ended, and of what is being done."""

    def ended(self, outcome: Outcome) -> None:
        """A point is done, or has failed for good."""

    def stage(self, text: str) -> None:
        """What is being done now."""


@contextmanager
def telling(
    console: Console, plan: Plan, ledger: Ledger, *, done: int, alone: bool
) -> Iterator[Teller]:
    """Show a bar on a terminal; elsewhere, as in a batch job's log, some ten lines.

    Args:
        done: Points that were done before.
        alone: Whether points run in this process, whose stderr is then theirs meanwhile: the bar
            is drawn between points only.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        auto_refresh=not alone,
        disable=not console.is_terminal,
    ) as bar:
        yield _Bar(bar, console, plan, ledger, done)


class _Bar:
    def __init__(
        self, bar: Progress, console: Console, plan: Plan, ledger: Ledger, done: int
    ) -> None:
        self._bar, self._console, self._ledger = bar, console, ledger
        self._values = {point.id: point.values for point in plan.points}
        self._done, self._failed, self._total = done, 0, len(plan.points)
        self._every = max(1, (self._total - done) // 10)
        self._task = bar.add_task("starting workers", total=self._total, completed=done, failed="")

    def stage(self, text: str) -> None:
        self._bar.update(self._task, description=text)
        self._bar.refresh()
        if not self._console.is_terminal:
            say(self._console, f"{text} …")

    def ended(self, outcome: Outcome) -> None:
        self._done += outcome.done
        self._failed += not outcome.done
        if not outcome.done:
            given = ", ".join(f"{k}={value}" for k, value in self._values[outcome.id].items())
            log = self._ledger.log(outcome.id)
            say(self._console, f"failed ({given}): {outcome.error}; see {log}")
        failed = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, completed=self._done, failed=failed)
        self._bar.refresh()
        if not self._console.is_terminal and (self._done + self._failed) % self._every == 0:
            say(self._console, f"{self._done} of {self._total} points, {self._failed} failed")


def conclude(console: Console, ledger: Ledger, counts: Counts, before: int) -> None:
    """Say how a sweep ended and where its table and pictures are."""
    again = f" ({before} of them before)" if before else ""
    say(
        console,
        f"{how_far(counts)}{again}, {len(counts.failed)} failed, {len(counts.missing)} missing",
    )
    for path in ledger.results():
        say(console, f"  {path}")
    if not counts.complete:
        say(console, f"see `ember status {ledger.folder}`; the same command runs the rest again")


def how_far(counts: Counts) -> str:
    """`5 of 12 points are done`."""
    return f"{len(counts.done)} of {counts.expected} points are done"


def say(console: Console, text: str) -> None:
    """Print text as it is: paths may hold brackets, and must not be broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
