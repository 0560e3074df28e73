"""Asking to sense more: what can be asked, what is served, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from bridges.language.generate import generate
from bridges.language.modulation import Modulation
from bridges.language.requests import Limits, Request, Requests, ask, asking_loss
from bridges.language.sampling import GREEDY
from bridges.language.sensing import Looks, look
from bridges.language.sequence import Piece, Sensed, Text, interleave
from bridges.reasoning.undrawn import linear
from neuro.errors import ConfigError, SignalError, UnitError
from tests.reasoning._language import TINY, answer, generator, model, random, sound, words

EAR = Limits(125.0, 3400.0, 50.0, 2000.0, 5.0, 100.0)
"""A nerve made for telephone speech; the windows are those of the tests."""

LMS = {exact: model(exact=exact) for exact in (True, False)}


@dataclass
class Cached:
    """A cached data set: what is brought is a function of item and request."""

    limits: Limits = EAR
    asked: list[tuple[int, Request]] = field(default_factory=list)
    tokens: int = 2
    width: int = 24

    def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
        self.asked += zip(items, requests.decoded(), strict=True)
        return [self.brings(item, one) for item, one in zip(items, requests.decoded(), strict=True)]

    def brings(self, item: int, request: Request) -> Tensor:
        return random(self.tokens, self.width, seed=item) * math.log(request.high_hz)


def items() -> list[list[Piece]]:
    return [[words(3), sound(2)], [sound(4, 1)], [words(1, 2), sound(1, 3), words(5, 4)]]


# --- what can be asked

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)
ears = st.builds(
    lambda low, octaves, shortest, longer, finest, coarser, part: Limits(
        low, low * 2**octaves, shortest, shortest * longer, shortest * finest,
        shortest * finest * coarser, narrowest=octaves * part,
    ),
    st.floats(20, 500), st.floats(0.5, 8), st.floats(1, 100), st.floats(1, 50),
    st.floats(0.01, 1), st.floats(1, 1000), st.floats(0.01, 0.9),
)  # fmt: skip


@given(ear=ears, unit=shares, single=st.booleans())
def test_whatever_the_head_says_the_sensor_can_do(
    ear: Limits, unit: list[float], single: bool
) -> None:
    dtype = torch.float32 if single else torch.float64
    requests = ear.lay_out(torch.zeros(1), torch.tensor([unit], dtype=dtype))
    ear.check(requests.decoded()[0])


def test_rounding_does_not_lead_out_of_a_range() -> None:
    """At the corners, of 300 ears: without clamps one band in three would end 1e-16 too high."""
    corners = torch.tensor(list(product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    for low, octaves, narrow in torch.rand(300, 3, generator=generator(0)).double().tolist():
        low_hz = 20 + 480 * low
        ear = Limits(
            low_hz, low_hz * 2 ** (0.5 + 7 * octaves), 10.0, 100.0, 1.0, 50.0, 0.01 + 0.3 * narrow
        )
        for request in ear.lay_out(torch.zeros(16), corners).decoded():
            ear.check(request)


@given(ear=ears, unit=st.lists(st.floats(0.01, 0.99), min_size=4, max_size=4))
def test_a_request_is_laid_out_as_it_was_taught(ear: Limits, unit: list[float]) -> None:
    first = ear.lay_out(torch.zeros(1), torch.tensor([unit], dtype=torch.float64)).decoded()[0]
    again = ear.lay_out(torch.zeros(1), torch.tensor([ear.unit_of(first)], dtype=torch.float64))
    for one, two in zip(vars(first).values(), vars(again.decoded()[0]).values(), strict=True):
        assert two == pytest.approx(one, rel=1e-9)  # logarithms of numbers up to 1e5, and back


def test_the_ends_of_the_scales_are_the_ends_of_the_ranges() -> None:
    def laid(*unit: float) -> Request:
        return EAR.lay_out(torch.zeros(1), torch.tensor([unit])).decoded()[0]

    ends = [125.0, 3400.0, 2000.0, 100.0]
    assert list(vars(laid(0.3, 1, 1, 1)).values()) == pytest.approx(ends)
    ends = [125.0, 125 * 2 ** (1 / 3), 50.0, 5.0]
    assert list(vars(laid(0, 0, 0, 0)).values()) == pytest.approx(ends)
    top = laid(1, 0, 0, 1)
    assert (top.high_hz, top.window_ms) == (pytest.approx(3400.0), 50.0)
    assert top.resolution_ms == pytest.approx(50.0)  # not 100: no longer than the window


def test_a_request_holds_numbers() -> None:
    with pytest.raises(UnitError, match=r"`low_hz`.*found NaN"):
        Request(math.nan, 500, 200, 10)
    with pytest.raises(SignalError, match="window must be 50 to 2000 ms, found inf ms"):
        EAR.check(Request(200, 1000, math.inf, 10))


def test_gradient_reaches_every_argument() -> None:
    head = LMS[True].request_head
    assert head is not None
    state = random(2, 64, dtype=torch.float64)
    for part in ("wanted", "low_hz", "high_hz", "window_ms", "resolution_ms"):
        head.zero_grad()
        getattr(ask(head, state, EAR), part).log().abs().sum().backward()
        assert head.weight.grad is not None
        reached = head.weight.grad.abs().amax(dim=-1) > 1e-12
        expected = {
            "wanted": [True, False, False, False, False],
            "low_hz": [False, True, True, False, False],
            "high_hz": [False, True, True, False, False],
            "window_ms": [False, False, False, True, False],
            # of a window below the coarsest resolution it follows the window too
            "resolution_ms": [False, False, False, bool(reached[3]), True],
        }[part]
        assert reached.tolist() == expected, part


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(60, 1000, 200, 10), r"hears, 125 to 3400 Hz .*found 60 to 1000 Hz"),
        (Request(200, 8000, 200, 10), r"hears, 125 to 3400 Hz .*found 200 to 8000 Hz"),
        (Request(1000, 500, 200, 10), r"from low to high, found 1000 to 500 Hz"),
        (Request(1000, 1050, 200, 10), r"0\.333 octaves wide or more, found 1000 to 1050 Hz"),
        (Request(200, 1000, 5000, 10), r"window must be 50 to 2000 ms, found 5000 ms"),
        (Request(200, 1000, 20, 10), r"window must be 50 to 2000 ms, found 20 ms"),
        (Request(200, 1000, 200, 1), r"resolution must be 5 to 100 ms.*found 1 ms"),
        (Request(200, 1000, 60, 80), r"5 to 60 ms, no longer than the window, found 80 ms"),
    ],
)
def test_a_request_outside_the_range_is_refused(request_: Request, says: str) -> None:
    for refuse in (EAR.check, EAR.unit_of):
        with pytest.raises(SignalError, match=says) as refused:
            refuse(request_)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"low_hz": 0.0}, "`low_hz` must be positive and finite, found 0"),
        ({"high_hz": 130.0}, "more than its narrowest band, 0.333 octaves, found 125 to 130 Hz"),
        ({"longest_ms": 20.0}, "from small to large"),
        ({"finest_ms": 80.0}, "must hold a token of its finest resolution, found 50 ms and 80 ms"),
    ],
)
def test_a_sensor_that_can_do_nothing_is_refused(changes: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(EAR, **changes)


# --- the loop


def looked(*, grad: bool, exact: bool = True, **how: object) -> tuple[Looks, Cached]:
    sensor = Cached()
    with torch.set_grad_enabled(grad):
        return look(LMS[exact], items(), sensor, **{"always": True, **how}), sensor  # type: ignore[arg-type]


def test_rounds_add_the_request_and_what_it_brought() -> None:
    got, sensor = looked(grad=False, rounds=3)
    assert len(got.rounds) == 3 and len(sensor.asked) == 6
    for item, (before, after) in enumerate(zip(items(), got.items, strict=True)):
        assert len(after) == len(before) + 4
        request, brought = after[len(before) :][:2]
        assert isinstance(request, Sensed) and request.sense == "request"
        assert torch.equal(request.embeddings[0], got.rounds[0].requests.unit[item])
        assert isinstance(brought, Sensed) and brought.sense == "sound"
        asked = got.rounds[0].requests.decoded()[item]
        assert (item, asked) in sensor.asked
        assert torch.equal(brought.embeddings, sensor.brings(item, asked))
    assert not torch.allclose(got.rounds[0].logits, got.rounds[1].logits)
    assert not torch.allclose(got.rounds[1].logits, got.rounds[2].logits)


def test_reading_on_from_a_cache_is_reading_anew() -> None:
    """Items of different lengths; double precision rounds at 1e-14 here."""
    for rounds in (2, 3, 4):
        fresh, _ = looked(grad=True, rounds=rounds)
        cached, _ = looked(grad=False, rounds=rounds)
        for one, two in zip(fresh.rounds, cached.rounds, strict=True):
            assert torch.allclose(one.logits, two.logits, atol=1e-9)
            assert torch.allclose(one.requests.unit, two.requests.unit, atol=1e-9)


def test_only_items_that_ask_are_served_and_the_others_keep_their_answer() -> None:
    """With each item's own wish, both with and without gradient."""
    first = looked(grad=False, rounds=2)[0].rounds[0].requests.wanted
    lm = model()
    assert lm.request_head is not None
    with torch.no_grad():  # so that the wishes of the items lie on both sides of 0
        lm.request_head.bias[0] -= first.sort().values[1]
    for grad in (True, False):
        sensor = Cached()
        with torch.set_grad_enabled(grad):
            got = look(lm, items(), sensor, rounds=2)
        wish = got.rounds[0].requests.wanted
        asking = (wish > 0).nonzero().flatten().tolist()
        assert 0 < len(asking) < 3
        assert [item for item, _ in sensor.asked] == asking == list(got.rounds[1].served)
        for item in range(3):
            same = torch.equal(got.rounds[0].logits[item], got.rounds[1].logits[item])
            assert same == (item not in asking)
            assert len(got.items[item]) == len(items()[item]) + (2 if item in asking else 0)


def test_when_nobody_asks_it_is_over() -> None:
    lm = model()
    assert lm.request_head is not None
    with torch.no_grad():
        lm.request_head.bias[0] -= 100
    sensor = Cached()
    got = look(lm, items(), sensor, rounds=4)
    assert len(got.rounds) == 1 and sensor.asked == []
    assert torch.equal(got.logits, lm.logits(lm(interleave(items(), TINY))[:, -1]))


def test_text_goes_on_from_what_was_seen() -> None:
    got, _ = looked(grad=False, rounds=2)
    said = generate(LMS[True], interleave(got.items, TINY), limit=3, decoding=GREEDY)
    assert [one.ids[0] for one in said] == got.logits.argmax(dim=-1).tolist()


@dataclass
class Averaging:
    """A reasoner whose y is the mean of all that was sensed."""

    heard: list[tuple[int, int]] = field(default_factory=list)

    def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> list[Tensor]:
        self.heard += [(item, len(every)) for item, every in zip(items, sensed, strict=True)]
        return [every[:, :16].mean(dim=0, keepdim=True) for every in sensed]


def test_a_reasoners_answer_enters_as_tokens() -> None:
    reasoner = Averaging()
    got, sensor = looked(grad=False, rounds=3, reasoner=reasoner)
    # 2, 4 and 1 tokens were there at first, and each round brings 2.
    assert reasoner.heard == [
        (0, 2), (1, 4), (2, 1), (0, 4), (1, 6), (2, 3), (0, 6), (1, 8), (2, 5),
    ]  # fmt: skip
    last = got.items[0][-1]
    assert isinstance(last, Sensed) and last.sense == "answer"
    so_far = [p.embeddings for p in got.items[0] if isinstance(p, Sensed) and p.sense == "sound"]
    assert torch.equal(last.embeddings[0], torch.cat(so_far)[:, :16].mean(dim=0))
    without, _ = looked(grad=False, rounds=3)
    assert not torch.allclose(got.logits, without.logits)
    assert sensor.limits is EAR


def test_what_an_item_begins_with_is_thought_about_before_it_is_read() -> None:
    """Also where nobody asks; and what has its answer, or is only words, has none more."""
    lm = model()
    assert lm.request_head is not None
    with torch.no_grad():
        lm.request_head.bias[0] -= 100
    reasoner = Averaging()
    given: list[list[Piece]] = [*items(), [words(2)], [sound(3), answer(1)]]
    got = look(lm, given, Cached(), rounds=4, reasoner=reasoner)
    assert len(got.rounds) == 1 and reasoner.heard == [(0, 2), (1, 4), (2, 1)]
    for before, after in zip(given[:3], got.items[:3], strict=True):
        y = after[-1]
        assert isinstance(y, Sensed) and y.sense == "answer" and after[:-1] == tuple(before)
    assert [list(pieces) for pieces in got.items[3:]] == given[3:]
    assert torch.equal(got.logits, lm.logits(lm(interleave(got.items, TINY))[:, -1]))
    # Looked at further, it is not answered twice.
    again = look(lm, got.items, Cached(), rounds=2, reasoner=reasoner)
    assert len(reasoner.heard) == 3 and again.items == got.items


@pytest.mark.parametrize("grad", [True, False])
def test_with_a_reasoner_reading_on_is_reading_anew(grad: bool) -> None:
    got, _ = looked(grad=grad, rounds=3, reasoner=Averaging())
    lm = LMS[True]
    assert torch.allclose(got.logits, lm.logits(lm(interleave(got.items, TINY))[:, -1]), atol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda y: y / 0, "a reasoner must answer with finite numbers, found NaN or infinity"),
        (lambda y: y[:, :15], r"a reasoner must answer with 1 token .* 16\), found \(1, 15\)"),
        (lambda y: y[0], r"a reasoner must answer with 1 token .* 16\), found \(16,\)"),
        (lambda y: y.tolist(), r"a reasoner must answer with 1 token .* 16\), found list"),
    ],
)
def test_a_wrong_answer_of_the_reasoner_is_said_of_it(
    wrong: Callable[[Tensor], Any], says: str
) -> None:
    class Wrong(Averaging):
        def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> list[Tensor]:
            return [wrong(y) for y in super().think(items, sensed)]

    with pytest.raises(SignalError, match=says):
        looked(grad=False, reasoner=Wrong())

    class Short(Averaging):
        def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> list[Tensor]:
            return super().think(items, sensed)[1:]

    with pytest.raises(SignalError, match="a reasoner must answer each of 3 items, found 2"):
        looked(grad=False, reasoner=Short())


@pytest.mark.parametrize("thinks", [True, False])
@pytest.mark.parametrize(
    ("brings", "says"),
    [
        (lambda one: one * math.nan, "a sensor must answer with finite numbers, found NaN"),
        (lambda one: one / 0, "a sensor must answer with finite numbers, found NaN or infinity"),
        (lambda one: one[:, :23], r"a sensor must answer with 1 .* \(token, 24\), found \(2, 23\)"),
        (lambda one: one[:0], r"a sensor must answer with 1 .* \(token, 24\), found \(0, 24\)"),
        (lambda one: one[0], r"a sensor must answer with 1 .* \(token, 24\), found \(24,\)"),
        (lambda one: None, r"a sensor must answer with 1 .* \(token, 24\), found NoneType"),
    ],
)
def test_a_wrong_answer_of_the_sensor_is_said_of_it(
    brings: Callable[[Tensor], Any], says: str, thinks: bool
) -> None:
    class Wrong(Cached):
        def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
            return [brings(one) for one in super().sense(items, requests)]

    class Silent(Cached):
        def sense(self, items: Sequence[int], requests: Requests) -> Any:
            return None

    reasoner = Averaging() if thinks else None
    with pytest.raises(SignalError, match=says):
        look(LMS[True], items(), Wrong(), always=True, reasoner=reasoner)
    with pytest.raises(SignalError, match="a sensor must answer each of 3 items, found 0"):
        look(LMS[True], items(), Silent(), always=True, reasoner=reasoner)


@pytest.mark.parametrize("thinks", [True, False])
def test_what_an_item_begins_with_is_checked_before_it_is_thought_about(thinks: bool) -> None:
    reasoner = Averaging() if thinks else None
    for wrong, says in (
        (random(2, 24) * math.nan, "item 1: tokens of `sound` must be finite"),
        (random(2, 23), r"item 1: tokens of `sound` must be \(token, 24\), found \(2, 23\)"),
    ):
        with pytest.raises((SignalError, ConfigError), match=says):
            look(LMS[True], [[sound(1)], [Sensed("sound", wrong)]], Cached(), reasoner=reasoner)


@pytest.mark.parametrize("row", [0, 2])
def test_a_head_that_says_nan_is_said_to(row: int) -> None:
    """A NaN wish would be none, and a NaN band would be the sensor's refusal."""
    lm = model()
    assert lm.request_head is not None
    with torch.no_grad():
        lm.request_head.bias[row] = math.nan
    with pytest.raises(SignalError, match="what a model asks must be numbers, found NaN"):
        look(lm, items(), Cached())


def test_gradient_flows_through_a_sensor_that_lets_it() -> None:
    """From the answer of round 2 to what was asked after round 1."""

    class Soft(Cached):
        def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
            centre = (requests.low_hz * requests.high_hz).sqrt().log()
            return [centre[n] * random(2, 24, seed=item) for n, item in enumerate(items)]

    lm = model()
    got = look(lm, items(), Soft(), rounds=2, always=True)
    got.logits.square().mean().backward()
    assert lm.request_head is not None and lm.request_head.weight.grad is not None
    reached = lm.request_head.weight.grad.abs().amax(dim=-1)
    assert (reached[1:] > 1e-12).all()  # through the request token and the sensor
    assert reached[0] == 0  # whether to ask is no number that was read


@pytest.mark.parametrize(("factor", "expected"), [(0, 1), (0.5, 2), (1, 3), (1.5, 4), (9, 4)])
def test_a_modulators_budget_scales_the_rounds(factor: float, expected: int) -> None:
    got, _ = looked(grad=False, rounds=3, modulation=Modulation(budget=factor))
    assert len(got.rounds) == expected  # 3 * 0.5 rounds up


def test_what_cannot_be_looked_at_is_refused() -> None:
    lm = LMS[True]
    for rounds in (1, 5):
        with pytest.raises(ConfigError, match=f"takes 2 to 4 rounds, found {rounds}"):
            look(lm, items(), Cached(), rounds=rounds)
    with pytest.raises(ConfigError, match="must have senses, found one of text alone"):
        look(model(senses=()), [[words(2)]], Cached())
    with pytest.raises(ConfigError, match="no sense `smell`"):
        look(lm, items(), Cached(), sense="smell")
    with pytest.raises(SignalError, match=r"1 token or more, \(token, 24\), found \(2, 23\)"):
        look(lm, items(), Cached(width=23), always=True)
    with pytest.raises(SignalError, match=r"1 token or more, \(token, 24\), found \(0, 24\)"):
        look(lm, items(), Cached(tokens=0), always=True)

    class Forgetful(Cached):
        def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
            return super().sense(items, requests)[1:]

    with pytest.raises(SignalError, match="a sensor must answer each of 3 items, found 2 answers"):
        look(lm, items(), Forgetful(), always=True)


def test_a_sensor_whose_range_shrinks_is_not_asked_for_what_it_lost() -> None:
    """What was laid out on its old limits is held against the new before it is asked."""

    class Aging(Cached):
        hears = iter([EAR, *[replace(EAR, low_hz=1000.0, high_hz=1500.0)] * 3])

        @property  # type: ignore[override]
        def limits(self) -> Limits:
            return next(self.hears)

        def __init__(self) -> None:
            self.asked = []

    aging = Aging()
    with pytest.raises(SignalError, match=r"hears, 1000 to 1500 Hz"):
        look(LMS[True], items(), aging, always=True)
    assert aging.asked == []


# --- learning to ask


@settings(max_examples=5)
@given(st.integers(0, 100))
def test_the_loss_of_asking_is_least_at_what_should_be_asked(seed: int) -> None:
    unit = torch.rand(1, 4, generator=generator(seed), dtype=torch.float64) * 0.9 + 0.05
    yes = torch.ones(1, dtype=torch.float64)

    def loss(wanted: float, at: Tensor) -> float:
        return asking_loss(EAR.lay_out(wanted * yes, at), yes, unit).item()

    best = loss(5.0, unit)
    assert best < loss(4.0, unit)
    for argument in range(4):
        for step in (-0.04, 0.04):
            other = unit.clone()
            other[0, argument] += step
            assert best < loss(5.0, other)
    silent = asking_loss(EAR.lay_out(-5 * yes, unit), 0 * yes, 1 - unit)
    assert silent.item() == pytest.approx(math.log1p(math.exp(-5)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("said", [-60.0, -14.0, -3.0, 3.0, 14.0, 60.0])
def test_a_head_that_is_wrong_and_sure_is_taught_all_the_same(
    said: float, dtype: torch.dtype
) -> None:
    """The gradient of cross-entropy by what the head said is the error: its unit less the target.
    bfloat16 has 8 binary digits: halfway between 0 and 1 it is 0.002 off at most."""
    head = linear(8, 5, bias=True).to(dtype)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.5, said, 0.0, said, said]))
    loss = asking_loss(
        ask(head, torch.ones(1, 8, dtype=dtype), EAR), torch.ones(1), torch.full((1, 4), 0.5)
    )
    loss.sum().backward()
    assert head.bias.grad is not None and bool(torch.isfinite(loss).all())
    error = 1 / (1 + math.exp(-said)) - 0.5
    expected = [1 / (1 + math.exp(-0.5)) - 1, error, 0.0, error, error]
    assert head.bias.grad.tolist() == pytest.approx(
        expected, abs=2**-8 if dtype == torch.bfloat16 else 1e-6
    )


def test_requests_that_no_head_made_have_a_finite_loss_at_the_ends() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        unit = torch.tensor([[0.0, 1.0, 0.0, 1.0]], dtype=dtype, requires_grad=True)
        requests = EAR.lay_out(torch.zeros(1, dtype=dtype), unit)
        assert requests.raw is None and requests.of([0]).raw is None
        # Four ends wrong, each -log of 1e-6, and one wish of even odds.
        loss = asking_loss(requests, torch.ones(1), 1 - unit.detach())
        assert loss.item() == pytest.approx(-4 * math.log(1e-6) + math.log(2), rel=0.01)


def test_requests_of_some_items_keep_what_the_head_said() -> None:
    head = LMS[True].request_head
    assert head is not None
    both = ask(head, random(2, 64, dtype=torch.float64), EAR)
    (one,) = [both.of([1])]
    assert both.raw is not None and one.raw is not None
    assert torch.equal(one.raw, both.raw[1:]) and torch.equal(one.raw.sigmoid(), one.unit)


def test_a_model_learns_where_to_listen_and_answers_by_what_it_hears() -> None:
    """A cue says which band to listen to; only there can the word to say be heard.

    Control: the same model with a sensor that brings nothing of use knows no more than before.
    """
    bands = [Request(200, 600, 500, 50), Request(1200, 3000, 500, 50)]
    signs = random(2, 24, seed=11)

    @dataclass
    class Voices:
        words: Tensor
        bands: Tensor
        deaf: bool = False
        limits: Limits = EAR
        hits: int = 0

        def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
            out = []
            for item, request in zip(items, requests.decoded(), strict=True):
                target = bands[int(self.bands[item])]
                overlap = min(request.high_hz, target.high_hz) / max(request.low_hz, target.low_hz)
                heard = overlap > (target.high_hz / target.low_hz) ** 0.5  # half of it, in octaves
                self.hits += heard
                audible = heard and not self.deaf
                out.append(signs[int(self.words[item])][None] * (1.0 if audible else 0.0))
            return out

    lm = model(seed=5, exact=False, layers=1)
    optimizer = torch.optim.AdamW(lm.parameters(), lr=3e-3)

    def batch(seed: int, deaf: bool = False) -> tuple[list[list[Piece]], Voices]:
        drawn = torch.randint(2, (2, 24), generator=generator(seed))
        return [[Text((65 + int(band),))] for band in drawn[1]], Voices(drawn[0], drawn[1], deaf)

    taught = torch.tensor([EAR.unit_of(band) for band in bands])
    for step in range(70):
        cues, sensor = batch(step)
        got = look(lm, cues, sensor, rounds=2, always=True)
        asked = asking_loss(got.rounds[0].requests, torch.ones(24), taught[sensor.bands])
        loss = cross_entropy(got.logits, sensor.words) + asked.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def right(deaf: bool, at: int) -> tuple[float, int]:
        cues, sensor = batch(1000, deaf)
        with torch.no_grad():
            got = look(lm, cues, sensor, rounds=2)
        said = got.rounds[at].logits.argmax(dim=-1)
        return (said == sensor.words).double().mean().item(), sensor.hits

    assert right(deaf=False, at=1) == (1.0, 24)
    # Guessing 24 times: 19 right or more in 0.3 % of tries.
    assert right(deaf=False, at=0)[0] < 19 / 24
    assert right(deaf=True, at=1)[0] < 19 / 24
