"""The parts of a kernel that are the same for every network; printed code calls these.

Spikes travel in two moves. When a cell has spiked, its edges, sorted by delay, are entered in a
queue: one entry a delay, under the step in which it falls due (`push`). In each step every block
walks what is due there and adds the weights to its own cells (`deliver`). So writes stay within
one block's state, which lies in its core's cache, nothing is locked, and every cell sums in one
order: by the step of the spike, then by its sender, whatever the number of blocks.
"""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def"
from typing import Any

import numba
import numpy as np

from neuro.backends.numba.intrinsics import prefetch
from neuro.compiled import kept

__all__ = ["collect", "deliver", "factors_of", "push", "push_again", "sample"]

# Called from printed code alone, never from Python: without wrappers they compile faster.
_inner: Any = numba.njit(  # type: ignore[call-overload]
    error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)

AHEAD = 6
"""Entries of the queue whose edges are asked for ahead of time."""


@_inner
def collect(n, at, fired, fired_words, hits):
    """List the cells of `fired[at : at + n]` that are set in `hits[at:]`; their number.

    `at` begins a tile, whose 64 flags are looked at together: few cells spike in one step.
    """
    words = fired_words[at // 8 : at // 8 + 8 * ((n + 63) // 64)]
    cells = fired[at : at + n]
    found = 0
    for tile in range(words.size // 8):
        eight = words[8 * tile : 8 * tile + 8]
        some = (eight[0] | eight[1] | eight[2] | eight[3]) | (
            eight[4] | eight[5] | eight[6] | eight[7]
        )
        if some != 0:
            for i in range(64 * tile, min(64 * tile + 64, n)):
                if cells[i] != 0:
                    hits[at + found] = i
                    found += 1
    return found


@_inner
def push(step, units, low, high, first, pointer, segment, queue):
    """Enter the edges of the senders `units[low:high]`, which spiked in `step`; the queue.

    `segment` rows are (first edge, delay); a row of delay 0 ends the one before it. A row of
    `queue` is how many entries it has, then (first edge, end) for each; its last row holds the
    most entries that a row ever had. A spike adds one entry at most to a row.
    """
    depth = queue.shape[0] - 1
    fullest = np.int64(queue[depth, 0])
    for j in range(low, high):
        if 2 * fullest + 2 >= queue.shape[1]:
            queue = _roomier(queue)
        sender = units[j] - first
        if sender < 0 or sender >= pointer.size - 1:
            continue  # of another source
        for s in range(pointer[sender], pointer[sender + 1]):
            delay = segment[s, 1]
            if delay != 0:
                slot = np.int64((step + delay) % depth)
                n = np.int64(queue[slot, 0])
                queue[slot, 2 * n + 1] = segment[s, 0]
                queue[slot, 2 * n + 2] = segment[s + 1, 0]
                queue[slot, 0] = n + 1
                fullest = max(fullest, n + 1)
    queue[depth, 0] = fullest
    return queue


@_inner
def _roomier(queue):
    """The same queue with room for twice as much."""
    larger = np.empty((queue.shape[0], 2 * queue.shape[1]), np.uint32)
    for row in range(queue.shape[0]):
        for k in range(2 * np.int64(queue[row, 0]) + 1 if row + 1 < queue.shape[0] else 1):
            larger[row, k] = queue[row, k]
    return larger


@_inner
def deliver(step, queue, target, weight, factor, S, free):
    """Add the weights of what is due to the targets' states `S`, and empty this step's queue.

    Where `free` is given, a cell of which it is 0 is refractory and takes nothing.
    """
    entries = queue[step % (queue.shape[0] - 1)]
    n = np.int64(entries[0])
    for j in range(n):
        if j + AHEAD < n:
            coming = np.uint64(entries[2 * (j + AHEAD) + 1])
            prefetch(target, coming)
            prefetch(weight, coming)
            prefetch(weight, coming + np.uint64(16))
        for e in range(np.uint64(entries[2 * j + 1]), np.uint64(entries[2 * j + 2])):
            if free is None or free[target[e]] != 0:  # decided when this is compiled
                S[target[e]] += weight[e] * factor
    entries[0] = 0


@_inner
def factors_of(concentration, receptors, effects, factors):
    """Write the factor of each modulated parameter at these concentrations.

    `receptors` rows: transmitter, EC50, Hill exponent. `effects` rows: factor, receptor,
    at_saturation - 1.
    """
    for k in range(factors.size):
        factors[k] = 1.0
    for k in range(effects.shape[0]):
        receptor = int(effects[k, 1])
        found = concentration[int(receptors[receptor, 0])]
        if found > 0.0:
            # A ratio to a power, since powers of each may be beyond the range of a double.
            away = (receptors[receptor, 1] / found) ** receptors[receptor, 2]
            factors[int(effects[k, 0])] += effects[k, 2] / (1.0 + away)
    for k in range(factors.size):
        factors[k] = max(0.0, factors[k])


@_inner
def sample(frame, values, courses):
    """Copy `values` to a row of `courses`."""
    for k in range(values.size):
        courses[frame, k] = values[k]


@kept
@numba.njit(error_model="numpy")
def push_again(now, steps, senders, first, pointer, segment, queue):
    """Enter in a new queue what is still under way at step `now` of these spikes."""
    depth = queue.shape[0] - 1
    fullest = np.int64(0)
    for j in range(senders.size):
        sender = senders[j] - first
        if sender < 0 or sender >= pointer.size - 1:
            continue
        if 2 * fullest + 2 >= queue.shape[1]:
            queue = _roomier(queue)
        for s in range(pointer[sender], pointer[sender + 1]):
            due = steps[j] + np.int64(segment[s, 1])
            if segment[s, 1] != 0 and due >= now:
                slot = due % depth
                n = np.int64(queue[slot, 0])
                queue[slot, 2 * n + 1] = segment[s, 0]
                queue[slot, 2 * n + 2] = segment[s + 1, 0]
                queue[slot, 0] = n + 1
                fullest = max(fullest, n + 1)
    queue[depth, 0] = fullest
    return queue
