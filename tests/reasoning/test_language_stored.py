"""A closer look at stored activity, and at what a nerve's recording shows of a tone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bridges.language.requests import Request, Requests
from bridges.language.sensing import look
from bridges.language.stored import StoredSensor
from encoders.cochlea.gammatone import erb_spaced_hz
from encoders.cochlea.nerve import auditory_nerve_spikes, fibre_classes
from neuro.errors import ConfigError, SignalError
from neuro.signal import Signal
from tests.reasoning._language import model, random, words

OCTAVES = [125.0, 250.0, 500.0, 1000.0, 2000.0]
STEPS = 40


def sensor(activity: Tensor | None = None, width: int = 5) -> StoredSensor:
    if activity is None:
        activity = random(2, STEPS, 5, dtype=torch.float64)
    return StoredSensor(activity, OCTAVES, step_ms=5.0, width=width)


def asked(*arguments: float) -> Requests:
    low, high, window, resolution = (
        torch.tensor([one], dtype=torch.float64, requires_grad=True) for one in arguments
    )
    return Requests(torch.ones(1), torch.zeros(1, 4), low, high, window, resolution)


def test_everything_at_its_own_places_is_what_was_stored() -> None:
    activity = random(2, STEPS, 5, dtype=torch.float64)
    (got,) = sensor(activity).sense([1], asked(125, 2000, 200, 5))
    assert torch.allclose(got, activity[1], atol=1e-12)


def test_a_token_is_the_mean_over_its_part_of_the_window() -> None:
    """The window ends at the end; bands between channels are between their activities."""
    activity = random(2, STEPS, 5, dtype=torch.float64)
    (got,) = sensor(activity, width=3).sense([0], asked(250, 1000, 100, 25))
    parts = activity[0, 20:, 1:4].unflatten(0, (4, 5)).mean(dim=1)
    assert torch.allclose(got, parts, atol=1e-12)
    (half,) = sensor(activity, width=2).sense([0], asked(125 * 2**0.5, 250 * 2**0.5, 200, 200))
    means = activity[0].mean(dim=0)
    assert torch.allclose(half[0], (means[:2] + means[1:3]) / 2, atol=1e-12)


@given(st.floats(5, 200), st.floats(0, 1))
def test_tokens_of_a_window_have_its_mean_however_fine(window: float, share: float) -> None:
    resolution = 5 * (window / 5) ** share
    made = sensor()
    (fine,) = made.sense([0], asked(200, 1500, window, resolution))
    (coarse,) = made.sense([0], asked(200, 1500, window, window))
    assert (
        fine.shape == (round(window / resolution + 1e-9), 5)
        or abs(window / resolution % 1 - 0.5) < 1e-6
    )
    # Differences of sums up to 1e3 in double precision, over windows down to 5 ms.
    assert torch.allclose(fine.mean(dim=0), coarse[0], atol=1e-10)


def test_gradient_is_that_of_finite_differences() -> None:
    """Between channels and steps it is smooth: an error of 1e-4 squared over the curvature."""
    arguments = (181.0, 1413.0, 143.0, 143.0)
    made, along = sensor(), random(5, dtype=torch.float64)

    def seen(*values: float) -> Tensor:
        return (made.sense([0], asked(*values))[0] @ along).sum()

    requests = asked(*arguments)
    (made.sense([0], requests)[0] @ along).sum().backward()
    for place, name in enumerate(("low_hz", "high_hz", "window_ms")):
        step = np.zeros(4)
        step[place] = 1e-4
        slope = (seen(*(arguments + step)) - seen(*(arguments - step))).item() / 2e-4
        gradient = getattr(requests, name).grad
        assert gradient is not None and abs(slope) > 1e-5
        assert gradient.item() == pytest.approx(slope, rel=1e-5)


@pytest.fixture(scope="module")
def ear() -> tuple[StoredSensor, Tensor]:
    """Spike counts of a cat's nerve, 10 ms a step, to a tone of 500 Hz and one of 2 kHz."""
    time_s = np.arange(int(0.1 * 40_000)) / 40_000
    cf_hz = erb_spaced_hz(200.0, 3200.0, 24)
    rows = []
    for tone_hz in (500.0, 2000.0):
        wave = Signal(0.02 * np.sqrt(2) * np.sin(2 * np.pi * tone_hz * time_s), 1 / 40, "Pa")
        nerve = auditory_nerve_spikes(wave, cf_hz, seed=4, classes=fibre_classes(6, "high"))
        channel = np.searchsorted(cf_hz, nerve.cf_hz)[nerve.spikes.units]
        counts = np.zeros((10, 24))
        np.add.at(counts, ((nerve.spikes.times_ms / 10).astype(int).clip(max=9), channel), 1)
        rows.append(counts)
    activity = torch.from_numpy(np.stack(rows))
    return StoredSensor(activity, cf_hz.tolist(), step_ms=10.0, width=24), activity


def test_a_tone_is_found_in_its_band_and_not_in_another(ear: tuple[StoredSensor, Tensor]) -> None:
    """Tones at 60 dB SPL drive the fibres of their place far above their spontaneous rate."""
    sensor, activity = ear
    assert activity.sum() > 500  # the nerve is not silent

    def loud(item: int, low: float, high: float) -> float:
        return sensor.sense([item], asked(low, high, 80, 40))[0].mean().item()

    for item, (own, other) in enumerate((((400, 630), (1700, 2400)), ((1700, 2400), (400, 630)))):
        assert loud(item, *own) > 1.5 * loud(item, *other)


def test_the_loop_runs_on_a_nerves_recording(ear: tuple[StoredSensor, Tensor]) -> None:
    lm = model()
    got = look(lm, [[words(3)], [words(2, 1)]], ear[0], rounds=3, always=True)
    assert len(got.rounds) == 3
    got.logits.square().mean().backward()
    assert lm.request_head is not None and lm.request_head.weight.grad is not None
    assert (lm.request_head.weight.grad[1:4].abs().amax(dim=-1) > 1e-12).all()
    with pytest.raises(ValueError, match=r"hears, 200 to 3200 Hz .*found 60 to 900 Hz"):
        ear[0].limits.check(Request(60, 900, 100, 10))


@pytest.mark.parametrize(
    ("activity", "cf_hz", "step_ms", "says"),
    [
        (random(2, 4, 3), [100.0, 200.0], 5.0, r"2 channels\), found \(2, 4, 3\)"),
        (random(4, 2), [100.0, 200.0], 5.0, r"2 channels\), found \(4, 2\)"),
        (random(2, 4, 2), [200.0, 100.0], 5.0, "frequencies that rise"),
        (random(2, 4, 1), [200.0], 5.0, "2 or more"),
        (random(2, 4, 3), [100.0, math.nan, 300.0], 5.0, "finite frequencies that rise"),
        (random(2, 4, 2), [100.0, math.inf], 5.0, "finite frequencies that rise"),
        (random(2, 4, 2), [-100.0, 200.0], 5.0, "finite frequencies that rise"),
        (random(2, 4, 2) / 0, [100.0, 200.0], 5.0, "must be finite, found NaN or infinity"),
        (random(2, 4, 2), [100.0, 200.0], 0.0, "positive step and width, found 0"),
    ],
)
def test_activity_that_cannot_be_served_is_refused(
    activity: Tensor, cf_hz: list[float], step_ms: float, says: str
) -> None:
    with pytest.raises((ConfigError, SignalError), match=says):
        StoredSensor(activity, cf_hz, step_ms=step_ms, width=4)


def test_items_that_were_not_stored_are_refused() -> None:
    for item in (2, -1):  # -1 is the last to a tensor
        with pytest.raises(SignalError, match=f"must be 0 to 1, as many as .* found {item}; store"):
            sensor().sense([item], asked(200, 1500, 100, 10))
    with pytest.raises(SignalError, match="found 2 items and 1 requests"):
        sensor().sense([0, 1], asked(200, 1500, 100, 10))
