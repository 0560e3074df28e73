"""Stablemax against its definition, and what the halt head is taught."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bridges.reasoning.carry import IGNORED
from bridges.reasoning.losses import (
    answer_loss,
    correct,
    halting_loss,
    log_stablemax,
    stablemax_cross_entropy,
)

logits_lists = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def s(x: float) -> float:
    return x + 1 if x >= 0 else 1 / (1 - x)


@given(logits_lists)
def test_stablemax_is_its_definition(values: list[float]) -> None:
    found = log_stablemax(torch.tensor(values, dtype=torch.float64)).exp()
    total = math.fsum(s(x) for x in values)
    for x, p in zip(values, found.tolist(), strict=True):
        # Some ten roundings of float64, in log and exp of numbers up to log(1e12).
        assert p == pytest.approx(s(x) / total, rel=1e-13)


def test_stablemax_of_known_logits() -> None:
    """s(2) = 3, s(0) = 1, s(-1) = 1/2, s(-3) = 1/4: the shares of 4.75."""
    found = log_stablemax(torch.tensor([2.0, 0.0, -1.0, -3.0])).exp()
    assert found.tolist() == pytest.approx([3 / 4.75, 1 / 4.75, 0.5 / 4.75, 0.25 / 4.75], rel=1e-14)


def test_float32_logits_are_marked_in_float64() -> None:
    loss = stablemax_cross_entropy(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(math.log(5 / 4), rel=1e-15)


@given(logits_lists)
def test_gradient_is_finite_and_pushes_the_right_way(values: list[float]) -> None:
    logits = torch.tensor([values], dtype=torch.float64, requires_grad=True)
    stablemax_cross_entropy(logits, torch.tensor([0])).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert logits.grad[0, 0] <= 0 and (logits.grad[0, 1:] >= 0).all()


def test_gradient_at_zero_is_that_of_both_sides() -> None:
    """s has slope 1 on both sides of 0, so d(-log p0)/dx0 = -(1 - p0) there."""
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    stablemax_cross_entropy(logits, torch.tensor([0])).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([-0.5, 0.5])


@given(logits_lists)
def test_gradient_is_that_of_the_definition(values: list[float]) -> None:
    """d(-log p_0)/dx_j = s'(x_j)/s(x_j) * (p_j - [j is 0]), by hand: s'/s is 1/(1 + |x|)."""
    logits = torch.tensor([values], dtype=torch.float64, requires_grad=True)
    stablemax_cross_entropy(logits, torch.tensor([0])).sum().backward()
    total = math.fsum(s(x) for x in values)
    assert logits.grad is not None
    for j, (x, found) in enumerate(zip(values, logits.grad[0].tolist(), strict=True)):
        wanted = (s(x) / total - (j == 0)) / (1 + abs(x))
        # p_j - 1 cancels where p_j is near 1: absolute error of some ten roundings.
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_ignored_labels_take_no_part() -> None:
    logits = torch.tensor([[[2.0, 0.0], [5.0, -7.0]], [[1.0, 1.0], [0.0, 3.0]]], requires_grad=True)
    labels = torch.tensor([[0, IGNORED], [IGNORED, IGNORED]])
    found = answer_loss(logits, labels)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([math.log(4 / 3), 0.0])  # s = 3, 1
    found.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].all() and not logits.grad[0, 1].any() and not logits.grad[1].any()
    assert correct(logits, labels).tolist() == [[True, False], [False, False]]


def test_the_mean_is_over_what_is_labelled() -> None:
    """Two of three answers are: shares 3/4 and 1/4 of stablemax([2, 0])."""
    logits = torch.tensor([[[2.0, 0.0]] * 3])
    found = answer_loss(logits, torch.tensor([[0, IGNORED, 1]])).item()
    assert found == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, rel=1e-14)


def test_halting_learns_from_its_own_output_alone() -> None:
    halt = torch.tensor([0.0, 0.0, 0.0], requires_grad=True)
    target = torch.tensor([1.0, 0.25, 1.0], requires_grad=True)
    found = halting_loss(halt, target, torch.tensor([True, True, False]))
    assert found.tolist() == pytest.approx([math.log(2), math.log(2), 0.0])
    found.sum().backward()
    assert target.grad is None and halt.grad is not None
    assert halt.grad.tolist() == pytest.approx([-0.5, 0.25, 0.0])  # sigmoid - target
