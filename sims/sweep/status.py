"""`ember status`: how far a sweep is, and what went wrong where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from neuro.errors import StoreError
from neuro.files.lock import holder
from sims.sweep.ledger import Counts, Ledger
from sims.sweep.versions import ran_under

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_status", "sweep_counts"]

_MOST_LISTED = 50


def sweep_counts(directory: str | os.PathLike[str]) -> Counts:
    """Expected, done, failed and missing points of the sweep in `directory`.

    Raises:
        StoreError: if there is no sweep.
    """
    ledger = Ledger(Path(directory))
    plan = ledger.read_plan()
    if plan is None:
        raise StoreError(f"expected the folder of a sweep, found no `sweep.json` in `{directory}`")
    return ledger.counts(point["id"] for point in plan["points"])


def show_status(directory: str | os.PathLike[str], console: Console | None = None) -> int:
    """Print the counts, and each failed point with the last line of its log.

    Returns:
        The exit status: 0 if every point is done, else 1.

    Raises:
        StoreError: if there is no sweep.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    counts = sweep_counts(directory)
    ledger = Ledger(Path(directory))
    lines = [
        f"expected {counts.expected}  done {len(counts.done)}  failed {len(counts.failed)}  "
        f"missing {len(counts.missing)}"
    ]
    at_work = holder(ledger.lock_file)
    if at_work:
        lines.append(f"a sweep is at work here: {at_work}")
    ran = ran_under(ledger, ledger.read_plan() or {"points": []})
    if len(ran) > 1:
        lines += [f"{n} points ran under {name} ({about})" for name, n, about in ran]
    for point_id in counts.failed[:_MOST_LISTED]:
        job = ledger.job(point_id) or {}
        given = ", ".join(f"{key}={value}" for key, value in job.get("values", {}).items())
        last = ledger.last_line(point_id) or job.get("error", "")
        lines.append(f"failed {point_id} ({given}, seed={job.get('seed')}): {last}")
    if len(counts.failed) > _MOST_LISTED:
        lines.append(f"and {len(counts.failed) - _MOST_LISTED} more failed points")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if counts.complete else 1
