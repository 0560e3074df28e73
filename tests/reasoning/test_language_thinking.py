"""The recursive reasoner's y as tokens of the language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bridges.language.requests import Limits, Requests
from bridges.language.sensing import look
from bridges.language.sequence import Sensed
from bridges.language.thinking import Thinking
from bridges.reasoning.carry import Batch
from bridges.reasoning.modulation import Modulation
from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import ReasonerSettings
from bridges.reasoning.supervision import stirred
from neuro.errors import ConfigError, SignalError
from tests.reasoning._language import generator, model, random, sound, words

SETTINGS = ReasonerSettings(
    vocabulary=3, length=0, sensory=24, sensory_length=6, answer="slot", hidden=16, heads=2,
    layers=1, multiple=16, H=2, L=2, slots=2,
)  # fmt: skip


class Ear:
    limits = Limits(125.0, 3400.0, 50.0, 2000.0, 5.0, 100.0)

    def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
        return [random(2, 24, seed=20 + item) for item in items]


def reasoner() -> Reasoner:
    return build(SETTINGS, seed=3)


def test_y_is_that_of_the_reasoner_called_by_hand() -> None:
    """Padded with silence to its length, twice over, y and z going on."""
    made, heard = reasoner(), random(4, 24, seed=2)
    thinking = Thinking(made, 1, steps=2)
    padded = torch.cat([torch.zeros(2, 24), heard])
    batch = Batch(torch.zeros(1, 1, dtype=torch.int64), sensory=padded[None])
    state = made.start(1)
    for _ in range(2):
        state = made(batch, state).state
    (got,) = thinking.think([0], [heard])
    assert got.shape == (2, 16) and torch.equal(got, state.y[0, :2])
    more = torch.cat([heard, random(5, 24, seed=4)])
    batch = batch._replace(sensory=more[None, -6:])
    for _ in range(2):
        state = made(batch, state).state
    assert torch.equal(thinking.think([0], [more])[0], state.y[0, :2])


@pytest.mark.parametrize("coloured", [{"gain": 4.0}, {"noise": 0.5}, {"gain": 0.5, "noise": 0.2}])
def test_gain_and_noise_act_as_in_the_reasoner_called_by_hand(coloured: dict[str, float]) -> None:
    made, heard = reasoner(), random(6, 24, seed=2)
    modulation = Modulation.of(1, **coloured)
    thinking = Thinking(made, 1, steps=2, modulation=modulation, generator=generator(5))
    (got,) = thinking.think([0], [heard])
    batch = Batch(torch.zeros(1, 1, dtype=torch.int64), sensory=heard[None], modulation=modulation)
    state, drawn = made.start(1), generator(5)
    for _ in range(2):
        state = made(batch, stirred(state, modulation, drawn)).state
    assert torch.equal(got, state.y[0, :2])
    (plain,) = Thinking(made, 1, steps=2).think([0], [heard])
    assert not torch.allclose(got, plain, atol=1e-2)


def test_neutral_modulation_changes_not_a_bit() -> None:
    heard = [random(3, 24, seed=n) for n in range(2)]
    neutral = Modulation.of(2, gain=1.0, budget=1.0, temperature=1.0, noise=0.0)
    plain, coloured = (
        Thinking(reasoner(), 2, steps=2),
        Thinking(reasoner(), 2, steps=2, modulation=neutral, generator=generator()),
    )
    for one, other in zip(plain.think([0, 1], heard), coloured.think([0, 1], heard), strict=True):
        assert torch.equal(one, other)


def test_budget_scales_the_steps_of_each_item() -> None:
    """1, 2, and 4 steps side by side are those taken alone, and go on from there."""
    budget = Modulation(budget=torch.tensor([0.0, 1.0, 2.0]))
    heard = [random(6, 24, seed=n) for n in range(3)]
    together = Thinking(reasoner(), 3, steps=2, modulation=budget)
    alone = [Thinking(reasoner(), 1, steps=steps) for steps in (1, 2, 4)]
    for _ in range(2):
        every = together.think([0, 1, 2], heard)
        for one, mine, sensed in zip(every, alone, heard, strict=True):
            # Products of other shapes add in another order: 1e-7 of sums of size 1.
            assert torch.allclose(one, mine.think([0], [sensed])[0], atol=1e-5)
    unscaled = Thinking(reasoner(), 1, steps=2).think([0], [heard[2]])[0]
    assert not torch.allclose(every[2], unscaled, atol=1e-3)


def test_modulators_reach_y_through_the_loop_and_by_item() -> None:
    """What the language model reads of the reasoner differs in the item with a gain, only there."""
    lm = model(exact=False)

    def answers(modulation: Modulation | None) -> list[list[Tensor]]:
        items = [[words(2), Sensed("sound", random(3, 24, seed=n))] for n in range(2)]
        thinking = Thinking(reasoner(), 2, modulation=modulation)
        with torch.no_grad():
            got = look(lm, items, Ear(), rounds=2, always=True, reasoner=thinking)
        return [
            [p.embeddings for p in pieces if isinstance(p, Sensed) and p.sense == "answer"]
            for pieces in got.items
        ]

    plain, loud = answers(None), answers(Modulation(gain=torch.tensor([1.0, 4.0])))
    assert [len(each) for each in plain] == [2, 2]
    assert all(torch.equal(a, b) for a, b in zip(plain[0], loud[0], strict=True))
    assert not any(torch.allclose(a, b, atol=1e-2) for a, b in zip(plain[1], loud[1], strict=True))


def test_gradient_reaches_a_gain_and_ends_at_the_last_step() -> None:
    gain = torch.tensor([1.5], requires_grad=True)
    heard = random(6, 24).requires_grad_()
    thinking = Thinking(reasoner(), 1, steps=3, modulation=Modulation(gain=gain))
    (y,) = thinking.think([0], [heard])
    (y * random(2, 16, seed=9)).sum().backward()
    assert gain.grad is not None and gain.grad.abs() > 1e-3 and heard.grad is not None
    (again,) = thinking.think([0], [heard.detach()])
    again.sum().backward()  # no graph of the first look is gone through again


@pytest.mark.parametrize("mixer", ["attention", "mlp"])
def test_a_reasoner_in_half_precision_thinks_as_it_does_on_its_own(mixer: Any) -> None:
    positions: Any = "none" if mixer == "mlp" else "rope"
    half = build(replace(SETTINGS, precision="bfloat16", mixer=mixer, positions=positions), seed=3)
    heard = random(6, 24, seed=2)
    (got,) = Thinking(half, 1, steps=2).think([0], [heard])
    batch = Batch(torch.zeros(1, 1, dtype=torch.int64), sensory=heard[None])
    state = half.start(1)
    for _ in range(2):
        state = half(batch, state).state
    assert state.y.dtype == torch.bfloat16 and got.dtype == torch.float32
    assert torch.equal(got, state.y[0, :2].float())
    items = [[words(2), Sensed("sound", heard)]]
    got_look = look(model(exact=False), items, Ear(), always=True, reasoner=Thinking(half, 1))
    got_look.logits.square().mean().backward()
    grad = half.recursion.low.blocks[0].mlp.down.weight.grad  # type: ignore[union-attr]
    assert grad is not None and grad.abs().max() > 0


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"modulation": Modulation.of(2, noise=0.1)}, "under noise needs a `generator`"),
        ({"modulation": Modulation.of(3, gain=1.1)}, r"found \(3,\)"),
        ({"modulation": Modulation(gain=torch.tensor(1.1))}, r"found \(\)"),
        ({"modulation": Modulation(gain=torch.tensor([1.0, -1.0]))}, "`gain` must be finite and 0"),
        ({"modulation": Modulation(budget=torch.tensor([1.0, math.nan]))}, "`budget` must be fin"),
    ],
)
def test_a_modulation_that_does_not_fit_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Thinking(reasoner(), 2, **how)


def test_an_items_thought_does_not_depend_on_its_neighbours() -> None:
    heard = [random(3, 24, seed=n) for n in range(3)]
    together = Thinking(reasoner(), 3)
    first = together.think([0, 1, 2], heard)
    second = together.think([2, 0], [heard[2], heard[0]])
    for item in (0, 2):
        alone = Thinking(reasoner(), 1)
        # Products of other shapes add in another order: 1e-7 of sums of size 1.
        assert torch.allclose(alone.think([0], [heard[item]])[0], first[item], atol=1e-5)
        again = alone.think([0], [heard[item]])[0]
        assert torch.allclose(again, second[0 if item == 2 else 1], atol=1e-5)
        assert not torch.allclose(again, first[item], atol=1e-3)  # it has thought on


def test_the_loop_reads_what_was_thought_and_teaches_the_reasoner() -> None:
    lm, made = model(), reasoner()
    items = [[words(2), sound(3)], [sound(1, 2)]]
    got = look(lm, items, Ear(), rounds=3, always=True, reasoner=Thinking(made, 2))
    kinds = [piece.sense for piece in got.items[0] if isinstance(piece, Sensed)]
    assert kinds == ["sound", "answer", *["request", "sound", "answer"] * 2]
    got.logits.square().mean().backward()
    for name, part in made.named_parameters():
        reached = part.grad is not None and bool(part.grad.abs().max() > 0)
        # Its own heads are not read, and nothing but its own losses should teach them.
        assert reached != name.startswith(("head", "halt_head")), name


def test_a_reasoner_over_other_things_is_refused() -> None:
    puzzle = build(replace(SETTINGS, length=4, sensory=0, sensory_length=0, answer="tokens"))
    with pytest.raises(ConfigError, match="these and nothing else, found 4 tokens"):
        Thinking(puzzle, 1)
    with pytest.raises(ConfigError, match="1 or more, found 0 and 1"):
        Thinking(reasoner(), 0)
    with pytest.raises(ConfigError, match=r"tokens of \(token, 24\), found \(2, 5\)"):
        Thinking(reasoner(), 1).think([0], [random(2, 5)])
    for item in (1, -1):
        with pytest.raises(SignalError, match=f"an item must be 0 to 0, found {item}"):
            Thinking(reasoner(), 1).think([item], [random(2, 24)])
