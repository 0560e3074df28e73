"""The counter-based generator against its published answers."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy.stats import chi2, kstest, poisson

from neuro.backends.numba.plan import ladder_of
from neuro.backends.numba.random import (
    TILE,
    normal32,
    normal64,
    philox,
    poisson_input,
    seed_key,
    stream_of,
    uniform,
)  # fmt: skip


@numba.njit
def words(a, b, c, d, key):
    return philox(a, b, c, d, key)


@numba.njit
def draws(kind, key, stream, n_cells, n_steps):
    out = np.empty((n_cells, n_steps))
    for cell in range(n_cells):
        for step in range(n_steps):
            if kind == 0:
                out[cell, step] = uniform(key, stream, cell, step)
            elif kind == 1:
                out[cell, step] = normal64(key, stream, cell, step)
            else:
                out[cell, step] = normal32(key, stream, cell, step)
    return out


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # known-answer vectors of the Random123 distribution, philox4x32-10
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            0xFFFFFFFFFFFFFFFF,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
    ],
)
def test_philox_gives_the_published_words(
    counter: tuple[int, ...], key: int, expected: tuple[int, ...]
) -> None:
    assert tuple(int(w) for w in words(*map(np.uint64, counter), np.uint64(key))) == expected


@pytest.mark.parametrize(("kind", "law"), [(0, "uniform"), (1, "norm"), (3, "norm")])
def test_draws_follow_their_law_along_cells_and_along_steps(kind: int, law: str) -> None:
    sample = draws(kind, seed_key(3), stream_of("x"), 200, 200)
    assert kstest(sample.ravel(), law).pvalue > 1e-4
    for axis in (0, 1):  # neighbours are uncorrelated: 5 standard errors of r over 39,800 pairs
        a = np.take(sample, range(199), axis).ravel()
        b = np.take(sample, range(1, 200), axis).ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def test_seeds_streams_cells_and_steps_all_matter() -> None:
    base = draws(0, seed_key(1), stream_of("x"), 3, 3)
    assert len(np.unique(base)) == 9
    assert not np.isin(draws(0, seed_key(2), stream_of("x"), 3, 3), base).any()
    assert not np.isin(draws(0, seed_key(1), stream_of("y"), 3, 3), base).any()
    assert np.array_equal(draws(0, seed_key(1), stream_of("x"), 3, 3), base)


@numba.njit
def arrivals(row, first, step, key, stream, lowest, ladder, weight, words, count, free):
    poisson_input(row, first, step, key, stream, lowest, ladder, weight, words, count, free)


def poisson_numbers(
    mean: float, n: int, *, first: int = 0, steps: int = 50, free: np.ndarray | None = None
) -> np.ndarray:
    """`(steps, n)` numbers of arrivals."""
    lowest, ladder = ladder_of(mean)
    out = np.zeros((steps, n), np.float32)
    nobody = np.zeros(0, np.uint8)
    for step in range(steps):
        arrivals(
            out[step], first, step, seed_key(4), stream_of("b"), lowest, ladder, np.float32(1),
            np.empty(TILE, np.uint32), np.empty(TILE, np.float32), nobody if free is None else free,
        )  # fmt: skip
    return out


@pytest.mark.parametrize("mean", [0.01, 0.8, 2.3, 40.0, 900.0])
def test_background_arrivals_are_poisson(mean: float) -> None:
    """Mean and variance within 5 standard errors, and the whole law by a chi-square test."""
    drawn = poisson_numbers(mean, 1024)
    n = drawn.size
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(mean / n)
    # var(s^2) = (mu4 - sigma^4)/n with mu4 = mean + 3 mean^2 for a Poisson law
    assert abs(drawn.var() - mean) < 5 * np.sqrt((mean + 2 * mean**2) / n)
    values = np.arange(int(drawn.max()) + 2)
    expected = poisson.pmf(values, mean) * n
    seen = np.bincount(drawn.ravel().astype(int), minlength=values.size)
    common = expected > 10
    statistic = ((seen - expected)[common] ** 2 / expected[common]).sum()
    assert chi2.sf(statistic, common.sum()) > 1e-4
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 5 / np.sqrt(1024)


def test_background_arrivals_do_not_depend_on_the_block() -> None:
    whole = poisson_numbers(1.6, 4 * TILE)
    np.testing.assert_array_equal(poisson_numbers(1.6, TILE, first=2 * TILE),
                                  whole[:, 2 * TILE : 3 * TILE])  # fmt: skip


def test_cells_that_are_held_take_no_arrivals() -> None:
    free = np.ones(TILE, np.uint8)
    free[5] = 0
    drawn = poisson_numbers(2.0, TILE, free=free)
    assert (drawn[:, 5] == 0).all()
    assert (drawn[:, 6] > 0).any()
