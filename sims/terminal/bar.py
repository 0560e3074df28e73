"""One line that says how far a simulation is; drawn where the simulation is, not beside it.

A thread that draws would take turns with the threads that simulate, and a library for it takes
longer to load than a short run takes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["Bar"]

_EVERY_S = 0.1
"""Between two drawings; engineering choice: more is not seen, and each takes some 50 µs."""

_WIDTH = 24

_SAID = 54
"""Characters kept for what is said, so that the bar does not change its length all the time."""


class Bar:
    """Draws over its last line, at most ten times a second; a new stage at once.

    Args:
        out: A terminal.
        clock: Seconds, for tests.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._stage = ""
        self._shown = -1.0
        self._begun = (0.0, 0.0)  # when, and how far it was then

    def __call__(self, stage: str, done: float = 0.0, total: float | None = None) -> None:
        """`done` and `total` are ms of simulated time, where a stage has an end."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._begun = stage, (now, done)
        elif now - self._shown < _EVERY_S:
            return
        self._shown = now
        self._draw(self._text(now, done, total))

    def clear(self) -> None:
        """Leave an empty line."""
        self._draw("")

    def _text(self, now: float, done: float, total: float | None) -> str:
        if not total:
            return f"{self._stage} …"
        parts = [f"{_seconds(done)} of {_seconds(total)}"]
        began, first = self._begun
        if now > began and done > first:
            pace = (now - began) / (done - first)
            left = _hours(pace * (total - done))
            parts += [f"real-time factor {1000 * pace:.3g}", f"{left} left"]
        said = ", ".join(parts)
        room = _columns() - len(self._stage) - max(len(said), _SAID) - 2
        width = min(_WIDTH, room)
        filled = round(max(0, width) * min(1.0, done / total))
        return f"{self._stage} {'█' * filled}{'░' * (width - filled)} {said}"

    def _draw(self, text: str) -> None:
        self._out.write(f"\r\x1b[K{text[: _columns()]}")
        self._out.flush()


def _columns() -> int:
    """How many characters fit; one less than there are, after which a terminal may wrap."""
    return shutil.get_terminal_size().columns - 1


def _seconds(time_ms: float) -> str:
    return f"{time_ms / 1000:.1f} s" if time_ms < 100_000 else f"{time_ms / 1000:,.0f} s"


def _hours(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
