"""Ctrl-C, and SIGTERM, which batch systems send when the wall time is up, end long work alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

__all__ = ["Terminated", "deferred", "exit_status", "handled", "terminable", "unheeded"]


Handler: TypeAlias = Callable[[int, FrameType | None], None]


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """128 + the signal, as shells report it: 143 for SIGTERM, 130 for Ctrl-C."""
    return 143 if isinstance(interrupt, Terminated) else 130


@contextmanager
def handled(handler: Handler, *signals: signal.Signals) -> Iterator[None]:
    """Within the block these signals go to the handler.

    In a thread other than the main one signals cannot be caught, and they stay as they were.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block SIGTERM raises a KeyboardInterrupt, so that workers are not left behind."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with handled(end, signal.SIGTERM):
        yield


@contextmanager
def unheeded() -> Iterator[None]:
    """Within the block, which writes down what an interrupt leaves, further signals do nothing."""
    with handled(lambda number, frame: None, signal.SIGINT, signal.SIGTERM):
        yield


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Within the block a first signal waits until the yielded function is called.

    An exception that breaks into Dask at any line can leave one of its locks held, and closing
    the cluster then waits for ever. A second signal does break in.
    """
    asked: list[type[KeyboardInterrupt]] = []

    def remember(number: int, frame: FrameType | None) -> None:
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if asked:
            raise kind
        asked.append(kind)

    def check() -> None:
        if asked:
            raise asked[0]

    with handled(remember, signal.SIGINT, signal.SIGTERM):
        yield check
