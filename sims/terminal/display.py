"""What a person sees while Ember works, and after: progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from sims.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from sims.long_run import Told

__all__ = ["columns", "progress_on", "run_summary", "stderr"]


def stderr() -> Console:
    """A console on the standard error output, where everything but results goes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def progress_on(out: TextIO) -> Iterator[Progress]:
    """Show what is being done: on a terminal one line that changes, else a line a stage."""
    if not out.isatty():
        last = ""

        def lines(stage: str, done: float = 0.0, total: float | None = None) -> None:
            nonlocal last
            if stage != last:
                print(f"{stage} …", file=out, flush=True)
            last = stage

        yield lines
        return
    from sims.terminal.bar import Bar

    bar = Bar(out)
    try:
        yield bar
    finally:
        bar.clear()


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


def run_summary(told: Told) -> dict[str, Any]:
    """The figures of a run, as `--json` prints them: seconds, bytes, and rates per population."""
    recording, timings = told.recording, told.recording.timings
    return {
        "name": told.provenance.name,
        "seed": recording.seed,
        "backend": recording.backend,
        "duration_ms": recording.duration_ms,
        "resumed_ms": told.resumed_ms,
        **{
            f"{stage}_s": round(timings.get(stage, 0.0), 6)
            for stage in ("encode", "build", "compile", "simulate")
        },
        "notes": list(recording.notes),
        "peak_memory_bytes": told.provenance.peak_memory_bytes,
        "populations": {
            name: {"n": n, "spikes": spikes, "rate_hz": _rate_hz(n, spikes, recording.duration_ms)}
            for name, (n, spikes) in told.populations.items()
        },
    }


def _rate_hz(n: int, spikes: int, duration_ms: float) -> float:
    watched_s = n * duration_ms / 1000.0
    return spikes / watched_s if watched_s else 0.0
