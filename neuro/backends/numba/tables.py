"""Edge tables: the synapses of all senders to one block's cells, in the order they are delivered.

A table joins projections whose spikes are handled alike (most often all of them), so that one
walk serves them all. Each task of the construction draws the rows of `ROWS` senders, gives every
edge its address in its target's block, and sorts by (block, sender, delay) into the place that
was kept for it: beside the table itself there is never more than some rows in memory.
"""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from neuro.compiled import kept
from neuro.edges import BuiltProjection, Row
from neuro.errors import SimulationError
from neuro.wiring import ROWS

__all__ = ["Entry", "Table", "build_table", "empty_queue"]

_inner = numba.njit(error_model="numpy", nogil=True)
_ROOM = 127  # entries of a queue's row at first
_COUNTED = 1 << 22  # buckets up to which edges are counted into place; beyond, they are sorted


class Entry(NamedTuple):
    """One projection in a table: `address[b]` plus the cell's place in block b is where it acts.

    `bounds[b]` is the first cell of block b; `scaled` turns drawn weights into what is added.
    """

    projection: BuiltProjection
    bounds: NDArray[np.int64]
    address: NDArray[np.int64]
    scaled: Callable[[Row], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Table:
    """Edges of the senders `first_sender` on; block b walks `pointer[b]` and `segment[b]`.

    `target` and `weight` are shared by all blocks. Rows of `segment` are (first edge, delay).
    """

    first_sender: int
    n_senders: int
    pointer: list[NDArray[np.uint32]]
    segment: list[NDArray[np.uint32]]
    target: NDArray[np.unsignedinteger]
    weight: NDArray[np.floating]
    longest: int


def empty_queue(longest: int) -> NDArray[np.uint32]:
    """A queue for delays up to `longest` steps; `delivery.push` makes it larger when it must."""
    queue = np.empty((longest + 2, 2 * _ROOM + 1), np.uint32)
    queue[:, 0] = 0
    return queue


def build_table(
    entries: Sequence[tuple[int, int, Sequence[Entry]]],
    n_blocks: int,
    addresses: int,
    real: type[np.floating],
    threads: int,
) -> Table:
    """Draw and sort the edges of these senders.

    Args:
        entries: (number of the first sender, how many senders, its projections) for each group
            of senders, in order and without gaps.
        addresses: How many places a target can have in a block.
        real: `float32` or `float64`.
        threads: How many threads draw.
    """
    place = np.uint16 if addresses <= 1 << 16 else np.uint32
    tasks = [
        (first + row * ROWS, min(ROWS, n - row * ROWS), row, projections)
        for first, n, projections in entries
        for row in range(-(-n // ROWS))
    ]
    with ThreadPoolExecutor(threads) as pool:
        sizes = list(pool.map(lambda t: sum(e.projection.edges_in(t[2]) for e in t[3]), tasks))
        starts = np.concatenate([[0], np.cumsum(np.array(sizes, np.int64))])
        if starts[-1] >= 1 << 32:
            raise SimulationError(
                f"one table holds up to {2**32:,} synapses, found {starts[-1]:,}; give projections "
                f"of half of them a modulated weight, or use a smaller scale"
            )
        target: NDArray[Any] = np.empty(int(starts[-1]), place)
        weight = np.empty(int(starts[-1]), real)
        arranged = list(
            pool.map(
                lambda task, at: _arrange(task, int(at), n_blocks, target, weight),
                tasks,
                starts[:-1],
            )
        )
    pointer, segment = [], []
    for block in range(n_blocks):
        counts = np.concatenate([[0], *(a.counts[block] for a in arranged)])
        pointer.append(np.cumsum(counts).astype(np.uint32))
        segment.append(np.concatenate([np.zeros((0, 2), np.uint32)]
                                      + [a.segments[block] for a in arranged]))  # fmt: skip
    first = entries[0][0] if entries else 0
    longest = max((a.longest for a in arranged), default=1)
    return Table(first, pointer[0].size - 1, pointer, segment, target, weight, longest)


class _Arranged(NamedTuple):
    counts: list[NDArray[np.int64]]  # segments of each sender, ends included, per block
    segments: list[NDArray[np.uint32]]
    longest: int


def _arrange(
    task: tuple[int, int, int, Sequence[Entry]],
    at: int,
    n_blocks: int,
    target: NDArray[np.unsignedinteger],
    weight: NDArray[np.floating],
) -> _Arranged:
    """Draw one task's rows and put them into `target[at:]` and `weight[at:]`."""
    _, n_senders, row, projections = task
    rows = [entry.projection.row(row) for entry in projections]
    n_edges = sum(r.target.size for r in rows)
    longest = max((int(r.delay_steps.max(initial=1)) for r in rows), default=1)
    key = np.empty(n_edges, np.int64)
    address = np.empty(n_edges, target.dtype)
    value = np.empty(n_edges, weight.dtype)
    done = 0
    for entry, drawn in zip(projections, rows, strict=True):
        end = done + drawn.target.size
        _place(
            drawn.counts, drawn.target, np.ascontiguousarray(drawn.delay_steps), entry.bounds,
            entry.address, n_senders, longest, key[done:end], address[done:end],
        )  # fmt: skip
        value[done:end] = entry.scaled(drawn)
        done = end
    buckets = n_blocks * n_senders * longest
    out = target[at : at + n_edges], weight[at : at + n_edges]
    if buckets <= max(_COUNTED, 4 * n_edges):
        counts = _count_into(key, address, value, buckets, *out)
        filled = np.flatnonzero(counts)
        starts = np.cumsum(counts[filled]) - counts[filled]
    else:
        order = np.argsort(key, kind="stable")
        out[0][:], out[1][:] = address[order], value[order]
        filled, starts = np.unique(key[order], return_index=True)
    return _segments(filled, starts, at, at + n_edges, n_blocks, n_senders, longest)


@kept
@_inner
def _place(counts, cells, delays, bounds, address, n_senders, longest, key, out):
    """The bucket (block, sender, delay) and the address of each edge of one projection."""
    e = 0
    for sender in range(counts.size):
        for _ in range(counts[sender]):
            cell = cells[e]
            block = 0
            while cell >= bounds[block + 1]:
                block += 1
            key[e] = (block * n_senders + sender) * longest + delays[e] - 1
            out[e] = address[block] + cell - bounds[block]
            e += 1


@kept
@_inner
def _count_into(key, address, value, buckets, out_address, out_value):
    """Sort by bucket, keeping the order within one; the size of each."""
    counts = np.zeros(buckets, np.uint32)
    for e in range(key.size):
        counts[key[e]] += 1
    at = np.empty(buckets, np.uint32)
    total = np.uint32(0)
    for k in range(buckets):
        at[k] = total
        total += counts[k]
    for e in range(key.size):
        k = key[e]
        out_address[at[k]] = address[e]
        out_value[at[k]] = value[e]
        at[k] += 1
    return counts


def _segments(
    filled: NDArray[np.int64], starts: NDArray[np.int64], at: int, end: int, n_blocks: int,
    n_senders: int, longest: int,
) -> _Arranged:  # fmt: skip
    """Rows (first edge, delay) of each block, closed by a row of delay 0."""
    sender, delay = filled // longest, filled % longest + 1
    counts, segments = [], []
    for block in range(n_blocks):
        low, high = np.searchsorted(sender, [block * n_senders, (block + 1) * n_senders])
        rows = np.zeros((high - low + 1, 2), np.uint32)
        rows[:-1, 0] = at + starts[low:high]
        rows[:-1, 1] = delay[low:high]
        rows[-1, 0] = at + starts[high] if high < starts.size else end
        own = np.bincount(sender[low:high] - block * n_senders, minlength=n_senders)
        own[-1] += 1
        counts.append(own)
        segments.append(rows)
    return _Arranged(counts, segments, longest)
