"""What neuromodulators do to a reasoner, and that without them not a bit changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from bridges.reasoning.carry import refilled
from bridges.reasoning.evaluation import evaluate, refinement
from bridges.reasoning.modulation import Modulation, budgets, factors, halting_budget
from bridges.reasoning.supervision import start, stirred, supervision_step
from neuro.errors import ConfigError
from neuro.recording import Course, Recording
from tests.reasoning._small import KINDS, awake, batch, generator

TRM = KINDS["trm-attention"]
NEUTRAL = Modulation.of(6, gain=1.0, budget=1.0, temperature=1.0, noise=0.0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_neutral_modulation_changes_no_bit(kind: str, precision: str) -> None:
    """Neither of what is thought nor of what is learned."""
    settings = dataclasses.replace(KINDS[kind], precision=precision)  # type: ignore[arg-type]
    found = []
    for modulation in (None, NEUTRAL):
        model, items = awake(settings), batch(settings, 6)._replace(modulation=modulation)
        carry = start(model, items)
        for _ in range(2):
            carry, losses, _ = supervision_step(model, carry, items, generator=generator(1))
        losses.total.backward()
        grads = [part.grad for part in model.parameters()]
        found.append([*carry.state, carry.steps, losses.total, *grads])
    for plain, modulated in zip(*found, strict=True):
        assert (plain is None and modulated is None) or torch.equal(plain, modulated)


@pytest.mark.parametrize(
    ("name", "value"), [("gain", 1.3), ("temperature", 2.0), ("noise", 0.2), ("budget", 0.5)]
)
def test_each_modulator_has_its_effect_on_its_item_alone(name: str, value: float) -> None:
    model, items = awake(TRM), batch(TRM, 6)
    strengths = getattr(NEUTRAL, name).clone()
    strengths[2] = value
    coloured = items._replace(modulation=Modulation(**{name: strengths}))
    plain = evaluate(model, items)
    found = evaluate(model, coloured, generator=generator(3))
    differs = (plain.logits != found.logits).any(-1).any(-1)
    assert differs.tolist() == [False, False, True, False, False, False]
    if name == "temperature":
        assert torch.equal(found.logits[2], plain.logits[2] / value)
        assert torch.equal(found.predictions, plain.predictions)
    if name == "budget":
        assert found.steps.tolist() == [4, 4, 2, 4, 4, 4]
        course = refinement(model, items)
        assert torch.equal(found.predictions[2], course.predictions[1, 2])


def test_gain_scales_x() -> None:
    model, items = awake(TRM), batch(TRM, 6)
    louder = items._replace(modulation=Modulation.of(6, gain=2.0))
    assert torch.equal(model.inputs(louder), 2 * model.inputs(items))


def test_noise_is_as_strong_as_asked_for_and_follows_its_generator() -> None:
    model = awake(dataclasses.replace(TRM, length=60))
    state = model.start(50)
    modulation = Modulation.of(50, noise=0.3)
    one, same, other = (stirred(state, modulation, generator(seed)) for seed in (1, 1, 2))
    assert one.z is not None and same.z is not None and other.z is not None
    assert state.z is not None and torch.equal(one.y, state.y)
    assert torch.equal(one.z, same.z) and not torch.equal(one.z, other.z)
    added = one.z - state.z
    # Four standard errors of a standard deviation over n values.
    error = 4 * 0.3 / (2 * added.numel()) ** 0.5
    assert added.std().item() == pytest.approx(0.3, abs=error)


def test_noise_without_a_generator_is_refused() -> None:
    model = awake(TRM)
    items = batch(TRM, 2)._replace(modulation=Modulation.of(2, noise=0.1))
    with pytest.raises(ConfigError, match="`generator`"):
        evaluate(model, items)


def test_a_lower_budget_halts_a_slot_of_the_training_earlier() -> None:
    model = awake(TRM)
    with torch.no_grad():
        model.halt_head.weight.zero_()
        model.halt_head.bias.fill_(-5.0)
    budget = torch.tensor([1.0, 0.5, 0.0, 1.5])
    items = batch(TRM, 4)._replace(modulation=Modulation(budget=budget))
    carry, first_halt = start(model, items), [0] * 4
    for step in range(1, 7):
        carry = carry._replace(halted=carry.halted & (carry.steps == 0))  # never refilled again
        carry, _, _ = supervision_step(model, carry, items, generator=generator(0))
        for slot, halted in enumerate(carry.halted.tolist()):
            first_halt[slot] = first_halt[slot] or step * halted
    assert first_halt == [4, 2, 1, 6]


def test_a_modulation_stays_with_its_item() -> None:
    model = awake(TRM)
    old = batch(TRM, 2)._replace(modulation=Modulation(gain=torch.tensor([1.1, 1.2])))
    new = batch(TRM, 2)._replace(modulation=Modulation(gain=torch.tensor([2.1, 2.2])))
    carry = start(model, old)._replace(halted=torch.tensor([False, True]))
    after = refilled(carry, model.start(2), new).current.modulation
    assert after is not None and after.gain is not None and after.noise is None
    assert after.gain.tolist() == pytest.approx([1.1, 2.2])


def test_budgets_are_those_of_one_item() -> None:
    scales = [0.0, 0.1, 0.6, 1.0, 1.5]
    found = budgets(8, Modulation(budget=torch.tensor(scales)), torch.zeros(5, dtype=torch.int64))
    assert found.tolist() == [halting_budget(8, scale) for scale in scales]


def test_both_round_half_a_step_up() -> None:
    """Also where float32 lies below the half, such as 5 * 0.7 and 10 * 0.35; and factors in
    float32 go to both as what they are."""
    ties = 0
    for steps in range(1, 65):
        scales = [k / 20 for k in range(1, 41)]
        of_one = [halting_budget(steps, scale) for scale in scales]
        modulation = Modulation(budget=torch.tensor(scales, dtype=torch.float64))
        like = torch.zeros(len(scales), dtype=torch.int64)
        assert budgets(steps, modulation, like).tolist() == of_one
        assert of_one == [
            int(budgets(steps, Modulation.of(1, budget=scale), like[:1])) for scale in scales
        ]
        low = torch.tensor(scales)
        assert budgets(steps, Modulation(budget=low), like).tolist() == [
            halting_budget(steps, scale) for scale in low.tolist()
        ]
        ties += sum(steps * k % 20 == 10 for k in range(1, 41))
    assert ties > 50
    assert halting_budget(5, 0.7) == halting_budget(10, 0.35) == 4


def test_modulation_of_any_precision_leaves_the_models() -> None:
    model, items = awake(TRM), batch(TRM, 3)
    plain, precise = (
        items._replace(modulation=Modulation(**{
            name: torch.full((3,), 1.3, dtype=dtype) for name in ("gain", "temperature")
        }))
        for dtype in (torch.float32, torch.float64)
    )  # fmt: skip
    assert torch.equal(evaluate(model, plain).logits, evaluate(model, precise).logits)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gain": -0.1}, "`gain` must be finite and 0 or more"),
        ({"temperature": 0.0}, "above 0"),
        ({"noise": float("inf")}, "finite"),
        ({"mood": 1.0}, "gain, budget, temperature, noise"),
    ],
)
def test_impossible_modulation_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Modulation.of(2, **values)


def test_factors_of_a_run_are_read_by_name() -> None:
    courses = {
        name: Course(name, "1", 1.0, np.array(values))
        for name, values in {
            "reasoner.gain": [1.0, 1.6], "reasoner.budget": [0.9], "bushy.weight": [2.0],
        }.items()
    }  # fmt: skip
    recording = Recording(10.0, 0.1, 0, "numba", spikes={}, factors=courses)
    assert factors(recording) == pytest.approx({"gain": 1.3, "budget": 0.9})
