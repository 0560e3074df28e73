"""Where a back end puts what a run records, while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["MemorySink", "Sink"]


class Sink(Protocol):
    """Takes what was recorded, in order of time; each call goes on where the one before ended."""

    def spikes(self, population: str, steps: NDArray[np.int64], units: NDArray[np.int32]) -> None:
        """Spikes of one population, sorted by step and unit."""
        ...

    def trace(self, number: int, frames: NDArray[np.floating]) -> None:
        """`(n_frames, n_cells)` of the record of that number."""
        ...

    def courses(self, concentrations: NDArray[np.float64], factors: NDArray[np.float64]) -> None:
        """`(n_frames, n_transmitters)` and `(n_frames, n_factors)`, in the network's order."""
        ...


class MemorySink:
    """Keeps everything, for runs whose recording fits in memory."""

    def __init__(self, populations: Sequence[str], n_records: int) -> None:
        self._spikes: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int32]]]] = {
            name: [] for name in populations
        }
        self._traces: list[list[NDArray[np.float64]]] = [[] for _ in range(n_records)]
        self._courses: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def spikes(self, population: str, steps: NDArray[np.int64], units: NDArray[np.int32]) -> None:
        self._spikes[population].append((steps, units))

    def trace(self, number: int, frames: NDArray[np.floating]) -> None:
        self._traces[number].append(np.asarray(frames, np.float64))

    def courses(self, concentrations: NDArray[np.float64], factors: NDArray[np.float64]) -> None:
        self._courses.append((concentrations, factors))

    def spikes_of(self, population: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All steps and units of a population."""
        kept = self._spikes[population]
        return (
            np.concatenate([np.zeros(0, np.int64), *(steps for steps, _ in kept)]),
            np.concatenate([np.zeros(0, np.int32), *(units for _, units in kept)]),
        )

    def trace_of(self, number: int, n_cells: int) -> NDArray[np.float64]:
        """`(n_frames, n_cells)` of a record."""
        return np.concatenate([np.zeros((0, n_cells)), *self._traces[number]])

    def courses_of(
        self, n_transmitters: int, n_factors: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Concentrations and factors, one row a frame."""
        return (
            np.concatenate([np.zeros((0, n_transmitters)), *(c for c, _ in self._courses)]),
            np.concatenate([np.zeros((0, n_factors)), *(f for _, f in self._courses)]),
        )
