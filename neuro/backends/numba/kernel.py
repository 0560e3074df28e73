"""The parts of a kernel that are the same for every network; printed code calls these."""

from __future__ import annotations

import math

import numba

# Called from printed code alone, never from Python: without wrappers they compile faster.
_inner = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload]

__all__ = ["clip", "deliver", "deliver_free", "exprel", "factors_of", "gather", "sample", "sign"]


@_inner
def deliver(  # type: ignore[no-untyped-def]
    block, step, ring, ring_n, row, factor, n_sources, pointer, target, weight, delays
):
    """Add the weights of all spikes that arrive in this block at this step to `row`.

    Spikes, not future inputs, are kept: `ring[step % depth]` lists the cells that spiked, and
    the edges of each, sorted by (block, source, delay, target), are walked when they fall due.
    So every target sums in one fixed order, whatever the number of threads.
    """
    depth = ring.shape[0]
    n_delays = delays.size
    for k in range(n_delays):
        at = step - delays[k]
        if at < 0:
            continue
        slot = at % depth
        for j in range(ring_n[slot]):
            start = (block * n_sources + ring[slot, j]) * n_delays + k
            for e in range(pointer[start], pointer[start + 1]):
                row[target[e]] += weight[e] * factor


@_inner
def deliver_free(  # type: ignore[no-untyped-def]
    block, step, ring, ring_n, row, factor, n_sources, pointer, target, weight, delays, free
):
    """`deliver`, but a refractory cell, whose variable is held, takes nothing."""
    depth = ring.shape[0]
    n_delays = delays.size
    for k in range(n_delays):
        at = step - delays[k]
        if at < 0:
            continue
        slot = at % depth
        for j in range(ring_n[slot]):
            start = (block * n_sources + ring[slot, j]) * n_delays + k
            for e in range(pointer[start], pointer[start + 1]):
                if free[target[e]]:
                    row[target[e]] += weight[e] * factor


@_inner
def gather(step, hits, bounds, found, ring, ring_n, out_unit, out_step, at):  # type: ignore[no-untyped-def]
    """Join the blocks' spikes, in order of cells, into the ring and the output; its new end."""
    slot = step % ring.shape[0]
    n = 0
    for block in range(found.size):
        for j in range(found[block]):
            cell = hits[bounds[block] + j]
            ring[slot, n] = cell
            out_unit[at + n] = cell
            out_step[at + n] = step
            n += 1
    ring_n[slot] = n
    return at + n


@_inner
def factors_of(concentration, receptors, effects, factors):  # type: ignore[no-untyped-def]
    """Write the factor of each modulated parameter at these concentrations.

    `receptors` rows: transmitter, EC50, Hill exponent. `effects` rows: factor, receptor,
    at_saturation - 1.
    """
    for k in range(factors.size):  # a slice assignment takes Numba a second to compile
        factors[k] = 1.0
    for k in range(effects.shape[0]):
        receptor = int(effects[k, 1])
        powered = max(concentration[int(receptors[receptor, 0])], 0.0) ** receptors[receptor, 2]
        occupancy = powered / (receptors[receptor, 1] ** receptors[receptor, 2] + powered)
        factors[int(effects[k, 0])] += effects[k, 2] * occupancy
    for k in range(factors.size):
        factors[k] = max(0.0, factors[k])


@_inner
def sample(frame, values, courses):  # type: ignore[no-untyped-def]
    """Copy `values` to a row of `courses`."""
    for k in range(values.size):
        courses[frame, k] = values[k]


@_inner
def clip(x, low, high):  # type: ignore[no-untyped-def]
    """`x`, held within `low` and `high`."""
    return min(max(x, low), high)


@_inner
def exprel(x):  # type: ignore[no-untyped-def]
    """`(exp(x) - 1) / x`, 1 at 0."""
    return 1.0 if x == 0.0 else math.expm1(x) / x


@_inner
def sign(x):  # type: ignore[no-untyped-def]
    """-1, 0 or 1."""
    return float(x > 0.0) - float(x < 0.0)
