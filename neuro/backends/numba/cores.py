"""Threads that wait for each other many thousand times a second must be on cores of their own."""

from __future__ import annotations

import os

__all__ = ["move_to_own_core"]


def move_to_own_core(thread: int, n_threads: int) -> None:
    """Move the calling thread to one of the cores it may use, and leave it free to be moved on.

    A woken thread starts on the core of the one that woke it. There the two would take turns at
    every barrier, and as each looks half idle the scheduler sees no need to part them. Does
    nothing where the system cannot place threads, or has fewer cores than threads.
    """
    if n_threads == 1 or not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < n_threads:
        return
    try:
        os.sched_setaffinity(0, {sorted(allowed)[thread]})
        os.sched_setaffinity(0, allowed)
    except OSError:  # a sandbox may forbid it; the run is only slower
        pass
