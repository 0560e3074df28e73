"""The carry between supervision steps: refills, halting, what is marked and what is booked."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch, Carry, State, refilled
from bridges.reasoning.evaluation import evaluate, refinement
from bridges.reasoning.modulation import Modulation
from bridges.reasoning.reasoner import Reasoner, Thought
from bridges.reasoning.settings import ReasonerSettings
from bridges.reasoning.supervision import start, supervision_step
from neuro.errors import ConfigError
from tests.reasoning._small import KINDS, awake, batch, generator, small, symbols

TRM = KINDS["trm-attention"]


def parts(carry: Carry) -> list[Tensor]:
    found = [*carry.state, carry.steps, carry.halted, *carry.current]
    return [part for part in found if isinstance(part, torch.Tensor)]


@torch.no_grad()
def run(
    model: Reasoner, carry: Carry, *seeds: int, rng: torch.Generator | None = None, **keys: Any
) -> tuple[Carry, dict[str, Tensor]]:
    metrics: dict[str, Tensor] = {}
    for seed in seeds:
        items = batch(model.settings, carry.steps.shape[0], seed=seed)
        carry, _, metrics = supervision_step(
            model, carry, items, generator=rng or generator(0), **keys
        )
    return carry, metrics


@pytest.mark.parametrize("kind", ["trm-attention", "trm-mlp", "hrm", "single-z", "transformer"])
def test_halted_slots_are_refilled_and_the_others_keep_every_bit(kind: str) -> None:
    model = awake(KINDS[kind])
    carry, _ = run(model, start(model, batch(KINDS[kind], 6)), 0, 1)
    carry = carry._replace(halted=torch.tensor([True, False, False, True, False, True]))
    fresh, new = model.start(6), batch(KINDS[kind], 6, seed=9)
    after = refilled(carry, fresh, new)
    untouched = refilled(carry._replace(halted=torch.zeros(6, dtype=torch.bool)), fresh, new)
    stays, goes = [1, 2, 4], [0, 3, 5]
    for before, found, left in zip(parts(carry), parts(after), parts(untouched), strict=True):
        if before.dtype != torch.bool:
            assert torch.equal(found[stays], before[stays])
            assert torch.equal(left, before)
            assert not torch.equal(found[goes], before[goes])
    assert torch.equal(after.y[goes], fresh.y[goes])
    assert after.current.tokens is not None and new.tokens is not None
    assert torch.equal(after.current.tokens[goes], new.tokens[goes])
    assert after.steps[goes].tolist() == [0, 0, 0] and not after.halted.any()


def test_a_neighbours_refill_changes_nothing_in_what_a_slot_thinks() -> None:
    """The same thought, bit for bit, whether or not other slots took new items before it."""
    model = awake(TRM)
    carry, _ = run(model, start(model, batch(TRM, 6)), 0)
    halted = torch.tensor([True, False, True, False, False, True])
    after, _ = run(model, carry._replace(halted=halted), 1)
    alone, _ = run(model, carry._replace(halted=torch.zeros(6, dtype=torch.bool)), 1)
    assert torch.equal(after.y[~halted], alone.y[~halted])
    assert not torch.equal(after.y[halted], alone.y[halted])


def test_the_carry_keeps_no_graph_and_no_gradient_crosses_a_step() -> None:
    model = awake(TRM)
    carry = start(model, batch(TRM, 3))
    carry, first, _ = supervision_step(model, carry, batch(TRM, 3), generator=generator(0))
    assert not any(part.requires_grad for part in parts(carry))
    first.total.backward()
    carry, second, _ = supervision_step(model, carry, batch(TRM, 3), generator=generator(0))
    second.total.backward()  # would fail if it reached into the freed graph of the first


def test_the_first_step_fills_every_slot() -> None:
    model, items = awake(TRM), batch(TRM, 3)
    carry, _ = run(model, start(model, batch(TRM, 3, seed=77)), 0)
    assert items.tokens is not None and carry.current.tokens is not None
    assert torch.equal(carry.current.tokens, items.tokens)
    assert carry.steps.tolist() == [1, 1, 1]


def halting_at(model: Reasoner, halt: float, go_on: float = 0.0) -> Reasoner:
    with torch.no_grad():
        model.halt_head.weight.zero_()
        model.halt_head.bias.copy_(torch.tensor([halt, go_on]))
    return model


def test_untrained_slots_run_to_the_last_step_and_no_further() -> None:
    model = halting_at(awake(TRM), -5.0)
    carry = start(model, batch(TRM, 5))
    for step in range(1, 9):
        carry, _ = run(model, carry, step)
        assert carry.halted.tolist() == [step % TRM.steps_max == 0] * 5
        assert carry.steps.tolist() == [(step - 1) % TRM.steps_max + 1] * 5


def test_content_slots_halt_at_once_but_for_those_that_explore() -> None:
    n = 3000
    model = halting_at(awake(dataclasses.replace(TRM, H=1, L=1, exploration=0.3)), 5.0)
    carry, _ = run(model, start(model, batch(TRM, n)), 0, rng=generator(4))
    # Four standard errors of a binomial share.
    share = 1 - carry.halted.double().mean().item()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / n))


def test_without_halting_contentment_changes_nothing() -> None:
    model = halting_at(awake(dataclasses.replace(TRM, halting=False)), 5.0)
    carry, _ = run(model, start(model, batch(TRM, 5)), 0)
    assert not carry.halted.any()
    carry, _ = run(model, carry, 1, 2, 3)
    assert carry.halted.all() and carry.steps.tolist() == [4] * 5


@pytest.mark.parametrize(("go_on", "halts"), [(-1.0, True), (1.0, False)])
def test_with_the_value_of_going_on_learned_the_greater_one_decides(
    go_on: float, halts: bool
) -> None:
    settings = dataclasses.replace(KINDS["hrm"], exploration=0.0)
    model = halting_at(awake(settings), 0.5, go_on)
    carry, _ = run(model, start(model, batch(settings, 4)), 0)
    assert carry.halted.tolist() == [halts] * 4


def test_same_generator_same_course() -> None:
    settings = dataclasses.replace(TRM, exploration=0.5)
    model = halting_at(awake(settings), 5.0)
    courses = []
    for seed in (1, 1, 2):
        rng, halted = generator(seed), []
        carry = start(model, batch(settings, 32))
        for step in range(4):
            carry, _ = run(model, carry, step, rng=rng)
            halted.append(carry.halted)
        courses.append(torch.stack(halted))
    assert torch.equal(courses[0], courses[1])
    assert not torch.equal(courses[0], courses[2])


def test_losses_and_metrics_of_known_logits() -> None:
    """Three slots of two answers: all right, one of two right, and nothing to answer."""
    settings = small(TRM, length=2, vocabulary=3, steps_max=1)
    model = awake(settings)
    logits = torch.tensor([[[2.0, 0, 0], [0, 3.0, 0]], [[0, 0, 1.0], [1.0, 0, 0]], [[0.0] * 3] * 2])
    halt = torch.tensor([1.0, 1.0, 1.0])

    def given(items: Batch, state: State, rows: Tensor | None) -> Thought:
        return Thought(state, logits, halt, torch.zeros(3))

    labels = torch.tensor([[0, 1], [2, 2], [IGNORED, IGNORED]])
    items = Batch(labels, symbols(3, 2, below=3))
    _, losses, metrics = supervision_step(
        model, start(model, items), items, generator=generator(0), forward=given
    )
    # s(x) = x + 1 at these logits: shares 3/5, 4/6, then 2/4 and 1/4.
    answers = (-(math.log(3 / 5) + math.log(4 / 6)) / 2, -(math.log(1 / 2) + math.log(1 / 4)) / 2)
    assert losses.answer.item() == pytest.approx(sum(answers) / 3, rel=1e-12)
    wrongly_sure, rightly_sure = math.log(1 + math.e), math.log(1 + math.exp(-1))
    assert losses.halt.item() == pytest.approx((rightly_sure + wrongly_sure) / 3, rel=1e-6)
    assert losses.go_on.item() == 0
    assert losses.total.item() == pytest.approx(
        losses.answer.item() + losses.halt.item() / 2, rel=1e-7
    )
    found = {name: value.item() for name, value in metrics.items()}
    assert found == {"halted": 2, "accuracy": 1.5, "exact": 1, "halt_accuracy": 1, "steps": 2}


def test_the_value_of_going_on_is_learned_from_the_next_step() -> None:
    settings = dataclasses.replace(KINDS["hrm"], steps_max=2)
    model, calls = awake(settings), []
    halts = iter([(0.3, -0.2), (-1.0, 2.0), (0.3, -0.2), (0.7, 2.0)])

    def given(items: Batch, state: State, rows: Tensor | None) -> Thought:
        calls.append(torch.is_grad_enabled())
        halt, go_on = next(halts)
        thought = model(items, state, rows)
        return thought._replace(halt=torch.tensor([halt]), go_on=torch.tensor([go_on]))

    carry, found = start(model, batch(settings, 1)), []
    for turn in range(2):
        carry, losses, _ = supervision_step(
            model, carry, batch(settings, 1, seed=turn), generator=generator(0), forward=given
        )
        found.append(losses.go_on.item())
        carry = carry._replace(halted=torch.tensor([False]))
    assert calls == [True, False] * 2

    def cross_entropy(logit: float, target: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -target * math.log(p) - (1 - target) * math.log(1 - p)

    # Before the last step the better of the next one's outputs, at the last its halting one.
    targets = [1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(-0.7))]
    assert found == pytest.approx([cross_entropy(-0.2, target) for target in targets], rel=1e-6)


def test_evaluation_spends_the_whole_budget_or_stops_when_content() -> None:
    model, items = awake(TRM), batch(TRM, 40)
    with torch.no_grad():  # so that half of the items would halt at once
        model.halt_head.bias -= refinement(model, items, steps=1).halt.median()
    full, early = evaluate(model, items), evaluate(model, items, halting=True)
    assert full.steps.tolist() == [TRM.steps_max] * 40
    assert len(set(early.steps.tolist())) > 1  # items differ, else this shows nothing
    course = refinement(model, items)
    assert torch.equal(course.predictions[-1], full.predictions)
    for item, steps in enumerate(early.steps.tolist()):
        assert torch.equal(early.predictions[item], course.predictions[steps - 1, item])
        assert early.halt[item] == course.halt[steps - 1, item]
        assert (course.halt[: steps - 1, item] <= 0).all()
        assert steps == TRM.steps_max or course.halt[steps - 1, item] > 0


def test_evaluation_continues_as_training_does() -> None:
    """The fourth supervision step of training and of evaluation see the same state."""
    model = halting_at(awake(TRM), -5.0)
    items = batch(TRM, 3)
    carry = start(model, items)
    for _ in range(4):
        carry, _, _ = supervision_step(model, carry, items, generator=generator(0))
    course = refinement(model, items, steps=4)
    assert torch.equal(course.y[-1], carry.y)
    assert course.y.shape == (4, 3, TRM.positions_total, TRM.hidden)


MISSHAPEN = {
    "gain": Modulation(gain=torch.ones(3)),
    "budget": Modulation(budget=torch.ones(1)),
    "noise": Modulation(noise=torch.ones(2, 1)),
    "temperature": Modulation(temperature=torch.ones(2, dtype=torch.int64)),
}
IMPOSSIBLE = {
    "gain": Modulation(gain=torch.tensor([1.0, -0.1])),
    "budget": Modulation(budget=torch.tensor([float("nan"), 1.0])),
    "noise": Modulation(noise=torch.tensor([0.1, float("inf")])),
    "temperature": Modulation(temperature=torch.tensor([1e-60, 1.0], dtype=torch.float64)),
}


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(wrong: float) -> None:
    items = batch(TRM, 2)._replace(modulation=Modulation(temperature=torch.tensor([1.0, wrong])))
    with pytest.raises(ConfigError, match=f"`temperature` must be finite and above 0, .* {wrong}"):
        evaluate(awake(TRM), items)


@pytest.mark.parametrize("rows", [1, 3])
def test_there_is_one_item_for_each_slot(rows: int) -> None:
    """A single one would stand in every slot, without a word."""
    model = awake(TRM)
    carry = start(model, batch(TRM, 4))
    with pytest.raises(ConfigError, match=f"for 4 slots needs 4 items, found {rows}"):
        supervision_step(model, carry, batch(TRM, rows), generator=generator(0))
    with pytest.raises(ConfigError, match="a refill needs the shape"):
        refilled(carry, model.start(4), batch(TRM, rows))


def test_a_batch_that_does_not_fit_is_refused() -> None:
    model, items = awake(TRM), batch(TRM, 2)
    assert items.tokens is not None
    wrong: dict[str, dict[str, Any]] = {
        "1 item or more": {"labels": items.labels[:0]},
        "labels": {"labels": items.labels[:, :3]},
        "tokens": {"tokens": items.tokens.repeat(1, 9)},
        "`sensory` left out": {"sensory": torch.zeros(2, 3, 4)},
        "`puzzle` left out": {"puzzle": torch.zeros(2, dtype=torch.int64)},
        "`labels` must lie in 0..3, found 0..4": {"labels": torch.tensor([[0, 1, 2, 3, 4]] * 2)},
        "`tokens` must lie in 0..3, found -1": {"tokens": items.tokens - 1 - items.tokens.min()},
        "`labels` of int64, found int32": {"labels": items.labels.int()},
        "`tokens` of int64 or int32, found float32": {"tokens": items.tokens.float()},
        **{f"a modulation of 2 items needs a `{name}` of shape": {"modulation": modulation}
           for name, modulation in MISSHAPEN.items()},
        **{f"a `{name}` must be finite": {"modulation": modulation}
           for name, modulation in IMPOSSIBLE.items()},
    }  # fmt: skip
    going_on = start(model, items)
    for words, change in wrong.items():
        with pytest.raises(ConfigError, match=words):
            start(model, items._replace(**change))
        with pytest.raises(ConfigError, match=words):
            evaluate(model, items._replace(**change))
        if "1 item" not in words:
            with pytest.raises(ConfigError, match=words):
                supervision_step(model, going_on, items._replace(**change), generator=generator(0))
    with pytest.raises(ConfigError, match="same fields"):
        refilled(start(model, items), model.start(2), items._replace(tokens=None))


def test_refinement_needs_a_step() -> None:
    with pytest.raises(ConfigError, match="1 step or more"):
        refinement(awake(TRM), batch(TRM, 1), steps=0)


@pytest.mark.parametrize("kind", ["trm-attention", "trm-mlp", "hrm", "single-z", "transformer"])
def test_loss_falls_on_a_puzzle(kind: str) -> None:
    """Each answer is the next token, the last one's the first: positions must be told apart."""
    settings = task(KINDS[kind])
    model = awake(settings, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    rng, data = generator(1), generator(2)

    def fresh() -> Batch:
        tokens = torch.randint(0, 4, (32, 5), generator=data)
        return Batch(tokens.roll(-1, dims=1), tokens)

    carry, losses = start(model, fresh()), []
    for _ in range(120):
        carry, loss, _ = supervision_step(model, carry, fresh(), generator=rng)
        loss.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.answer.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def task(settings: ReasonerSettings) -> ReasonerSettings:
    rounds = {} if settings.kind == "transformer" else {"H": 2, "L": 1}
    return small(settings, hidden=32, multiple=16, layers=1, steps_max=2, slots=settings.slots,
                 **rounds)  # fmt: skip
