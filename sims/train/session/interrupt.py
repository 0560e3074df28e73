"""Ctrl-C and SIGTERM that wait for what is in hand, so that what is saved is whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sims.interrupt import Terminated, handled

__all__ = ["EXIT_INTERRUPTED", "EXIT_TERMINATED", "Interrupt", "catch_interrupt"]

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_TERMINATED = 143  # 128 + SIGTERM, which batch systems send at the end of the wall time


class Interrupt:
    """Whether the user, or the batch system, has asked to stop.

    Attributes:
        status: The exit status that says so.
    """

    def __init__(self) -> None:
        self.asked = False
        self.status = EXIT_INTERRUPTED


@contextmanager
def catch_interrupt() -> Iterator[Interrupt]:
    """Within the block the first ctrl-C or SIGTERM only sets `asked`; a second one interrupts."""
    interrupt = Interrupt()

    def ask(number: int, frame: FrameType | None) -> None:
        if interrupt.asked:
            kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
            raise kind("asked twice; what was kept before is kept, and the same command goes on")
        interrupt.asked = True
        interrupt.status = EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED

    with handled(ask, signal.SIGINT, signal.SIGTERM):
        yield interrupt
