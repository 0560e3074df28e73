"""Expressions in PyTorch's words: the values NumPy gives, and gradients that stay finite."""

from __future__ import annotations

import ast
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.backends.norse._shared import shared
from neuro.backends.norse.functions import clip, exprel, floor_divide
from neuro.backends.norse.printed import Printed
from neuro.backends.norse.wording import IMPORTS, in_torch
from neuro.equations.hoist import evaluate
from neuro.equations.syntax import FUNCTIONS, parse_expression

HEADER = "\n".join(
    ["from torch import float64 as F__, tensor", "number__ = lambda x: tensor(x, dtype=F__)"]
    + [
        f"from {module} import {', '.join(f'{name} as {name}__' for name in names)}"
        for module, names in IMPORTS.items()
    ]
)


def value_of(expression: str, **values: np.ndarray) -> np.ndarray:
    """The printed expression, run."""
    text = in_torch(expression, lambda kind: "0.5", "number__({!r})".format)
    code = Printed(f"{HEADER}\n\ndef f({', '.join(values)}):\n    return {text}\n")
    result = code.f(*(torch.as_tensor(value) for value in values.values()))
    return np.broadcast_to(np.asarray(result, np.float64), np.shape(next(iter(values.values()))))


X = np.array([-2.5, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.2, 0.75, 1.0, 3.25])
Y = np.array([0.5, -2.0, 3.0, 1.5, 2.0, -1.0, -0.25, 4.0, 1.0, -3.0])
ARGUMENTS = {"clip": "x, y, 1.0", "log": "abs(x)", "log10": "abs(x)", "sqrt": "abs(x)",
             "arcsin": "clip(x, -1, 1)", "arccos": "clip(x, -1, 1)"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"rand", "randn"}))
def test_every_function_of_the_language(name: str) -> None:
    """Within 4 units in the last place, of the largest value where terms cancel."""
    text = f"{name}({ARGUMENTS.get(name, 'x')})"
    expected = evaluate(text, {"x": X, "y": Y})
    np.testing.assert_allclose(value_of(text, x=X, y=Y), expected, rtol=4 * 2.0**-52, atol=0)


@pytest.mark.parametrize(
    "text",
    [
        "x % y", "x // y", "-x**2", "x**3 - y**4", "abs(x)**0.5", "abs(x)**0.25", "y**-2", "y**6",
        "abs(x)**1.7", "x**8 + x**9", "1/y - 2/3", "int(x > y) + int(not x > 0)*y",
        "int(x > 0 and y > 0 or x == y)", "(x > y) * 3 + (x <= y)", "int(y)", "pi*x + e",
        "exp(1)*x", "x*(exp(2) - 1)", "+x", "x - -1", "2**x", "(-2)**2 * x", "exprel(0)*x",
        "int(x >= y)/int(x < 10)", "x != y", "7 // 2 * x",
    ],
)  # fmt: skip
def test_every_operator_of_the_language(text: str) -> None:
    parse_expression(text, "test")
    expected = evaluate(text, {"x": X, "y": Y})
    np.testing.assert_allclose(value_of(text, x=X, y=Y), expected, rtol=4 * 2.0**-52, atol=0)


def trees() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["x", "y", "0.5", "2", "3.25", "pi"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(inner, st.sampled_from("+-*"), inner)
        return st.one_of(
            pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            inner.map("exp(-abs({}))".format),
            inner.map("tanh({})".format),
            inner.map("({}) / (1 + abs(x))".format),
            st.tuples(inner, inner).map(lambda p: f"int({p[0]} > {p[1]})"),
            inner.map("({})**2".format),
            inner.map("-({})".format),
        )

    return st.recursive(leaves, grow, max_leaves=12)


@settings(max_examples=60)
@given(trees())
def test_any_expression_has_numpys_value(text: str) -> None:
    """Operations in the same order differ by the last place of exp and tanh at most."""
    x, y = X[:6], Y[:6] + 0.01
    expected = evaluate(text, {"x": x, "y": y})
    size = np.maximum(1.0, np.abs(expected))
    if np.isfinite(expected).all() and size.max() < 1e6 and ">" not in text:
        assert (np.abs(value_of(text, x=x, y=y) - expected) <= 1e-9 * size).all()
    elif np.isfinite(expected).all():  # a comparison of nearly equal numbers may fall either way
        assert np.isfinite(value_of(text, x=x, y=y)).all()


def test_a_wrong_word_would_be_seen() -> None:
    assert not np.allclose(value_of("exp(x)", x=X), evaluate("exp(x) + 1e-9", {"x": X}), 1e-12, 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_slope_of_exprel_is_exact_near_zero(dtype: torch.dtype) -> None:
    """Of the series 1/2 + x/3 + x**2/8 + …, to rounding, or to its loss further out."""
    small = [0.0, *(sign * 10.0**-k for k in range(1, 40, 3) for sign in (1, -1))]
    x = torch.tensor(small, dtype=dtype, requires_grad=True)
    exprel(x).sum().backward()
    at = x.detach().double()
    terms = [at**k / (math.factorial(k) * (k + 2)) for k in range(12)]
    expected = sum(terms[1:], terms[0])
    eps = torch.finfo(dtype).eps
    assert torch.allclose(x.grad.double(), expected, rtol=20 * eps, atol=0)
    far = torch.tensor([-50.0, -3.0, -0.5, 0.4, 2.0, 20.0], dtype=dtype, requires_grad=True)
    exprel(far).sum().backward()
    z = far.detach().double()
    exact = (z * z.exp() - torch.expm1(z)) / z**2
    assert torch.allclose(far.grad.double(), exact, rtol=20 * eps, atol=0)
    # The gradient that PyTorch would derive of expm1(x)/x has lost all digits here.
    tiny = [7.7e-12, 3.1e-11, 1.3e-10] if dtype == torch.float64 else [7.7e-6, 3.1e-5, 1.3e-4]
    naive = torch.tensor(tiny, dtype=dtype, requires_grad=True)
    (torch.expm1(naive) / naive).sum().backward()
    assert (naive.grad - 0.5 - naive.detach() / 3).abs().max() > 100 * eps


def test_gradients_are_those_of_finite_differences() -> None:
    x = torch.tensor([-3.0, -0.2, 0.7, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exprel, x)
    assert torch.autograd.gradcheck(lambda v: clip(v, -1.0, torch.full_like(v, 1.5)), x)
    floor_divide(x, 2.0).sum().backward()
    assert not x.grad.any()


def test_no_gradient_is_lost_at_an_infinite_exponential() -> None:
    """1/(1 + exp(x)) and its like, far out, where the branch that is not taken is infinite."""
    x = torch.tensor([-800.0, 0.0, 800.0], dtype=torch.float64, requires_grad=True)
    exprel(-x.abs()).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_what_lines_share_is_computed_once() -> None:
    lines = ["a = f__(m * h) + n", "b = c0__ * f__(m * h)", "c = (f__(m * h) + n) / b", "d = m * n"]
    short = shared(lines)
    assert sum(line.count("f__(") for line in short) == 1
    rng = np.random.default_rng(0)

    def run(code: list[str]) -> dict[str, float]:
        names = {k: float(v) for k, v in zip(["m", "h", "n", "c0__"], rng.random(4), strict=True)}
        for line in code:
            name, _, text = line.partition(" = ")
            names[name] = float(evaluate(text.replace("f__", "exp"), names))
        return {k: names[k] for k in "abcd"}

    rng, once = np.random.default_rng(0), run(lines)
    rng = np.random.default_rng(0)
    assert run(short) == once
    assert all(isinstance(ast.parse(line).body[0], ast.Assign) for line in short)
