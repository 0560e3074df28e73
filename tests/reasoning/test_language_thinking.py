"""The recursive reasoner's y as tokens of the language model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from bridges.language.requests import Limits, Requests
from bridges.language.sensing import look
from bridges.language.sequence import Sensed
from bridges.language.thinking import Thinking
from bridges.reasoning.carry import Batch
from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import ReasonerSettings
from neuro.errors import ConfigError
from tests.reasoning._language import model, random, sound, words

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
    assert kinds == ["sound", *["request", "sound", "answer"] * 2]
    got.logits.square().mean().backward()
    for name, part in made.named_parameters():
        reached = part.grad is not None and bool(part.grad.abs().max() > 0)
        # Its own heads are not read, and nothing but its own losses should teach them.
        assert reached != name.startswith(("head", "halt_head")), name


def test_a_reasoner_over_other_things_is_refused() -> None:
    from dataclasses import replace

    puzzle = build(replace(SETTINGS, length=4, sensory=0, sensory_length=0, answer="tokens"))
    with pytest.raises(ConfigError, match="these and nothing else, found 4 tokens"):
        Thinking(puzzle, 1)
    with pytest.raises(ConfigError, match="1 or more, found 0 and 1"):
        Thinking(reasoner(), 0)
    with pytest.raises(ConfigError, match=r"tokens of \(token, 24\), found \(2, 5\)"):
        Thinking(reasoner(), 1).think([0], [random(2, 5)])
