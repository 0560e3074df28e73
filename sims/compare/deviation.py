"""How far one run is from the reference's run of the same network and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.compare.matching import Matching, match

__all__ = ["Deviation", "Difference", "Matched", "Residual", "deviation_of", "without"]

Array = NDArray[np.float64]


class Difference(NamedTuple):
    """A spike that is not where the reference has it: `moved`, `missing` or `extra`."""

    time_ms: float
    population: str
    cell: int
    kind: str


@dataclass(frozen=True)
class Matched:
    """One population's spikes in both runs.

    Attributes:
        reference, other: The spikes.
        pairs: Which belong together.
        offsets_ms: `(n_pairs,)` how much later each is than in the reference.
    """

    reference: Spikes
    other: Spikes
    pairs: Matching
    offsets_ms: Array
    identical: bool


@dataclass(frozen=True, eq=False)
class Residual:
    """A trace's differences, `(n_frames, n_cells)`, beside the reference's own values."""

    unit: str
    every_ms: float
    cells: NDArray[np.int64]
    error: Array
    values: Array

    def until(self, stop_ms: float) -> Residual:
        """The frames up to and with `stop_ms`."""
        n = int(np.floor(stop_ms / self.every_ms + 1e-6)) + 1 if np.isfinite(stop_ms) else None
        return Residual(self.unit, self.every_ms, self.cells, self.error[:n], self.values[:n])

    @property
    def rms(self) -> float:
        """Root mean square over time, of the cell where it is largest."""
        return float(np.sqrt((self.error**2).mean(axis=0)).max(initial=0.0))

    @property
    def largest(self) -> float:
        """Largest difference of any cell at any time."""
        return float(np.abs(self.error).max(initial=0.0))

    @property
    def typical(self) -> float:
        """Half the time it is less; of the cell where it is largest."""
        return float(np.median(np.abs(self.error), axis=0).max(initial=0.0))

    @property
    def spread(self) -> float:
        """Standard deviation of the reference's values over time and cells."""
        return float(self.values.std()) if self.values.size else 0.0

    @property
    def size(self) -> float:
        """Root mean square of the reference's values."""
        return float(np.sqrt((self.values**2).mean())) if self.values.size else 0.0


@dataclass(frozen=True, eq=False)
class Deviation:
    """All that differs between two runs of one seed.

    Attributes:
        populations: Spikes, of each population that can have any.
        moves: Where a cell's spikes began to come a step or more earlier or later than before,
            against the reference, sorted by time. A cell that keeps its lag has moved once.
        lone: Spikes without a partner, sorted by time.
        traces: Recorded variables, and courses of modulators.
    """

    populations: Mapping[str, Matched]
    moves: Sequence[Difference]
    lone: Sequence[Difference]
    traces: Mapping[str, Residual]

    @property
    def identical(self) -> bool:
        """Whether every spike is at the same step."""
        return all(matched.identical for matched in self.populations.values())

    @property
    def moved_ms(self) -> float:
        """When the first spike is not where the reference has it; infinite if none is."""
        return min([d.time_ms for d in (*self.moves[:1], *self.lone[:1])], default=np.inf)

    @property
    def diverged_ms(self) -> float:
        """Time of the first spike without a partner; infinite if there is none."""
        return self.lone[0].time_ms if self.lone else np.inf


def deviation_of(
    reference: Recording, other: Recording, populations: Sequence[str], jitter_ms: float
) -> Deviation:
    """Match the spikes of `populations` and subtract all traces."""
    matched: dict[str, Matched] = {}
    moves, lone = list[Difference](), list[Difference]()
    for name in populations:
        a, b = reference.spikes[name], other.spikes[name]
        pairs = match(a, b, jitter_ms)
        offsets = b.times_ms[pairs.other] - a.times_ms[pairs.reference]
        matched[name] = Matched(a, b, pairs, offsets, a == b)
        cells = a.units[pairs.reference]
        before = np.concatenate([[0.0], np.where(np.diff(cells) == 0, offsets[:-1], 0.0)])
        moved = np.abs(offsets - before[: offsets.size]) > reference.dt_ms / 2
        # At the earlier of both times: from there on the states differ.
        earlier = np.minimum(a.times_ms[pairs.reference], b.times_ms[pairs.other])
        moves += _differences(name, earlier[moved], cells[moved], "moved")
        for spikes, paired, kind in ((a, pairs.reference, "missing"), (b, pairs.other, "extra")):
            alone = without(len(spikes), paired)
            lone += _differences(name, spikes.times_ms[alone], spikes.units[alone], kind)
    return Deviation(matched, sorted(moves), sorted(lone), _traces(reference, other))


def without(n: int, paired: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of `n` spikes that are in no pair."""
    alone = np.ones(n, bool)
    alone[paired] = False
    return np.flatnonzero(alone)


def _differences(
    name: str, times_ms: Array, cells: NDArray[np.int64], kind: str
) -> list[Difference]:
    return [
        Difference(time_ms, name, cell, kind)
        for time_ms, cell in zip(times_ms.tolist(), cells.tolist(), strict=True)
    ]


def _traces(reference: Recording, other: Recording) -> dict[str, Residual]:
    found = {}
    for key, trace in reference.traces.items():
        theirs = other.traces[key].data
        found[key] = Residual(
            trace.unit, trace.every_ms, trace.cells, theirs - trace.data, trace.data
        )
    for kind in ("modulators", "factors"):
        for key, course in getattr(reference, kind).items():
            values, theirs = course.values, getattr(other, kind)[key].values
            found[key] = Residual(
                course.unit, course.every_ms, np.zeros(1, np.int64),
                (theirs - values)[:, None], values[:, None],
            )  # fmt: skip
    return found
