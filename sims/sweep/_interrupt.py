"""SIGTERM, which a batch system sends at the end of the wall time, ends a sweep as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["exit_status", "terminable"]


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """128 + the signal, as shells report it: 143 for SIGTERM, 130 for Ctrl-C."""
    return 143 if isinstance(interrupt, _Terminated) else 130


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block SIGTERM raises a KeyboardInterrupt, so that workers are not left behind.

    In a thread other than the main one signals cannot be caught, and SIGTERM stays as it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
