"""What modulators do to the language model, and that at rest they do nothing at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from bridges.language.attention import sight
from bridges.language.generate import generate
from bridges.language.modulation import REST, Modulation, heard_from
from bridges.language.sequence import PADDING, TEXT, Sensed, interleave
from neuro.errors import ConfigError
from neuro.recording import Course, Recording
from tests.reasoning._language import (
    MIXED_ITEM,
    TINY,
    answer,
    generator,
    model,
    random,
    sound,
    words,
)

NEUTRAL = Modulation(gain=torch.ones(2), temperature=1.0, noise=0.0, budget=1.0)
ITEMS = [MIXED_ITEM, [words(3), sound(2, 4), words(1, 9)]]
SOUND, ANSWER = TINY.kind_of("sound"), TINY.kind_of("answer")


def read(modulation: Modulation, *, seed: int | None = None, exact: bool = True) -> Tensor:
    noise = None if seed is None else generator(seed)
    return model(exact=exact)(interleave(ITEMS, TINY), modulation=modulation, generator=noise)


@pytest.mark.parametrize("exact", [True, False])
def test_at_rest_not_a_bit_changes(exact: bool) -> None:
    lm = model(exact=exact)
    for items in (ITEMS, ITEMS[:1], [[words(7)]]):
        inputs = interleave(items, TINY)
        plain = lm(inputs)
        for rest in (REST, Modulation(1.0, 1.0, 0.0, 1.0), Modulation(gain=torch.ones(len(items)))):
            assert torch.equal(plain, lm(inputs, modulation=rest, generator=generator()))
    prompts = interleave(ITEMS, TINY)
    said = [
        generate(lm, prompts, limit=6, randomness=generator(3), modulation=rest)
        for rest in (REST, NEUTRAL)
    ]
    assert said[0] == said[1]


def test_at_rest_nothing_is_drawn() -> None:
    drawn = generator(5)
    model()(interleave(ITEMS, TINY), modulation=NEUTRAL, generator=drawn)
    assert torch.equal(drawn.get_state(), generator(5).get_state())


@pytest.mark.parametrize("gain", [0.25, 1.3, 40.0])
def test_gain_multiplies_the_odds_of_what_is_perceived(gain: float) -> None:
    """The share of attention on sound, of logits drawn at random, with padding and future hidden.

    If p of the attention fell on it before, p g / (p g + 1 - p) does after.
    """
    kinds = torch.tensor([[PADDING, TEXT, SOUND, SOUND, ANSWER, TEXT, SOUND, TEXT]])
    scores = random(1, 1, 8, 8, dtype=torch.float64)

    def attention(modulation: Modulation) -> Tensor:
        may = sight(kinds, 8, TINY, modulation, padded=True, dtype=torch.float64).mask
        assert may is not None
        if may.dtype == torch.bool:
            may = torch.where(may, 0.0, -math.inf)
        return (scores + may).softmax(dim=-1)[0, 0]

    before, after = attention(REST), attention(Modulation(gain=gain))
    p = before[:, kinds[0] == SOUND].sum(dim=-1)
    got = after[:, kinds[0] == SOUND].sum(dim=-1)
    assert torch.allclose(got, p * gain / (p * gain + 1 - p), atol=1e-12)
    assert 0.1 < p[7] < 0.9
    assert torch.equal(after == 0, before == 0)
    ratio = after[7, kinds[0] != SOUND] / before[7, kinds[0] != SOUND]
    assert ratio[1:].max() - ratio[1:].min() < 1e-12  # the rest keep their odds among each other


def test_gain_acts_on_sensations_and_nothing_else() -> None:
    """Text and the reasoner's answers do not come from outside (rounding is 1e-14 here)."""
    lm, loud = model(), Modulation(gain=3.0)
    for pieces, changes in (
        ([words(5)], False),
        ([words(3), answer(2), words(2, 1)], False),
        ([words(3), sound(2), words(2, 1)], True),
    ):
        inputs = interleave([pieces], TINY)
        differs = (lm(inputs) - lm(inputs, modulation=loud)).abs().max()
        assert (differs > 1e-3) if changes else (differs < 1e-10)


def test_each_item_may_have_its_own_gain() -> None:
    together = read(Modulation(gain=torch.tensor([0.5, 2.0], dtype=torch.float64)))
    for item, gain in enumerate((0.5, 2.0)):
        assert torch.allclose(together[item, -5:], read(Modulation(gain=gain))[item, -5:])
    assert not torch.allclose(read(Modulation(gain=0.5))[0], read(Modulation(gain=2.0))[0])


def test_gradient_reaches_the_gain_at_rest_too() -> None:
    """Central differences, whose error falls with the square of the step: 1e-8 at 1e-4."""
    along = random(64, seed=3, dtype=torch.float64)

    def said(gain: float | Tensor) -> Tensor:
        return read(Modulation(gain=gain))[:, -1] @ along

    gain = torch.ones(2, dtype=torch.float64, requires_grad=True)
    said(gain)[0].backward()
    assert gain.grad is not None and gain.grad[1] == 0
    slope = (said(1 + 1e-4) - said(1 - 1e-4))[0].item() / 2e-4
    assert abs(slope) > 0.1
    assert gain.grad[0].item() == pytest.approx(slope, abs=1e-5)


def test_gain_acts_through_a_cache() -> None:
    lm, loud = model(), Modulation(gain=3.0)
    inputs = interleave([[sound(4), words(3)]], TINY)
    with torch.no_grad():
        cache = lm.new_cache(1)
        lm(interleave([[sound(4)]], TINY), cache=cache, modulation=loud)
        last = lm(interleave([[words(3)]], TINY), cache=cache, modulation=loud)
        assert torch.allclose(last, lm(inputs, modulation=loud)[:, 4:], atol=1e-10)


def test_noise_is_in_parts_of_each_tokens_loudness() -> None:
    """Relative to a token's own RMS it has the given deviation: over 64 numbers of 1000 tokens
    the mean square is known to 2 * sqrt(2 / 64000), about 1 %."""
    from bridges.language.model import _noisy

    state = random(1, 1000, 64, dtype=torch.float64) * torch.linspace(0.1, 10, 1000)[:, None]
    added = _noisy(state, 0.3, generator(1)) - state
    relative = added / state.square().mean(dim=-1, keepdim=True).sqrt()
    assert relative.square().mean().sqrt().item() == pytest.approx(0.3, rel=0.02)
    assert (relative[0, :100].std() / relative[0, -100:].std()).item() == pytest.approx(1, rel=0.1)


def test_noise_comes_from_its_generator() -> None:
    noisy = Modulation(noise=0.2)
    assert torch.equal(read(noisy, seed=1), read(noisy, seed=1))
    assert not torch.equal(read(noisy, seed=1), read(noisy, seed=2))
    assert not torch.equal(read(noisy, seed=1), read(REST))
    with pytest.raises(ConfigError, match="noise needs a `generator`"):
        read(noisy)


def test_modulators_of_a_run_arrive_by_name() -> None:
    def run(**factors: float) -> Recording:
        courses = {
            f"reasoner.{name}": Course(name, "1", 1.0, np.full(4, value))
            for name, value in factors.items()
        }
        return Recording(4.0, 0.1, 0, "numba", spikes={}, factors=courses)

    fear = heard_from(run(gain=1.3, budget=0.95, noise=2.0), noise=0.1)
    assert (fear.gain, fear.budget, fear.temperature, fear.noise) == pytest.approx(
        (1.3, 0.95, 1.0, 0.2)
    )
    calm = heard_from(run())
    assert (calm.gain, calm.temperature, calm.noise, calm.budget) == (1.0, 1.0, 0.0, 1.0)
    with pytest.raises(ConfigError, match=r"must be on gain, .*found `gian`; did you mean `gain`"):
        heard_from(run(gian=2.0))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"gain": -1.0}, "`gain` must be finite and 0 or more, found -1"),
        ({"gain": 0.0}, "`gain` must be above 0, found 0"),
        ({"gain": torch.tensor([1.0, math.nan])}, "`gain` must be finite"),
        (
            {"noise": torch.tensor([0.0, 0.1])},
            r"`noise` must be one number .* found \(2,\) numbers",
        ),
        ({"budget": torch.tensor(1.0)}, r"`budget` must be one number for all items, found \(\)"),
        ({"temperature": "hot"}, "`temperature` must be one number for all items, found hot"),
        ({"gain": torch.ones(2, 1)}, r"`gain` must be a number, or a tensor of \(batch,\), found"),
        ({"gain": torch.ones(0)}, r"`gain` must be a number, or a tensor of \(batch,\), found"),
        ({"temperature": math.inf}, "`temperature` must be finite"),
        ({"noise": -0.1}, r"`noise` must be finite and 0 or more, found -0\.1"),
        ({"budget": math.nan}, "`budget` must be finite and 0 or more, found nan"),
    ],
)
def test_modulation_out_of_range_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Modulation(**wrong)


def test_a_gain_for_other_items_is_refused() -> None:
    with pytest.raises(ConfigError, match="one of each of the 2 items, found 3"):
        read(Modulation(gain=torch.tensor([1.0, 2.0, 3.0])))


def test_sensed_pieces_are_not_changed() -> None:
    heard = sound(4)
    before = heard.embeddings.clone()
    piece = Sensed("sound", heard.embeddings)
    model()(
        interleave([[piece]], TINY), modulation=Modulation(2.0, noise=0.3), generator=generator()
    )
    assert torch.equal(heard.embeddings, before)
