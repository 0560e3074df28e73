"""How a long piece of work says what it is doing."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called when a stage starts, and during it where its end is known."""

    def __call__(self, stage: str, done: float = 0.0, total: float | None = None) -> None:
        """`stage` is what is being done; `done` of `total`, in ms, how far a simulation is."""


def silent(stage: str, done: float = 0.0, total: float | None = None) -> None:
    """Say nothing."""
