"""Which spike of one train is which of another: one to one, within a jitter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.errors import ConfigError
from neuro.spikes import Spikes

__all__ = ["Matching", "match"]

_SLACK = 1e-6
"""Of the jitter: times are multiples of a step in floating point, and `<=` is meant."""

_LARGEST = 4000
"""Spikes of one cell that are matched at once; more would need over 100 MB."""

Indices = NDArray[np.int64]


class Matching(NamedTuple):
    """`reference[k]` and `other[k]` are the numbers of two spikes that belong together.

    Pairs come in the order of cells and, within a cell, of time.
    """

    reference: Indices
    other: Indices


def match(reference: Spikes, other: Spikes, jitter_ms: float) -> Matching:
    """Pair the spikes of each cell: as many as can be within `jitter_ms` and, of all the ways to
    pair so many, one whose time differences have the smallest sum.

    Cells are independent. Trains fall into groups that lie more than the jitter apart, most of
    them of one spike and its partner; what is left is the assignment problem, for SciPy.

    Raises:
        ConfigError: if the jitter joins so many spikes of one cell that pairing means nothing.
    """
    first, second = _by_cell(reference), _by_cell(other)
    units = np.concatenate([reference.units[first], other.units[second]])
    times = np.concatenate([reference.times_ms[first], other.times_ms[second]])
    order = np.lexsort((times, units))
    units, times = units[order], times[order]
    within = jitter_ms * (1 + _SLACK) + 1e-9
    apart = (np.diff(units) != 0) | (np.diff(times) > within)
    group = np.concatenate([np.zeros(min(1, units.size), np.int64), np.cumsum(apart)])
    numbers, of_reference = np.concatenate([first, second])[order], order < first.size
    n_groups = int(group[-1]) + 1 if group.size else 0
    a = np.bincount(group[of_reference], minlength=n_groups)
    b = np.bincount(group[~of_reference], minlength=n_groups)
    simple = (a == 1) & (b == 1)
    pairs = [(numbers[of_reference & simple[group]], numbers[~of_reference & simple[group]])]
    starts = np.searchsorted(group, np.arange(n_groups + 1))
    for number in np.flatnonzero((a > 0) & (b > 0) & ~simple):
        here = slice(starts[number], starts[number + 1])
        mine = of_reference[here]
        pairs.append(_assign(numbers[here][mine], numbers[here][~mine], times[here], mine, within))
    left, right = (np.concatenate(part) for part in zip(*pairs, strict=True))
    by_cell = np.lexsort((reference.times_ms[left], reference.units[left]))
    return Matching(left[by_cell], right[by_cell])


def _by_cell(spikes: Spikes) -> Indices:
    return np.argsort(spikes.units, kind="stable")


def _assign(
    a: Indices, b: Indices, times: NDArray[np.float64], mine: NDArray[np.bool_], within: float
) -> tuple[Indices, Indices]:
    from scipy.optimize import linear_sum_assignment

    if max(a.size, b.size) > _LARGEST:
        raise ConfigError(
            f"--jitter must be shorter than the intervals between spikes, found {within:g} ms, "
            f"which joins {max(a.size, b.size):,} spikes of one cell; lower it"
        )
    apart = np.abs(times[mine][:, None] - times[~mine][None, :])
    # A pair too many costs more than all differences together, so the most pairs come first.
    cost = np.where(apart <= within, apart, within * (min(a.size, b.size) + 1))
    rows, columns = linear_sum_assignment(cost)
    near = apart[rows, columns] <= within
    return a[rows[near]], b[columns[near]]
