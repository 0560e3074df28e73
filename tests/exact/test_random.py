"""The counter-based generator against its published answers."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy.stats import kstest

from neuro.backends.numba.random import normal, philox, seed_key, stream_of, uniform


@numba.njit
def words(a, b, c, d, key):
    return philox(a, b, c, d, key)


@numba.njit
def draws(kind, key, stream, n_cells, n_steps):
    out = np.empty((n_cells, n_steps))
    for cell in range(n_cells):
        for step in range(n_steps):
            out[cell, step] = (
                uniform(key, stream, cell, step) if kind == 0 else normal(key, stream, cell, step)
            )
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


@pytest.mark.parametrize(("kind", "law"), [(0, "uniform"), (1, "norm")])
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
