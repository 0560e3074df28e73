"""The kernel's own functions against the truth: the errors that its docstring states hold."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import pytest
import torch

from neuro.backends.norse.functions import clip as clip_of_torch
from neuro.backends.numba.mathematics import FLOAT32, FLOAT64, clip

N = 40_001
TRUTH: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "tanh": np.tanh, "sinh": np.sinh,
    "cosh": np.cosh, "exprel": lambda x: np.where(x == 0, 1, np.expm1(x) / np.where(x == 0, 1, x)),
}  # fmt: skip
ULP = {"exp": 2, "log": 2}  # all others 5, as the docstring says


def applied(function: object, x: np.ndarray) -> np.ndarray:
    @numba.njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    out = np.empty_like(x)
    loop(x, out)
    return out


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize(("family", "real"), [(FLOAT32, np.float32), (FLOAT64, np.float64)])
def test_functions_are_within_the_stated_error(name: str, family: dict, real: type) -> None:
    """80-bit arithmetic is the truth: 11 bits more than the better of the two."""
    limits = np.finfo(real)
    if name == "log":
        x = np.concatenate([np.geomspace(limits.tiny, limits.max**0.9, N), np.linspace(0.5, 2, N)])
    else:
        edge = np.log(limits.max) - 1
        small = np.geomspace(1e-12, 1, N)
        x = np.concatenate([np.linspace(-edge, edge, N), np.linspace(-1, 1, N), small, -small])
    x = x.astype(real)
    true = TRUTH[name](x.astype(np.longdouble))
    kept = (np.abs(true) > 4 * limits.tiny) & (np.abs(true) < limits.max)
    got = applied(family[name], x)[kept].astype(np.longdouble)
    assert kept.sum() > N
    error = np.abs(got - true[kept]) / np.spacing(np.abs(true[kept]).astype(real))
    assert error.max() <= ULP.get(name, 5)


@pytest.mark.parametrize(("family", "real"), [(FLOAT32, np.float32), (FLOAT64, np.float64)])
def test_edges_behave_as_in_the_c_library(family: dict, real: type) -> None:
    x = np.array([0, np.inf, -np.inf, np.nan, 1000, -1000], real)
    np.testing.assert_array_equal(applied(family["exp"], x), [1, np.inf, 0, np.nan, np.inf, 0])
    x = np.array([0, -1, np.inf, np.nan, 1], real)
    np.testing.assert_array_equal(applied(family["log"], x), [-np.inf, np.nan, np.inf, np.nan, 0])


def test_a_loop_gives_each_cell_the_same_bits_wherever_it_stands() -> None:
    """Vector lanes and the scalar rest of a loop must agree, or blocks would change results."""
    x = np.linspace(-20, 20, 1003).astype(np.float32)
    whole = applied(FLOAT32["exp"], x)
    for start in (1, 5, 17, 1000):
        np.testing.assert_array_equal(applied(FLOAT32["exp"], x[start:].copy()), whole[start:])


def test_clip_holds_within_both_bounds() -> None:
    @numba.njit
    def clipped(x, low, high):
        return clip(x, low, high)

    assert [clipped(x, -1.0, 2.0) for x in (-3.0, 0.5, 7.0)] == [-1.0, 0.5, 2.0]
    # Where the bounds cross, back ends do as NumPy.
    for x in (1.0, 2.0, 3.5, 7.0):
        tensor = torch.tensor([x])
        assert clipped(x, 3.0, 1.0) == np.clip(x, 3.0, 1.0) == 1.0
        for low, high in ((3.0, 1.0), (torch.tensor([3.0]), torch.tensor([1.0]))):
            assert clip_of_torch(tensor, low, high).item() == 1.0
