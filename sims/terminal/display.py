"""What a person sees while Ember works, and after: progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sims.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from sims.result import Run

__all__ = ["columns", "progress_on", "run_summary", "stderr"]


def stderr() -> Console:
    """A console on the standard error output, where everything but results goes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def progress_on(console: Console) -> Iterator[Progress]:
    """Show what is being done: a bar with the time left on a terminal, else a line a stage."""
    if not console.is_terminal:
        last = ""

        def lines(stage: str, done: float = 0.0, total: float | None = None) -> None:
            nonlocal last
            if stage != last:
                console.print(f"{stage} …", markup=False)
            last = stage

        yield lines
        return

    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Left(TimeRemainingColumn):
        """The time left, where the end of a stage is known."""

        def render(self, task: Task) -> Text:
            return super().render(task).append(" left") if task.total else Text()

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[percent]}"),
        TimeElapsedColumn(),
        Left(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None, percent="")
        current = "starting"

        def draw(stage: str, done: float = 0.0, total: float | None = None) -> None:
            nonlocal current, task
            if stage != current:  # a new one, since the end of a task cannot be taken back
                bar.remove_task(task)
                task = bar.add_task(stage, total=total, percent="")
                current = stage
            percent = f"{done / total:4.0%}" if total else ""
            bar.update(task, completed=done, total=total, percent=percent)

        yield draw


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as aligned text; columns in `right` are aligned to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def run_summary(run: Run) -> dict[str, Any]:
    """The figures of a run, as `--json` prints them: seconds, bytes, and rates per population."""
    recording, timings = run.recording, run.recording.timings
    return {
        "name": run.provenance.name,
        "seed": recording.seed,
        "backend": recording.backend,
        "duration_ms": recording.duration_ms,
        **{
            f"{stage}_s": round(timings.get(stage, 0.0), 6)
            for stage in ("encode", "build", "compile", "simulate")
        },
        "peak_memory_bytes": run.provenance.peak_memory_bytes,
        "populations": {
            name: {"n": spikes.n_units, "spikes": len(spikes), "rate_hz": spikes.rate_hz}
            for name, spikes in recording.spikes.items()
        },
    }
