"""Rates and intervals as distributions: whether two back ends could have drawn them alike.

The statistic is Kolmogorov and Smirnov's: the largest distance between two empirical
distribution functions. What counts as one observation decides about its p. Cells of one run hear
one another, so with several seeds a run is the observation: the means of runs are compared by the
exact test, and pooled values of cells by relabelling whole runs (Good 2005, Permutation, Parametric
and Bootstrap Tests of Hypotheses, ch. 3). Back ends run the same seeds, hence the same wiring,
which makes these tests a little slow to reject, never too quick. With one seed cells stand for
observations; they share their wiring between back ends too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from neuro.measures import intervals
from neuro.spikes import Spikes
from neuro.wiring import generator

__all__ = ["Test", "compare_distributions", "holm", "seeds_needed", "tests_of"]

Array = NDArray[np.float64]

_LABELLINGS = 9999
"""Random relabellings; the smallest p is one in ten thousand. Engineering choice."""

_GRID = 256
"""Quantiles of the pooled values at which distribution functions are compared; engineering
choice: they are 0.4 % apart."""

MEASURES = ("rate of runs", "rates of cells", "intervals")
ONE_SEED = ("rates of cells", "intervals of cells")


@dataclass(frozen=True)
class Test:
    """One comparison of two samples.

    Attributes:
        how: What was done to get `p`.
        corrected: `p` after Holm's correction for all tests of its back end.
    """

    population: str
    measure: str
    n_reference: int
    n_other: int
    statistic: float
    p: float
    how: str
    corrected: float = 1.0


def tests_of(n_populations: int) -> int:
    """How many tests a back end gets, at most, where there are several seeds."""
    return len(MEASURES) * n_populations


def seeds_needed(n_tests: int, alpha: float) -> int:
    """The fewest seeds with which the tests could find any difference at all.

    With n runs on each side no p is below 2 / (2n choose n).
    """
    n = 2
    while 2 / comb(2 * n, n) * n_tests > alpha:
        n += 1
    return n


def compare_distributions(
    name: str, reference: Sequence[Spikes], other: Sequence[Spikes], *, stream: str = ""
) -> list[Test]:
    """Tests of one population, over runs of the same seeds; one run a side is enough.

    What neither side has enough of is left out.

    Args:
        stream: Names the random numbers of relabelling, which depend on nothing else.
    """
    if len(reference) == 1:
        return _over_cells(name, reference[0], other[0])
    found = [_means(name, [s.rate_hz for s in reference], [s.rate_hz for s in other])]
    for measure, values in ((MEASURES[1], _rates), (MEASURES[2], intervals)):
        a, b = [values(s) for s in reference], [values(s) for s in other]
        if sum(map(len, a)) and sum(map(len, b)):
            found.append(_relabelled(name, measure, a, b, stream))
    return found


def holm(tests: Sequence[float]) -> list[float]:
    """p after correction for their number: of true nulls, any falls below alpha with a chance of
    at most alpha (Holm 1979, Scand J Stat 6:65).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(tests)), key=lambda k: tests[k])
    corrected, least = [0.0] * len(tests), 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(tests) - rank) * tests[k]))
        corrected[k] = least
    return corrected


def _rates(spikes: Spikes) -> Array:
    return spikes.counts() / (spikes.duration_ms / 1000.0)


def _over_cells(name: str, reference: Spikes, other: Spikes) -> list[Test]:
    def middle(spikes: Spikes) -> Array:
        """Each cell's median interval, of the cells that have one."""
        units = [np.diff(spikes.of(unit)) for unit in range(spikes.n_units)]
        return np.array([np.median(gaps) for gaps in units if gaps.size])

    how = "Kolmogorov-Smirnov, asymptotic, one observation a cell"
    found = []
    values: tuple[Callable[[Spikes], Array], ...] = (_rates, middle)
    for measure, of in zip(ONE_SEED, values, strict=True):
        a, b = of(reference), of(other)
        if a.size and b.size:
            found.append(_ks(name, measure, a, b, how, "asymp"))
    return found


def _means(name: str, reference: Sequence[float], other: Sequence[float]) -> Test:
    how = "Kolmogorov-Smirnov, exact, one observation a run"
    return _ks(name, MEASURES[0], np.array(reference), np.array(other), how, "exact")


def _ks(name: str, measure: str, a: Array, b: Array, how: str, method: str) -> Test:
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # Where rounding takes p beyond 1, SciPy takes the asymptotic p, which is 1, and says so.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        found = ks_2samp(a, b, method=method)
    return Test(
        name, measure, a.size, b.size, float(found.statistic), min(1.0, float(found.pvalue)), how
    )


def _relabelled(
    name: str, measure: str, a: Sequence[Array], b: Sequence[Array], stream: str
) -> Test:
    runs = [*a, *b]
    pooled = np.concatenate(runs)
    grid = np.unique(np.quantile(pooled, np.linspace(0, 1, _GRID), method="inverted_cdf"))
    below = np.array([np.searchsorted(np.sort(run), grid, side="right") for run in runs], float)
    sizes = np.array([len(run) for run in runs], float)

    def distance(left: Array) -> Array:
        """Of each labelling, a row of 0 and 1, the largest distance."""
        n = left @ sizes
        rest = sizes.sum() - n
        of_left, of_rest = left @ below, (1 - left) @ below
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.abs(of_left / n[:, None] - of_rest / rest[:, None])
        return np.asarray(np.where((n > 0) & (rest > 0), apart.max(axis=1), 1.0))

    mine = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
    seen = float(distance(mine[None, :])[0])
    rng = generator(0, "relabel", stream, name, measure)
    others = rng.permuted(np.broadcast_to(mine, (_LABELLINGS, mine.size)), axis=1)
    # A labelling is at least as far as the one seen, but for rounding.
    beyond = int((distance(others) >= seen - 1e-12).sum())
    return Test(
        name, measure, int(sizes[: len(a)].sum()), int(sizes[len(a) :].sum()), seen,
        (1 + beyond) / (1 + _LABELLINGS), "Kolmogorov-Smirnov, p by relabelling whole runs",
    )  # fmt: skip
