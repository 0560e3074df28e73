"""The loop of the emulator: Lava's fixed-point arithmetic, step by step, to the last bit.

Semantics of `PyLifModelBitAcc`, `PyLifResetModelBitAcc`, and the bit-accurate models of Dense,
Sparse, DelayDense and DelaySparse in lava-nc 0.10.0. Sums and currents are kept as Lava keeps
them, in 32 bits that wrap; sums that are shifted down never need more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neuro.compiled import kept

__all__ = ["Arriving", "Board", "Edges", "Found", "advance"]


class Board(NamedTuple):
    """All cells: process p has cells `first[p]` to `first[p + 1]`; states change in place.

    `ring[(t + 1 + delay) % slots]` gathers what reaches each cell's current in that step; there
    are a power of two of `slots`.
    `odd[p]` is how often a current wrapped, how often a voltage was cut from below, and
    where the first wrapped current was: its step (-1 if none) and cell.
    """

    first: NDArray[np.int64]
    du: NDArray[np.int64]
    dv: NDArray[np.int64]
    vth: NDArray[np.int64]
    reset_interval: NDArray[np.int64]
    reset_offset: NDArray[np.int64]
    bias: NDArray[np.int32]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    ring: NDArray[np.int32]
    fired: NDArray[np.uint8]
    odd: NDArray[np.int64]


class Edges(NamedTuple):
    """All synapses in groups; sender s of group g has edges `starts[g, s]` to `starts[g, s + 1]`.

    A group whose sums are shifted down (`down[g] > 0`) is one process, and gathers in `sums`,
    by delay and target, before it shifts. Senders are cells, then units of inputs.
    """

    starts: NDArray[np.int64]
    down: NDArray[np.int64]
    graded: NDArray[np.bool_]
    target: NDArray[np.int32]
    delay: NDArray[np.int32]
    weight: NDArray[np.int32]
    sums: NDArray[np.int64]
    listed: NDArray[np.bool_]
    touched: NDArray[np.int64]


class Arriving(NamedTuple):
    """Spikes from outside, sorted by step; `at[0]` is the next one."""

    steps: NDArray[np.int64]
    senders: NDArray[np.int64]
    payload: NDArray[np.int64]
    at: NDArray[np.int64]


class Found(NamedTuple):
    """What a stretch of steps left: spikes, and samples of each probe, one frame after another.

    `n[0]` is how many spikes there are. Probe r samples cells `probe_cells[first[r] :
    first[r + 1]]` every `every[r]` steps: `kind` 0 is v before the step, 1 u and 2 v after it.
    `sample_at[r]` is where its next frame goes.
    """

    steps: NDArray[np.int64]
    cells: NDArray[np.int32]
    n: NDArray[np.int64]
    kind: NDArray[np.int64]
    every: NDArray[np.int64]
    first: NDArray[np.int64]
    probe_cells: NDArray[np.int64]
    samples: NDArray[np.int32]
    sample_at: NDArray[np.int64]


@kept
@njit(nogil=True)
def advance(
    begin: int, end: int, board: Board, edges: Edges, arriving: Arriving, found: Found
) -> int:  # pragma: no cover
    """Run steps `begin` to `end`, or until another step's spikes might not fit; the next step."""
    n = board.u.size
    slots = board.ring.shape[0]
    senders = np.empty(n + edges.starts.shape[1], np.int64)
    payload = np.empty(n + edges.starts.shape[1], np.int64)
    for step in range(begin, end):
        if found.n[0] + n > found.steps.size:
            return step
        sample(step, board, found, 0)
        sent = 0
        for p in range(board.first.size - 1):
            update(step, p, board, board.ring[step & (slots - 1)])
        for i in range(fired_cells(board.fired, senders)):
            found.steps[found.n[0] + i] = step
            found.cells[found.n[0] + i] = senders[i]
            payload[i] = 1
            sent += 1
        found.n[0] += sent
        sample(step, board, found, 1)
        while arriving.at[0] < arriving.steps.size and arriving.steps[arriving.at[0]] == step:
            senders[sent] = arriving.senders[arriving.at[0]]
            payload[sent] = arriving.payload[arriving.at[0]]
            arriving.at[0] += 1
            sent += 1
        for g in range(edges.down.size):
            if edges.down[g] > 0:
                deliver_shifted(step, g, senders[:sent], payload[:sent], board.ring, edges)
            else:
                deliver(step, g, senders[:sent], payload[:sent], board.ring, edges)
    return end


@kept
@njit(nogil=True)
def fired_cells(fired: NDArray[np.uint8], cells: NDArray[np.int64]) -> int:  # pragma: no cover
    """Write the numbers of cells that fired, in order; how many there are."""
    count = 0
    for begin in range(0, fired.size, 64):
        block = fired[begin : begin + 64]
        some = np.uint8(0)
        for i in range(block.size):
            some |= block[i]
        if some:
            for i in range(block.size):
                if block[i]:
                    cells[count] = begin + i
                    count += 1
    return count


@kept
@njit(nogil=True)
def update(step: int, p: int, board: Board, row: NDArray[np.int32]) -> int:  # pragma: no cover
    """Step the cells of a process; `row` is what arrives now, and is cleared."""
    low, high = board.first[p], board.first[p + 1]
    interval = board.reset_interval[p]
    if interval > 0 and (step + 1) % interval == board.reset_offset[p] % interval:
        board.u[low:high] = 0
        board.v[low:high] = 0
    # Up to 2^31 times up to 2^12: a product that a double holds to the last bit.
    keep_u = (4096 - (board.du[p] + 1)) / 4096.0
    keep_v = (4096 - board.dv[p]) / 4096.0
    threshold = np.int32(board.vth[p] << 6)
    # From 0 on, so that indices need no check and the loop becomes vector instructions.
    u, v, bias = board.u[low:high], board.v[low:high], board.bias[low:high]
    fired, arrived = board.fired[low:high], row[low:high]
    odd = np.int32(0)
    for i in range(high - low):
        kept = np.int32(u[i] * keep_u)  # toward zero
        current = np.int32(kept + np.int32(arrived[i] << 6))
        arrived[i] = 0
        inside = current
        if current > np.int32(8388608):
            inside = np.int32(current - np.int32(16777216))
        if current <= np.int32(-8388608):
            inside = np.int32(current + np.int32(16777216))
        kept = np.int32(v[i] * keep_v)  # toward zero
        free = np.int32(np.int32(kept + inside) + bias[i])
        voltage = min(max(free, np.int32(-8388607)), np.int32(8388607))
        spikes = voltage > threshold
        u[i] = inside
        v[i] = np.int32(0) if spikes else voltage
        wraps = np.int32(2) if inside != current else np.int32(0)
        cuts = np.int32(4) if free < np.int32(-8388607) else np.int32(0)
        odd = np.int32(odd | wraps | cuts)
        fired[i] = np.uint8((np.int32(1) if spikes else np.int32(0)) | wraps | cuts)
    if odd:
        count_odd(step, p, board)
    return 0


@kept
@njit(nogil=True)
def count_odd(step: int, p: int, board: Board) -> int:  # pragma: no cover
    """Count what wrapped or was cut in this step; and take the marks off."""
    for i in range(board.first[p], board.first[p + 1]):
        if board.fired[i] & 2:
            board.odd[p, 0] += 1
            if board.odd[p, 2] < 0:
                board.odd[p, 2] = step
                board.odd[p, 3] = i
        board.odd[p, 1] += board.fired[i] >> 2
        board.fired[i] &= 1
    return 0


@kept
@njit(nogil=True)
def deliver(
    step: int, g: int, senders: NDArray[np.int64], payload: NDArray[np.int64],
    ring: NDArray[np.int32], edges: Edges,
) -> int:  # fmt: skip  # pragma: no cover
    """Add the weights of a group whose sums need no shift; a left shift is in the weights."""
    slots = ring.shape[0]
    for k in range(senders.size):
        times = payload[k] if edges.graded[g] else 1
        for e in range(edges.starts[g, senders[k]], edges.starts[g, senders[k] + 1]):
            slot = (step + 1 + edges.delay[e]) & (slots - 1)
            total = ring[slot, edges.target[e]] + edges.weight[e] * times
            ring[slot, edges.target[e]] = np.int32(total)
    return 0


@kept
@njit(nogil=True)
def deliver_shifted(
    step: int, g: int, senders: NDArray[np.int64], payload: NDArray[np.int64],
    ring: NDArray[np.int32], edges: Edges,
) -> int:  # fmt: skip  # pragma: no cover
    """Sum the weights of a process by delay and target, shift the sums down, and add those."""
    slots, n = ring.shape
    count = 0
    for k in range(senders.size):
        times = payload[k] if edges.graded[g] else 1
        for e in range(edges.starts[g, senders[k]], edges.starts[g, senders[k] + 1]):
            at = np.int64(edges.delay[e]) * n + edges.target[e]
            edges.sums[at] += np.int64(edges.weight[e]) * times
            if not edges.listed[at]:
                edges.listed[at] = True
                edges.touched[count] = at
                count += 1
    for k in range(count):
        at = edges.touched[k]
        slot = (step + 1 + at // n) & (slots - 1)
        shifted = edges.sums[at] >> edges.down[g]
        ring[slot, at % n] = np.int32(ring[slot, at % n] + shifted)
        edges.sums[at] = 0
        edges.listed[at] = False
    return 0


@kept
@njit(nogil=True)
def sample(step: int, board: Board, found: Found, after: int) -> int:  # pragma: no cover
    """Write a frame of each probe that is due, before or after the update."""
    for r in range(found.kind.size):
        if step % found.every[r] or (found.kind[r] > 0) != (after > 0):
            continue
        values = board.u if found.kind[r] == 1 else board.v
        for k in range(found.first[r], found.first[r + 1]):
            found.samples[found.sample_at[r]] = values[found.probe_cells[k]]
            found.sample_at[r] += 1
    return 0
