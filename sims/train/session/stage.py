"""Where a training shows itself: what is said, how far it is, and how long each part took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Stage"]


class Stage:
    """What a person sees of a training; nothing of processes other than the first.

    Attributes:
        timings: Seconds of each part.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet
        self.timings: dict[str, float] = {}

    def say(self, text: str) -> None:
        """One line, or a few."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """One line where there is no terminal, and so no bar that moves."""
        if not self.console.is_terminal:
            self.say(text)

    def show(self, what: Any) -> None:
        """Something that rich can draw."""
        if not self.quiet:
            self.console.print(what)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Keep how long the block took; blocks of the same name are added up."""
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.timings[what] = self.timings.get(what, 0.0) + took

    @contextmanager
    def bar(
        self, what: str, total: int | None = None, done: int = 0
    ) -> Iterator[Callable[..., None]]:
        """A progress bar with the time that is left; gives a function to call with how much is
        done, of how much, and a note to stand behind the bar."""
        if self.quiet:
            yield lambda *given, **notes: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=self.console,
        ) as progress:  # fmt: skip
            task = progress.add_task(what, total=total, completed=done, note="")

            def show(
                done: int | None = None, of: int | None = None, note: str | None = None
            ) -> None:
                if note is not None:
                    progress.update(task, note=note)
                progress.update(task, completed=done, total=total if of is None else of)

            yield show
