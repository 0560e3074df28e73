"""What this machine's memory allows: streams, and the delivery of spikes to random targets.

Streams are those of STREAM (McCalpin 1995): bytes that the program asks for, without what the
hardware reads before it writes; the arrays are four times the largest cache or more, and the best
of the repeats counts.

Delivery is the inner loop of an engine, with nothing around it: blocks of edges at random places
of a long list, each edge a 16-bit target and a 32-bit weight (6 bytes), added to an input buffer
that stays in the cache. A block is what one spike brings to one thread in one step. No engine
that stores its edges so can be faster than this on this machine.

With the microcircuit beside it, in the same run, it says how far Ember is from that limit.

    python benchmarks/bandwidth.py [--quick] [--save] [--scale 1.0]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from _common import Failed, ember_run, options
from _expected import events, outgoing
from _machine import load
from _result import Result, Row, finish

from neuro.backends.numba.intrinsics import prefetch

EDGE_BYTES = 6
BLOCKS = (16, 64, 256, 1024)
TYPICAL = 64  # edges that one spike of the microcircuit brings to one thread in one step
AHEAD = 8  # blocks; tried: 0 to 16
TARGETS = 38_585  # half of the microcircuit: one of two threads


@numba.njit(parallel=True, fastmath=True, cache=True)
def copy(a, b):
    """b = a, in parallel."""
    for i in numba.prange(a.size):
        b[i] = a[i]


@numba.njit(parallel=True, fastmath=True, cache=True)
def triad(a, b, c):
    """c = a + 3 b, in parallel."""
    for i in numba.prange(a.size):
        c[i] = a[i] + 3.0 * b[i]


@numba.njit(fastmath=True, cache=True)
def total(values):
    """The sum of an array, in any order."""
    found = 0.0
    for i in range(values.size):  # numba vectorises this, and not `for value in values`
        found += values[i]
    return found


@numba.njit(parallel=True, cache=True)
def read(a, sums):
    """The sum of `a`, in parallel."""
    n = a.size // sums.size
    for k in numba.prange(sums.size):
        sums[k] = total(a[k * n : (k + 1) * n])


@numba.njit(cache=True)
def deliver_blocks(starts, block, targets, weights, buffer):
    """Add each block's weights to the buffer, while the block after the next is fetched."""
    for k in range(starts.size):
        ahead = starts[min(k + AHEAD, starts.size - 1)]
        for line in range(0, block, 32):
            prefetch(targets, np.uint64(ahead + line))
        for line in range(0, block, 16):
            prefetch(weights, np.uint64(ahead + line))
        for edge in range(starts[k], starts[k] + block):
            buffer[targets[edge]] += weights[edge]


@numba.njit(parallel=True, cache=True)
def deliver(starts, block, targets, weights, buffers):
    """Each thread delivers its blocks into its buffer."""
    for thread in numba.prange(buffers.shape[0]):
        deliver_blocks(starts[thread], block, targets[thread], weights[thread], buffers[thread])


def best(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def streams(threads: int, n: int, repeats: int) -> dict[str, float]:
    """GB/s of copy, triad and read with so many threads; arrays of `n` doubles."""
    numba.set_num_threads(threads)
    a, b, c = np.ones(n), np.full(n, 2.0), np.zeros(n)
    sums = np.zeros(threads)
    moved = 8e-9 * n
    found = {
        "copy": 2 * moved / best(lambda: copy(a, b), repeats),
        "triad": 3 * moved / best(lambda: triad(a, b, c), repeats),
        "read": moved / best(lambda: read(a, sums), repeats),
    }
    if c[-1] != 4.0 or sums.sum() != n:
        raise Failed(f"the streams must leave 4 and {n}, found {c[-1]} and {sums.sum()}")
    return found


def deliveries(threads: int, n_edges: int, repeats: int) -> dict[int, float]:
    """Nanoseconds of one thread for one edge, for each size of block, with so many threads."""
    numba.set_num_threads(threads)
    rng = np.random.default_rng(1)
    each = n_edges // threads
    # Random, and rising within runs of 64, as an engine's edges are.
    some = np.sort(rng.integers(0, TARGETS, (2**14, 64), np.uint16), axis=1).ravel()
    targets = np.resize(some, (threads, each))
    weights = np.ones((threads, each), np.float32)
    found = {}
    for block in BLOCKS:
        starts = rng.integers(0, each // block - 1, (threads, max(1, each // 4 // block))) * block
        buffers = np.zeros((threads, TARGETS), np.float32)
        seconds = best(lambda: deliver(starts, block, targets, weights, buffers), repeats)  # noqa: B023
        found[block] = seconds / (starts.shape[1] * block) * 1e9
    return found


def measure(*, quick: bool, repeats: int) -> dict[str, Any]:
    """Streams and deliveries with one thread and with two (or all there are)."""
    n, n_edges = (2_000_000, 4_000_000) if quick else (32_000_000, 200_000_000)
    counts = sorted({1, min(2, int(numba.config.NUMBA_NUM_THREADS))})
    return {
        str(threads): {
            "GB_per_s": streams(threads, n, repeats),
            "ns_per_edge": deliveries(threads, n_edges, repeats),
        }
        for threads in counts
    }


def main() -> None:
    """Measure, run the microcircuit, and print."""
    parser = options(__doc__, repeats=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the microcircuit; 0: none")
    chosen = parser.parse_args()
    before = load()
    found = measure(quick=chosen.quick, repeats=chosen.repeats)
    result = Result("bandwidth", "Memory bandwidth, and how near to it spikes are delivered")
    for threads, figures in found.items():
        streamed = ", ".join(f"{name} {gb:.1f}" for name, gb in figures["GB_per_s"].items())
        delivered = ", ".join(f"{ns:.2f} ({n})" for n, ns in figures["ns_per_edge"].items())
        result.notes += [
            f"{threads} thread(s): {streamed} GB/s",
            f"{threads} thread(s): ns an edge and thread (edges a block): {delivered}",
        ]
    result.data = {"machine": found}
    for threads, figures in found.items():
        if chosen.scale and not chosen.quick:
            add_engine(result, chosen.scale, int(threads), figures)
        else:
            best_ns = figures["ns_per_edge"][TYPICAL] / int(threads)
            case = f"limit of delivery, {threads} thread(s)"
            result.rows.append(Row(case, best_ns, "ns an edge", of="machine"))
    finish(result, chosen, before)


def add_engine(result: Result, scale: float, threads: int, figures: dict[str, Any]) -> None:
    """Add what a synaptic event of the microcircuit costs in all, beside what it must cost."""
    overrides = (f"circuits.microcircuit.scale={scale:g}", "duration=1 s")
    run = ember_run("microcircuit", *overrides, threads=threads)
    n_events = events(run, outgoing("microcircuit", *overrides))
    spent = run["simulate_s"] * 1e9 / n_events
    moved = EDGE_BYTES / spent
    read_share = moved / figures["GB_per_s"]["read"]
    result.rows.append(
        Row(
            f"microcircuit, scale {scale:g}, {threads} thread(s)", spent, "ns an event, all told",
            figures["ns_per_edge"][TYPICAL] / threads, "delivery alone at this machine's limit",
        )
    )  # fmt: skip
    result.notes.append(
        f"microcircuit, {threads} thread(s): edges pass at {moved:.1f} GB/s, {read_share:.0%} of "
        f"what streams can read"
    )


if __name__ == "__main__":
    main()
