"""When a slot may halt, what a modulator's factor makes of a budget, and the running average."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bridges.reasoning.ema import EMA
from bridges.reasoning.halting import exploration, wants_to_halt
from bridges.reasoning.modulation import budget_factor, halting_budget
from bridges.reasoning.reasoner import build
from neuro.errors import ConfigError
from neuro.recording import Course, Recording
from tests.reasoning._small import KINDS, generator


def test_the_halt_head_decides_alone_or_against_the_value_of_going_on() -> None:
    halt, go_on = torch.tensor([-1.0, 0.0, 1.0, 1.0]), torch.tensor([-2.0, -1.0, 2.0, 0.0])
    alone = wants_to_halt(KINDS["trm-mlp"], halt, go_on)
    weighed = wants_to_halt(KINDS["hrm"], halt, go_on)
    assert alone.tolist() == [False, False, True, True]
    assert weighed.tolist() == [True, True, False, True]


def test_exploration_draws_every_step_from_two_on_alike() -> None:
    settings, n = dataclasses.replace(KINDS["trm-mlp"], exploration=0.5, steps_max=5), 8000
    drawn = exploration(settings, generator(2), torch.zeros(n, dtype=torch.int64))
    shares = drawn.bincount(minlength=6).double() / n
    # Five standard errors of a share of an eighth.
    error = 5 * (0.125 * 0.875 / n) ** 0.5
    assert shares.tolist() == pytest.approx([0.5, 0, *[0.125] * 4], abs=2 * error)
    assert shares[1] == 0 and drawn.max() == 5


def test_nobody_explores_without_the_chance() -> None:
    settings = dataclasses.replace(KINDS["trm-mlp"], exploration=0.0)
    assert not exploration(settings, generator(2), torch.zeros(500)).any()


def test_one_step_leaves_nothing_to_explore_but_draws() -> None:
    settings = dataclasses.replace(KINDS["trm-mlp"], exploration=1.0, steps_max=1)
    assert exploration(settings, generator(2), torch.zeros(9)).tolist() == [2.0] * 9


@given(st.integers(1, 100), st.floats(0, 10), st.floats(0, 10))
def test_budget_is_whole_positive_and_rises_with_the_factor(n: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 1 <= halting_budget(n, low) <= halting_budget(n, high)
    assert abs(halting_budget(n, a) - max(1.0, n * a)) <= 0.5 + 1e-9
    assert halting_budget(n, 1.0) == n


@pytest.mark.parametrize(("n", "factor"), [(0, 1.0), (4, -0.1), (4, float("nan"))])
def test_impossible_budgets_are_refused(n: int, factor: float) -> None:
    with pytest.raises(ConfigError):
        halting_budget(n, factor)


def recording(**factors: list[float]) -> Recording:
    courses = {
        name.replace("_", "."): Course(name, "1", 1.0, np.array(values))
        for name, values in factors.items()
    }
    return Recording(10.0, 0.1, 0, "numba", spikes={}, factors=courses)


def test_factor_of_a_run_is_its_mean_over_time() -> None:
    assert budget_factor(recording(reasoner_budget=[1.0, 0.5, 0.3])) == pytest.approx(0.6)


def test_a_run_that_says_nothing_about_the_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"found bushy\.weight"):
        budget_factor(recording(bushy_weight=[1.0]))


def test_average_follows_its_recursion_and_holds_buffers() -> None:
    net = torch.nn.BatchNorm1d(2)  # parameters, float buffers and an integer buffer
    ema = EMA(net, decay=0.5)
    expected = net.running_mean.clone() if net.running_mean is not None else torch.zeros(2)
    for update in range(12):
        with torch.no_grad():
            net.running_mean += update + 1.0  # type: ignore[operator]
            net.weight += 1.0
            net.num_batches_tracked += 3  # type: ignore[operator]
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * net.running_mean
        ema.update(net)
    assert torch.allclose(ema.state_dict()["running_mean"], expected)
    assert ema.state_dict()["num_batches_tracked"].item() == 36
    assert not torch.equal(ema.state_dict()["weight"], net.weight)
    assert not any(part.requires_grad for part in ema.model.parameters())


def test_average_holds_the_start_vectors_of_the_model() -> None:
    made = build(KINDS["trm-mlp"])
    ema = EMA(made)
    assert torch.equal(ema.state_dict()["start_y"], made.start_y)
    with torch.no_grad():
        made.start_y += 1.0
    ema.update(made)
    assert not torch.equal(ema.state_dict()["start_y"], made.start_y - 1.0)
