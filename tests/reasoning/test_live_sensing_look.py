"""The whole loop: the model asks, the ear runs again, the model reads on."""

from __future__ import annotations

import pytest
import torch

from bridges.language.requests import Request, Requests, ask, asking_loss
from bridges.language.sensing import Looks, Sensor, look
from bridges.language.sequence import Piece, Sensed, interleave
from neuro.errors import SignalError
from sims.sensing.live import LiveSensor
from tests.reasoning._language import model, words
from tests.reasoning._listening import asked, ear, waves

SOUNDS = {"low": waves(500.0), "middle": waves(1000.0), "high": waves(2000.0)}


@pytest.fixture(scope="module")
def sensor() -> LiveSensor:
    return ear(SOUNDS, width=24)


def items(sensor: LiveSensor) -> list[list[Piece]]:
    """A word or two and the first look, of different lengths."""
    looks = sensor.first_look()
    return [[Sensed("sound", one), words(1 + n, n)] for n, one in enumerate(looks)]


def looked(sensor: LiveSensor, *, grad: bool, rounds: int = 3) -> Looks:
    with torch.set_grad_enabled(grad):
        return look(model(), items(sensor), sensor, rounds=rounds, always=True)


def test_each_round_brings_what_was_asked_for(sensor: LiveSensor) -> None:
    as_protocol: Sensor = sensor
    got = looked(sensor, grad=False)
    assert len(got.rounds) == 3
    for item, (before, after) in enumerate(zip(items(sensor), got.items, strict=True)):
        assert len(after) == len(before) + 4
        for turn in range(2):
            request, brought = after[len(before) + 2 * turn :][:2]
            assert isinstance(request, Sensed) and isinstance(brought, Sensed)
            wish = got.rounds[turn].requests
            assert torch.equal(request.embeddings[0], wish.unit[item])
            expected = as_protocol.sense([item], wish.of([item]))[0]
            assert torch.equal(brought.embeddings, expected)
            tokens = round((wish.window_ms[item] / wish.resolution_ms[item]).item())
            assert brought.embeddings.shape == (tokens, 24)
            assert brought.embeddings.mean() > 1  # of spikes in a step: not silence
    assert not torch.allclose(got.rounds[0].logits, got.rounds[1].logits)


def test_a_batch_of_other_sounds_gives_an_item_the_same_rounds(sensor: LiveSensor) -> None:
    """Padding and neighbours change the rounding of what is asked, and so no spike."""
    whole = looked(sensor, grad=False)
    two = sensor.batch(["high", "low"])
    with torch.no_grad():
        pieces = [items(sensor)[2], items(sensor)[0]]
        got = look(model(), pieces, two, rounds=3, always=True)
    for mine, its in ((0, 2), (1, 0)):
        for one, other in zip(got.items[mine], whole.items[its], strict=True):
            if isinstance(one, Sensed) and isinstance(other, Sensed) and one.sense == "sound":
                assert torch.equal(one.embeddings, other.embeddings)
        assert torch.allclose(got.logits[mine], whole.logits[its], atol=1e-9)


def test_reading_anew_and_from_a_cache_hear_the_same(sensor: LiveSensor) -> None:
    fresh, cached = looked(sensor, grad=True), looked(sensor, grad=False)
    for one, two in zip(fresh.items, cached.items, strict=True):
        for a, b in zip(one, two, strict=True):
            if isinstance(a, Sensed) and isinstance(b, Sensed) and a.sense == "sound":
                assert torch.equal(a.embeddings, b.embeddings)
    assert torch.allclose(fresh.logits, cached.logits, atol=1e-9)


def test_an_answer_carries_no_gradient_and_the_loop_still_learns(sensor: LiveSensor) -> None:
    """What reaches the head comes through the token that says what was asked."""
    request = asked(500.0, 2000.0, 60.0, 4.0)
    leaves = [part.clone().requires_grad_() for part in request[:6]]
    (tokens,) = sensor.sense([0], Requests(*leaves))
    assert not tokens.requires_grad and tokens.dtype == torch.float64
    lm = model()
    assert lm.request_head is not None
    look(lm, items(sensor), sensor, rounds=2, always=True).logits.square().mean().backward()
    assert lm.request_head.weight.grad is not None
    assert (lm.request_head.weight.grad[1:].abs().amax(dim=-1) > 1e-12).all()


def test_the_head_learns_to_ask_for_the_band_that_it_hears(sensor: LiveSensor) -> None:
    """By `asking_loss` on the first look alone; the zoom then is louder than before learning."""
    lm = model(exact=False)
    wanted = [Request(hz / 1.25, hz * 1.25, 40.0, 4.0) for hz in (500.0, 1000.0, 2000.0)]
    unit = torch.tensor([sensor.limits.unit_of(one) for one in wanted])
    batch = interleave(items(sensor), lm.settings)

    def asks() -> tuple[list[float], list[float]]:
        """How far from its tone, in octaves, and how loud what comes back."""
        with torch.no_grad():
            got = look(lm, items(sensor), sensor, rounds=2, always=True)
        requests = got.rounds[0].requests
        centre = (requests.low_hz * requests.high_hz).sqrt()
        away = (centre / torch.tensor([500.0, 1000.0, 2000.0])).log2().abs()
        brought = [pieces[-1] for pieces in got.items]
        return away.tolist(), [
            one.embeddings.mean().item() for one in brought if isinstance(one, Sensed)
        ]

    assert max(asks()[0]) > 0.5
    optimizer = torch.optim.Adam(lm.parameters(), lr=3e-3)
    for _ in range(40):
        requests = ask(lm.request_head, lm(batch)[:, -1], sensor.limits)  # type: ignore[arg-type]
        loss = asking_loss(requests, torch.ones(3), unit).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    away, loud = asks()
    assert max(away) < 0.2
    # At rest 4 fibres fire about 5 times in 20 ms.
    assert len(loud) == 3 and min(loud) > 10


def test_what_the_model_asks_is_refused_if_the_sensor_cannot(sensor: LiveSensor) -> None:
    """Three items, and a sensor that holds two of them."""
    with pytest.raises(SignalError, match=r"must be 0 to 1, .*found 2; make the sensor of a batch"):
        look(model(), items(sensor), sensor.batch([0, 1]), always=True)
