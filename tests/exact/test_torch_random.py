"""Random numbers as tensors are those of the numba back end."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch

from neuro.backends.norse.random import normal, seed_key, stream_of, uniform, words
from neuro.backends.numba import random as reference

STREAM = stream_of("a population") + 3


def theirs(name: str, seed: int, steps: range, n: int) -> np.ndarray:
    draw = getattr(reference, name)

    @numba.njit
    def all_of(key, out, first):
        for s in range(out.shape[0]):
            for cell in range(out.shape[1]):
                out[s, cell] = draw(key, STREAM, cell, first + s)

    out = np.zeros((len(steps), n))
    all_of(reference.seed_key(seed), out, steps.start)
    return out


@pytest.mark.parametrize("bits", [32, 64])
def test_numbers_are_numbas(bits: int) -> None:
    """Uniform numbers exactly; normal ones within 8 units in the last place of 6, their range."""
    dtype = {32: torch.float32, 64: torch.float64}[bits]
    assert seed_key(7) == int(reference.seed_key(7))
    assert stream_of("a population") == reference.stream_of("a population")
    first = 2**32 - 3  # the counter's high word begins to count within these steps
    drawn = words(7, STREAM, 9, first, 6)
    assert drawn[0].shape == (6, 1, 9)
    expected = theirs("uniform", 7, range(first, first + 6), 9)
    assert np.array_equal(uniform(drawn, dtype)[:, 0].double().numpy(), expected)
    expected = theirs(f"normal{bits}", 7, range(first, first + 6), 9)
    apart = np.abs(normal(drawn, dtype)[:, 0].double().numpy() - expected).max()
    assert apart <= 8 * 6 * torch.finfo(dtype).eps
    assert np.abs(expected).max() > 1


def test_each_of_a_batch_may_have_a_seed() -> None:
    both = uniform(words([1, 2], STREAM, 5, 0, 4), torch.float64)
    assert both.shape == (4, 2, 5)
    for k, seed in enumerate((1, 2)):
        alone = uniform(words(seed, STREAM, 5, 0, 4), torch.float64)
        assert torch.equal(both[:, k], alone[:, 0])
    assert not torch.equal(both[:, 0], both[:, 1])


def test_chunks_do_not_change_the_numbers() -> None:
    whole = normal(words(3, STREAM, 5, 0, 10), torch.float32)
    parts = [normal(words(3, STREAM, 5, at, 5), torch.float32) for at in (0, 5)]
    assert torch.equal(whole, torch.cat(parts))
    longer = normal(words(3, STREAM, 8, 0, 10), torch.float32)
    assert torch.equal(longer[:, :, :5], whole)


def test_moments_are_those_of_the_distributions() -> None:
    """10,000 numbers: means and variances within 4 standard errors."""
    drawn = words(11, STREAM, 100, 0, 100)
    u, z = uniform(drawn, torch.float64).flatten(), normal(drawn, torch.float64).flatten()
    n = len(u) ** 0.5
    assert abs(float(u.mean()) - 0.5) < 4 * (1 / 12) ** 0.5 / n
    assert abs(float(u.var()) - 1 / 12) < 4 * (1 / 180) ** 0.5 / n
    assert abs(float(z.mean())) < 4 / n
    assert abs(float(z.var()) - 1) < 4 * 2**0.5 / n
