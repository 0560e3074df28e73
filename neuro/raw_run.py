"""What every back end hands back when it stops; what was recorded has gone to a Sink."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["RawRun"]


class RawRun(NamedTuple):
    """How far a run came, and how long it took.

    `failure` says, in one line, why it stopped before its end; it is empty if it did not.
    """

    reached_steps: int
    prepare_s: float
    compile_s: float
    simulate_s: float
    failure: str = ""
