"""A projection's edges, drawn row by row: the synapses of `ROWS` sources at a time.

Each row of sources has generators of its own, named after the seed, the projection and the
row. So rows may be drawn in any order, by any number of threads, and twice; a network of 3e8
synapses is built in little more memory than it keeps, and the same edges come out each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from neuro.equations.edge_program import EdgeProgram
from neuro.errors import NetworkError
from neuro.network import Normal, Projection, Uniform, Value
from neuro.timing import nearest_steps
from neuro.units import coherent
from neuro.wiring import ROWS, Edges, Rowwise, Site, generator

__all__ = ["BuiltProjection", "Row"]

_TOLERANCE = 1e-6
LONGEST_STEPS = 100_000
"""Of a delay; what is under way is kept in a row of memory for each step of the longest."""


class Row(NamedTuple):
    """Edges of the sources from `first` on: `counts` for each source, then `(n_edges,)` each.

    Values drawn from a distribution carry the 24 bits of a float32.
    """

    first: int
    counts: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.floating]
    delay_steps: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class BuiltProjection:
    """A projection bound to its two ends; its edges are drawn when asked for.

    `port` numbers the port of the target; `edge` is the program of synapses with a state of
    their own, with its parameters and the start values of its variables.
    """

    projection: Projection
    port: int
    pre: Site
    post: Site
    seed: int
    dt_ms: float
    edge: EdgeProgram | None = None
    edge_parameters: Mapping[str, float] = field(default_factory=dict)
    edge_initial: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """How many rows the sources make."""
        return -(-self.pre.n // ROWS)

    @property
    def by_rows(self) -> bool:
        """Whether a row can be drawn without the others."""
        rule, given = self.projection.rule, (self.projection.weight, self.projection.delay)
        one_by_one = any(np.ndim(value) for value in given if not hasattr(value, "draw"))
        return isinstance(rule, Rowwise) and not one_by_one

    @property
    def expected_edges(self) -> float:
        """About how many edges there will be, without drawing any."""
        same = self.pre.name == self.post.name
        return self.projection.rule.expected(self.pre, self.post, same)

    def check(self) -> None:
        """Draw some edges, to see that the rule fits both ends and that delays are long enough.

        Raises:
            NetworkError: if not.
        """
        if self.n_rows:
            self.row(0)

    def edges_in(self, row: int) -> int:
        """How many edges a row has."""
        if self._listed is None:
            return self._row_ends(row).source.size
        return int(np.diff(self._listed.starts[self._span(row)][[0, -1]])[0])

    def row(self, row: int) -> Row:
        """The edges of one row, sorted by source.

        Raises:
            NetworkError: if a delay is under a step, or a value is of the wrong size.
        """
        first = row * ROWS
        n = min(ROWS, self.pre.n - first)
        if self._listed is None:
            ends = self._row_ends(row)
            counts = np.bincount(ends.source, minlength=n)
            target, positions = ends.target, None
        else:
            starts = self._listed.starts[self._span(row)]
            counts = np.diff(starts)
            positions = self._listed.order[starts[0] : starts[-1]]
            target = self._listed.edges.target[positions]
        weight = self._values("weight", self.projection.weight, row, target.size, positions)
        delay = self._values("delay", self.projection.delay, row, target.size, positions)
        return Row(first, counts, target, weight, self._steps(delay))

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], ...]:
        rows = [self.row(k) for k in range(self.n_rows)]
        source = np.concatenate(
            [r.first + np.repeat(np.arange(r.counts.size), r.counts) for r in rows]
        )
        target, weight, steps = (
            np.concatenate([np.asarray(getattr(r, name)) for r in rows])
            for name in ("target", "weight", "delay_steps")
        )
        order = np.lexsort((target, steps, source))
        return source[order], target[order], weight[order].astype(np.float64), steps[order]

    @property
    def source(self) -> NDArray[np.int64]:
        """`(n_edges,)` sources; all edges at once, sorted by source, delay and target."""
        return self._sorted[0]

    @property
    def target(self) -> NDArray[np.int64]:
        """`(n_edges,)` targets, in the order of `source`."""
        return self._sorted[1]

    @property
    def weight(self) -> NDArray[np.float64]:
        """`(n_edges,)` weights, in the order of `source`."""
        return np.asarray(self._sorted[2], np.float64)

    @property
    def delay_steps(self) -> NDArray[np.int64]:
        """`(n_edges,)` delays, in the order of `source`."""
        return self._sorted[3]

    def _span(self, row: int) -> slice:
        return slice(row * ROWS, min((row + 1) * ROWS, self.pre.n) + 1)

    def _stream(self, *name: str | int) -> np.random.Generator:
        return generator(self.seed, "edges", self.projection.name, *name)

    @cached_property
    def _begun(self) -> object:
        return self._rowwise.begin(self.pre, self.post, self._stream("all"))

    @property
    def _rowwise(self) -> Rowwise:
        return cast(Rowwise, self.projection.rule)

    @cached_property
    def _listed(self) -> _Listed | None:
        """All edges, for a rule that does not draw by rows, or values given edge by edge."""
        if self.by_rows:
            return None
        rule = self.projection.rule
        same = self.pre.name == self.post.name
        edges = rule.edges(self.pre, self.post, same, self._stream("all"))
        starts = np.zeros(self.pre.n + 1, np.int64)
        np.cumsum(np.bincount(edges.source, minlength=self.pre.n), out=starts[1:])
        return _Listed(edges, np.argsort(edges.source, kind="stable"), starts)

    def _row_ends(self, row: int) -> Edges:
        same = self.pre.name == self.post.name
        first = row * ROWS
        last = min(first + ROWS, self.pre.n)
        return self._rowwise.row(
            self.pre, self.post, same, self._begun, first, last, self._stream(row)
        )

    def _values(
        self, what: str, value: Value, row: int, n: int, positions: NDArray[np.int64] | None
    ) -> NDArray[np.floating]:
        """One value an edge: all equal, drawn, or as they were given."""
        if isinstance(value, (Normal, Uniform)):
            return _draw(value, n, self._stream(what, row))
        array = np.asarray(coherent(value))
        if array.ndim == 0 or positions is None or self._listed is None:
            return np.broadcast_to(array, (n,))
        if array.shape != self._listed.edges.source.shape:
            raise NetworkError(
                f"projection `{self.projection.name}`: {what} needs one value or "
                f"{self._listed.edges.source.size}, found shape {array.shape}"
            )
        return array[positions]

    def _steps(self, delay: NDArray[np.floating]) -> NDArray[np.int32]:
        if not self.projection.synapse.delivers:
            return np.broadcast_to(np.int32(1), delay.shape)  # nothing is under way
        if delay.size and not delay.min() >= self.dt_ms * (1 - _TOLERANCE):
            raise NetworkError(
                f"projection `{self.projection.name}`: a delay must be at least one step of "
                f"{self.dt_ms:g} ms, found {delay.min():g} ms; raise the delay or lower dt"
            )
        if delay.size and not delay.max() <= LONGEST_STEPS * self.dt_ms:
            raise NetworkError(
                f"projection `{self.projection.name}`: a delay may be up to {LONGEST_STEPS} steps "
                f"({LONGEST_STEPS * self.dt_ms:g} ms), found {delay.max():g} ms; shorten it or "
                f"raise dt"
            )
        given = self.projection.delay
        if not isinstance(given, (Normal, Uniform)):
            one_for_all = delay.strides == (0,)
            steps = nearest_steps(delay[:1] if one_for_all else delay, self.dt_ms).astype(np.int32)
            return np.broadcast_to(steps, delay.shape) if one_for_all and delay.size else steps
        real = delay.dtype.type
        scaled = delay * real(1 / self.dt_ms)
        scaled += real(0.5)
        drawn = np.floor(scaled, out=scaled).astype(np.int32)
        # What is drawn has the digits of a float32; a bound has those that it was written with.
        for bound, at_bound in zip(given.bounds, (np.less_equal, np.greater_equal), strict=True):
            if np.isfinite(bound):
                exactly = int(nearest_steps(bound, self.dt_ms))
                if np.floor(real(bound) * real(1 / self.dt_ms) + real(0.5)) != exactly:
                    drawn[at_bound(delay, real(bound))] = exactly
        return drawn


class _Listed(NamedTuple):
    edges: Edges
    order: NDArray[np.int64]
    starts: NDArray[np.int64]


def _draw(value: Normal | Uniform, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    if isinstance(value, Normal):
        drawn = rng.standard_normal(n, dtype=np.float32)
        drawn *= np.float32(value.sd)
        drawn += np.float32(value.mean)
        if np.isfinite(value.low) or np.isfinite(value.high):
            np.clip(drawn, np.float32(value.low), np.float32(value.high), out=drawn)
        return drawn
    low, high = np.float32(value.low), np.float32(value.high)
    drawn = rng.random(n, dtype=np.float32)
    drawn *= high - low
    drawn += low
    return np.minimum(drawn, high, out=drawn)
