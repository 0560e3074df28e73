"""Each way of narrowing a choice against its definition, written out in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.language.contrast import contrasted
from bridges.language.filters import nucleus, top_k, typical
from bridges.language.repetition import no_repeat, penalised
from bridges.language.sampling import GREEDY, Decoding, choose, narrowed
from neuro.errors import ConfigError
from tests.reasoning._language import generator, random

NOTHING = torch.full((1, 1), -1)
scores = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=12)
# Whether a sum reaches an edge like 0.5 is a matter of rounding when it is exactly there.
masses = st.floats(0.05, 0.95).map(lambda mass: mass + 1e-4 * math.pi)


def kept(logits: torch.Tensor) -> set[int]:
    return set(torch.isfinite(logits[0]).nonzero().flatten().tolist())


def probabilities(row: list[float]) -> list[float]:
    weights = [math.exp(value - max(row)) for value in row]
    return [weight / sum(weights) for weight in weights]


def fewest(order: list[int], p: list[float], mass: float) -> set[int]:
    out: set[int] = set()
    for token in order:
        if sum(p[other] for other in out) >= mass:
            break
        out.add(token)
    return out


@given(row=scores, k=st.integers(1, 14))
def test_top_k_keeps_the_likeliest(row: list[float], k: int) -> None:
    got = kept(top_k(torch.tensor([row]), k))
    edge = sorted(row, reverse=True)[min(k, len(row)) - 1]
    assert got == {token for token, value in enumerate(row) if value >= edge}


@given(row=scores, mass=masses)
def test_nucleus_keeps_the_fewest_that_hold_the_mass(row: list[float], mass: float) -> None:
    p = probabilities(row)
    order = sorted(range(len(row)), key=lambda token: -row[token])
    assert kept(nucleus(torch.tensor([row]), mass)) == fewest(order, p, mass)


def test_typical_keeps_the_fewest_nearest_to_the_expected_surprise() -> None:
    compared = 0
    for seed in range(200):
        row = (3 * random(9, seed=seed)).tolist()
        p = probabilities(row)
        entropy = -sum(value * math.log(value) for value in p)
        order = sorted(range(len(p)), key=lambda token: abs(-math.log(p[token]) - entropy))
        for mass in (0.2001, 0.5001, 0.9001):
            assert kept(typical(torch.tensor([row]), mass)) == fewest(order, p, mass)
            compared += 0 not in fewest(order, p, mass)
    assert compared > 100


def test_typical_may_leave_out_the_likeliest() -> None:
    """One token of 0.4 among 60 of 0.01: most of what is said is surprising."""
    row = torch.tensor([[0.4] + [0.01] * 60]).log()
    assert 0 not in kept(typical(row, 0.3)) and 0 in kept(nucleus(row, 0.3))


def test_filters_leave_what_they_keep_untouched_and_can_follow_one_another() -> None:
    logits = random(5, 40)
    for filtered in (top_k(logits, 4), nucleus(logits, 0.5), typical(logits, 0.5)):
        inside = torch.isfinite(filtered)
        assert torch.equal(filtered[inside], logits[inside]) and 5 <= inside.sum() < 200
    both = typical(nucleus(top_k(logits, 6), 0.7), 0.7)
    assert torch.isfinite(both).any(dim=-1).all()
    assert (torch.isfinite(both) <= torch.isfinite(top_k(logits, 6))).all()


def test_penalty_lowers_what_was_said_whatever_its_sign() -> None:
    logits = torch.tensor([[2.0, -2.0, 2.0, -2.0]])
    out = penalised(logits, torch.tensor([[-1, 0, 1, 1]]), 2.0)
    assert out.tolist() == [[1.0, -4.0, 2.0, -2.0]]
    assert penalised(logits, torch.tensor([[0, 1]]), 1.0) is logits


@settings(max_examples=60)
@given(history=st.lists(st.integers(-1, 3), min_size=1, max_size=14), n=st.integers(1, 4))
def test_no_group_of_tokens_is_said_twice(history: list[int], n: int) -> None:
    groups = [tuple(history[i : i + n]) for i in range(len(history) - n + 1)]
    past = {group for group in groups if min(group) >= 0}
    begun = tuple(history[len(history) - n + 1 :]) if n > 1 else ()
    enough = len(history) >= n - 1
    expected = {t for t in range(4) if not (enough and (*begun, t) in past)}
    assert kept(no_repeat(torch.zeros(1, 4), torch.tensor([history]), n)) == expected


def test_contrast_prefers_what_the_amateur_does_not_know() -> None:
    expert = torch.tensor([[0.45, 0.35, 0.19, 0.01]]).log()
    amateur = torch.tensor([[0.80, 0.10, 0.09, 0.01]]).log()
    score = contrasted(expert, amateur, alpha=0.1, beta=0.5)
    assert kept(score) == {0, 1, 2}  # 0.01 < 0.1 * 0.45
    for token, (e, a) in enumerate(((0.45, 0.80), (0.35, 0.10), (0.19, 0.09))):
        assert score[0, token].item() == pytest.approx(1.5 * math.log(e) - 0.5 * math.log(a))
    assert score.argmax() == 1 and expert.argmax() == 0
    alone = contrasted(expert, amateur, alpha=0.1, beta=0.0)
    assert torch.allclose(alone[0, :3], expert[0, :3])


def test_draws_follow_the_probabilities() -> None:
    """20000 draws of 4 tokens; chi-square with 3 degrees of freedom, 0.1 % at 16.3."""
    p = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = p.log().expand(20_000, 4)
    drawn = choose(logits, NOTHING, Decoding(), generator(1)).bincount(minlength=4)
    assert ((drawn - 20_000 * p) ** 2 / (20_000 * p)).sum() < 16.3
    wrong = 20_000 * torch.full((4,), 0.25)
    assert ((drawn - wrong) ** 2 / wrong).sum() > 1000


def test_temperature_sharpens_and_zero_is_the_likeliest() -> None:
    logits = torch.tensor([[1.0, 0.0]])
    for temperature in (0.5, 1.0, 2.0):
        odds = narrowed(logits, NOTHING, Decoding(temperature=temperature)).softmax(dim=-1)
        assert (odds[0, 0] / odds[0, 1]).item() == pytest.approx(math.exp(1 / temperature))
    assert choose(logits, NOTHING, GREEDY, None).item() == 0
    # Where dividing would overflow, and where single precision has 0 for the temperature itself.
    for tiny in (1e-38, 1e-45, 1e-46, 5e-324):
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            cold = (100 * logits).to(dtype)
            assert choose(cold, NOTHING, Decoding(temperature=tiny), generator()).item() == 0


def test_what_has_no_probability_is_never_drawn() -> None:
    """Nor is it at draws of exactly 0 and just below 1."""
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]]).expand(3000, 5)
    drawn = choose(logits, NOTHING, Decoding(), generator(2))
    assert set(drawn.tolist()) == {1, 3}


@pytest.mark.parametrize(("draw", "token"), [(0.0, 1), (0.5, 3), (1 - 2**-53, 3), (1.0, 3)])
def test_draws_at_the_edges(draw: float, token: int, monkeypatch: pytest.MonkeyPatch) -> None:
    value = torch.tensor([draw], dtype=torch.float64)
    monkeypatch.setattr("bridges.language.sampling._uniform", lambda *_: value)
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    assert choose(logits, NOTHING, Decoding(), generator()).item() == token


def test_an_item_with_its_own_generator_does_not_depend_on_its_neighbours() -> None:
    logits = random(6, 50)
    together = choose(logits, NOTHING, Decoding(), [generator(n) for n in range(6)])
    alone = [choose(logits[n : n + 1], NOTHING, Decoding(), [generator(n)]) for n in range(6)]
    assert together.tolist() == torch.cat(alone).tolist()
    before = torch.get_rng_state()
    choose(logits, NOTHING, Decoding(), generator())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Decoding(temperature=-1), r"temperature must be .* 0 or more, found -1"),
        (lambda: Decoding(temperature=math.nan), "temperature must be finite"),
        (lambda: Decoding(top_k=0), "top-k must keep a whole number .* found 0"),
        (lambda: Decoding(top_k=2.5), "top-k must keep a whole number of tokens, .* found 2.5"),  # type: ignore[arg-type]
        (lambda: Decoding(top_k=True), "top-k must keep a whole number of tokens, .* found True"),
        (lambda: Decoding(no_repeat=2.5), "a whole number of tokens, 1 or more, found 2.5"),  # type: ignore[arg-type]
        (lambda: Decoding(nucleus=0.0), r"nucleus must keep a mass above 0 and up to 1, found 0"),
        (lambda: Decoding(typical=1.5), r"typical must keep .* found 1\.5"),
        (lambda: Decoding(penalty=0), "penalty must be positive and finite, found 0"),
        (lambda: Decoding(no_repeat=0), "a whole number of tokens, 1 or more, found 0"),
        (lambda: choose(random(1, 3), NOTHING, Decoding(), None), "needs a generator, found none"),
        (
            lambda: choose(random(1, 3), torch.tensor([[0, 1, 2]]), Decoding(no_repeat=1), None),
            "a token left to choose, found none",
        ),
        (
            lambda: choose(torch.full((1, 3), math.nan), NOTHING, GREEDY, None),
            "a token left to choose, found none",
        ),
        (
            lambda: choose(random(2, 3), NOTHING, Decoding(), [generator()]),
            "each item needs its generator, found 1 for 2",
        ),
        (
            lambda: contrasted(random(1, 3), random(1, 4), alpha=0.1, beta=0.5),
            r"found logits \(1, 3\) and \(1, 4\)",
        ),
        (lambda: contrasted(random(1, 3), random(1, 3), alpha=0, beta=0.5), "0 < alpha <= 1"),
        (lambda: contrasted(random(1, 3), random(1, 3), alpha=0.1, beta=-1), "beta of 0 or more"),
    ],
)
def test_what_cannot_be_decoded_is_refused(wrong: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        wrong()
    assert "\n" not in str(refused.value)
