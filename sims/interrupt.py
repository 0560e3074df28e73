"""Ctrl-C, and SIGTERM, which batch systems send when the wall time is up, end long work alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["deferred", "exit_status", "terminable"]


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


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Within the block a first signal waits until the yielded function is called.

    An exception that breaks into Dask at any line can leave one of its locks held, and closing
    the cluster then waits for ever. A second signal does break in.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked: list[type[KeyboardInterrupt]] = []

    def remember(number: int, frame: FrameType | None) -> None:
        kind = _Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if asked:
            raise kind
        asked.append(kind)

    def check() -> None:
        if asked:
            raise asked[0]

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
