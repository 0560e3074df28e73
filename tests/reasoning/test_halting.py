"""Slots that halt and are refilled; answers within a budget; what a modulator does to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bridges.reasoning.ema import EMA
from bridges.reasoning.halting import EXPLORATION, Slots, answer, settle
from bridges.reasoning.modulation import budget_factor, halting_budget
from bridges.reasoning.trm import TRM, Carry, Thought
from neuro.errors import ConfigError
from neuro.recording import Course, Recording
from neuro.wiring import generator


def model() -> TRM:
    return TRM(
        features=3, tokens=4, classes=2, hidden=16, rounds=1, latent_steps=1,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def inputs(n: int) -> Tensor:
    return torch.randn(n, 4, 3, generator=torch.Generator().manual_seed(1))


def thought(slots: Slots, halt: float) -> Thought:
    n = slots.items.shape[0]
    return Thought(
        Carry(slots.carry.y + 1, slots.carry.z + 1), torch.zeros(n, 2), torch.full((n,), halt)
    )


def test_only_halted_slots_are_refilled() -> None:
    made = model()
    slots = Slots.empty(made, 4)
    slots.refill(made, torch.tensor([10, 11, 12, 13]))
    assert slots.items.tolist() == [10, 11, 12, 13] and not slots.halted.any()
    settle(slots, thought(slots, -5.0), max_steps=9, rng=generator(0, "explore"))
    slots.halted = torch.tensor([False, True, False, True])
    slots.refill(made, torch.tensor([20, 21]))
    assert slots.items.tolist() == [10, 20, 12, 21]
    assert slots.steps.tolist() == [1, 0, 1, 0]
    start = made.start(4)
    assert torch.equal(slots.carry.y[[1, 3]], start.y[[1, 3]])
    assert torch.equal(slots.carry.y[[0, 2]], start.y[[0, 2]] + 1)


def test_a_refill_of_the_wrong_size_is_refused() -> None:
    made = model()
    with pytest.raises(ConfigError, match="4 items"):
        Slots.empty(made, 4).refill(made, torch.tensor([1, 2]))


def test_slots_halt_when_the_budget_is_spent_and_not_before() -> None:
    made = model()
    slots = Slots.empty(made, 8)
    slots.refill(made, torch.arange(8))
    for step in range(1, 5):
        settle(slots, thought(slots, -5.0), max_steps=4, rng=generator(0, "explore", step))
        assert slots.halted.all() == slots.halted.any() == (step == 4)


def test_content_slots_halt_at_once_but_for_those_that_explore() -> None:
    made, n, max_steps = model(), 4000, 5
    slots = Slots.empty(made, n)
    slots.refill(made, torch.arange(n))
    settle(slots, thought(slots, 5.0), max_steps=max_steps, rng=generator(0, "explore"))
    going_on = 1 - slots.halted.double().mean().item()
    # Four standard errors of a binomial share.
    error = 4 * np.sqrt(EXPLORATION * (1 - EXPLORATION) / n)
    assert going_on == pytest.approx(EXPLORATION, abs=error)


def test_evaluation_spends_the_whole_budget_on_every_item() -> None:
    made = model()
    with torch.no_grad():
        made.halt_head.bias.fill_(5.0)  # content from the first step
    assert answer(made, inputs(7), budget=3).steps.tolist() == [3] * 7
    assert answer(made, inputs(7), budget=3, early=True).steps.tolist() == [1] * 7


def test_an_early_answer_is_the_one_given_when_it_halted() -> None:
    made = model()
    with torch.no_grad():
        made.halt_head.weight.normal_(0.0, 1.0, generator=torch.Generator().manual_seed(3))
        made.halt_head.bias.zero_()
    found = answer(made, inputs(40), budget=6, early=True)
    assert len(set(found.steps.tolist())) > 1  # items differ, else this shows nothing
    for steps in set(found.steps.tolist()):
        when = found.steps == steps
        full = answer(made, inputs(40), budget=steps)
        assert torch.allclose(found.logits[when], full.logits[when], atol=1e-6)
        if steps < 6:
            assert (full.halt[when] > 0).all()


def test_batches_do_not_matter() -> None:
    made = model()
    whole, parts = (answer(made, inputs(10), budget=2, batch=b).logits for b in (10, 3))
    assert torch.allclose(whole, parts, atol=1e-6)


def test_a_modulator_that_lowers_the_budget_lowers_the_steps_thought() -> None:
    made = model()
    calls: list[int] = []
    made.register_forward_hook(lambda *_: calls.append(1))
    thought_for = {}
    for factor in (1.0, 0.6, 0.25, 0.0):
        calls.clear()
        found = answer(made, inputs(4), budget=halting_budget(8, factor))
        assert found.steps.tolist() == [len(calls)] * 4  # counted, not claimed
        thought_for[factor] = len(calls)
    assert thought_for == {1.0: 8, 0.6: 5, 0.25: 2, 0.0: 1}


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
    made = model()
    ema = EMA(made)
    assert torch.equal(ema.state_dict()["start_y"], made.start_y)
    with torch.no_grad():
        made.start_y += 1.0
    ema.update(made)
    assert not torch.equal(ema.state_dict()["start_y"], made.start_y - 1.0)
