"""The ear run again: the first look to the bit, the same answer whenever and beside whomever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.features.counts import counts
from bridges.language.requests import Request
from bridges.language.stored import StoredSensor
from encoders.sound import Sound
from neuro.errors import ConfigError, SignalError, UnitError
from sims.config.train import NerveSpec, VoicesData
from sims.dataset.build import spike_dataset
from sims.dataset.spike_dataset import SpikeDataset
from sims.sensing.live import LiveSensor
from sims.sensing.of_dataset import live_sensor
from sims.sensing.recent import Recent
from tests.reasoning._listening import RATE_HZ, asked, ear, waves

NERVE = NerveSpec(n_channels=5, fibres_per_channel=3)
DATA = VoicesData(speakers=2, validation=1, held_out=1, duration="200 ms", nerve=NERVE)
STEP_MS, WIDTH = 10.0, 7


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SpikeDataset:
    return spike_dataset(DATA, seed=5, folder=tmp_path_factory.mktemp("data"))[0]


@pytest.fixture(scope="module")
def live(data: SpikeDataset) -> LiveSensor:
    return live_sensor(data, step_ms=STEP_MS, width=WIDTH)


@pytest.fixture(scope="module")
def stored(data: SpikeDataset) -> StoredSensor:
    activity = [counts(one, bin_ms=STEP_MS, channels=data.channels) for one in data.spikes]
    return StoredSensor(
        torch.stack(activity), np.unique(data.cf_hz).tolist(), step_ms=STEP_MS, width=WIDTH
    )


@pytest.fixture(scope="module")
def tones() -> LiveSensor:
    return ear({"low": waves(500.0), "middle": waves(1000.0), "high": waves(2000.0)})


# --- the first look


def test_asking_for_the_whole_first_look_is_reading_the_data_set(
    data: SpikeDataset, live: LiveSensor, stored: StoredSensor
) -> None:
    """To the bit, though the sounds were made, heard and cut up anew."""
    everything = asked(125.0, 3500.0, 200.0, STEP_MS, len(data))
    got = live.sense(range(len(data)), everything)
    expected = stored.sense(range(len(data)), everything)
    assert all(one.mean() > 0.1 for one in expected)  # it is not silence that is equal
    for one, two, first in zip(got, expected, live.first_look(), strict=True):
        assert one.shape == (20, WIDTH)
        assert torch.equal(one, two) and torch.equal(one, first)
    other = LiveSensor(
        dict(zip(data.keys, _sounds(), strict=True)), NERVE,
        duration_ms=200.0, step_ms=STEP_MS, width=WIDTH, seed=6,
    )  # fmt: skip
    assert not torch.equal(other.first_look()[0], got[0])  # another seed is another nerve


def _sounds() -> list[Sound]:
    from sims.dataset.voices import voices

    return [sound.make() for sound in voices(DATA, seed=5).sounds]


@pytest.mark.parametrize("resolution_ms", [20.0, 30.0, 50.0, 200.0])
def test_coarser_tokens_cut_up_the_same_spikes(
    live: LiveSensor, stored: StoredSensor, resolution_ms: float
) -> None:
    """Whole steps to rounding (sums of float32 counts below 2^24 are exact, so double's); 30 ms
    is 7 tokens of 28.6 ms, whose edges the stored sensor can only guess within its steps."""
    runs = live.runs
    request = asked(125.0, 3500.0, 200.0, resolution_ms)
    (got,), (expected,) = live.sense([0], request), stored.sense([0], request)
    assert got.shape == expected.shape
    if resolution_ms != 30.0:
        assert torch.allclose(got, expected, rtol=1e-6)  # float32 holds what a step would fire
    else:
        assert not torch.allclose(got, expected, rtol=1e-3)
        assert torch.allclose(got.mean(0), expected.mean(0), rtol=1e-6)
    live.first_look()
    assert live.runs == max(runs, len(live))


def test_spikes_of_the_first_look_are_those_of_the_data_set(
    data: SpikeDataset, live: LiveSensor
) -> None:
    heard = live.heard(2, live.first.request)
    assert np.array_equal(heard.spikes.units, data.spikes[2].units)
    # The file holds seconds: two roundings of a time below 200 ms.
    assert np.abs(heard.spikes.times_ms - data.spikes[2].times_ms).max() < 200 * 2**-51
    assert np.array_equal(heard.channels, data.channels)
    assert np.array_equal(np.repeat(heard.cf_hz, 3), data.cf_hz)


def test_the_head_can_ask_for_the_first_look_whatever_it_rounds(live: LiveSensor) -> None:
    unit = torch.tensor([live.limits.unit_of(live.first.request)])  # single precision
    (got,) = live.sense([1], live.limits.lay_out(torch.ones(1), unit))
    assert torch.equal(got, live.first_look()[1])


# --- one seed, one sound, one request: one answer

REQUESTS = ((500.0, 2000.0, 60.0, 4.0), (125.0, 3500.0, 200.0, 10.0), (900.0, 1200.0, 37.3, 5.1))


def test_an_answer_depends_on_nothing_but_seed_sound_and_request(tones: LiveSensor) -> None:
    """Order of asking, neighbours, what is cached, threads, another sensor of other sounds."""
    alone = {
        (item, request): tones.sense([item], asked(*request))[0]
        for item in range(3)
        for request in REQUESTS
    }
    forgetful = ear(
        {"high": waves(2000.0), "extra": waves(700.0), "low": waves(500.0)}, memory=0, threads=3
    )
    for request in reversed(REQUESTS):
        high, extra, low, again = forgetful.sense([0, 1, 2, 0], asked(*request, 4))
        assert torch.equal(high, alone[2, request]) and torch.equal(low, alone[0, request])
        assert torch.equal(again, high) and not torch.equal(extra, low)
    mixed = torch.tensor([REQUESTS[0], REQUESTS[2]], dtype=torch.float64).T
    one, two = tones.sense([1, 0], asked(*REQUESTS[0], 2)._replace(
        low_hz=mixed[0], high_hz=mixed[1], window_ms=mixed[2], resolution_ms=mixed[3]
    ))  # fmt: skip
    assert torch.equal(one, alone[1, REQUESTS[0]]) and torch.equal(two, alone[0, REQUESTS[2]])


def test_each_request_and_each_sound_has_noise_of_its_own() -> None:
    """The same waveform by two names, and a window 1 ms longer: not one spike train repeats."""
    sensor = ear({"one": waves(1000.0), "two": waves(1000.0)})
    request = Request(500.0, 2000.0, 60.0, 4.0)
    trains = [
        sensor.heard(0, request), sensor.heard(1, request),
        sensor.heard(0, replace(request, window_ms=61.0)),
    ]  # fmt: skip
    assert all(len(one.spikes) > 100 for one in trains)
    for one, two in ((0, 1), (0, 2)):
        assert not np.isin(trains[one].spikes.times_ms, trains[two].spikes.times_ms).any()


@settings(max_examples=10)
@given(st.lists(st.floats(-1e-9, 1e-9), min_size=4, max_size=4))
def test_rounding_of_a_request_does_not_choose_the_noise(
    tones: LiveSensor, by: list[float]
) -> None:
    request = np.array(REQUESTS[0])
    (got,) = tones.sense([0], asked(*(request * (1 + np.array(by)))))
    assert torch.equal(got, tones.sense([0], asked(*request))[0])


def test_the_same_request_twice_is_one_run() -> None:
    sensor = ear({"low": waves(500.0), "high": waves(2000.0)})
    assert sensor.runs == 0
    first = sensor.sense([0, 1, 0], asked(*REQUESTS[0], 3))
    assert sensor.runs == 2
    first[0].zero_()  # what was given away is the caller's
    (again,) = sensor.batch(["low"]).sense([0], asked(*REQUESTS[0]))
    assert sensor.runs == 2 and torch.equal(again, first[2])
    sensor.sense([0], asked(*REQUESTS[2]))
    assert sensor.runs == 3


def test_what_is_kept_stays_within_its_size() -> None:
    sensor = ear({"low": waves(500.0)}, memory=80_000)
    heard = [sensor.heard(0, Request(500.0, 2000.0, window, 4.0)) for window in range(20, 40, 2)]
    kept = sensor._ear._heard
    assert 0 < kept.n_bytes <= 60_000 < sum(one.n_bytes for one in heard)
    runs = sensor.runs
    assert sensor.heard(0, Request(500.0, 2000.0, 38, 4.0)) is heard[-1] and sensor.runs == runs
    assert sensor.heard(0, Request(500.0, 2000.0, 20, 4.0)).spikes == heard[0].spikes
    assert sensor.runs == runs + 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 25)), max_size=30))
def test_recent_values_take_no_more_than_their_room(puts: list[tuple[int, int]]) -> None:
    recent, sizes = Recent[str](20), dict[int, int]()
    for key, size in puts:
        recent.put(key, str(key), size)
        sizes[key] = size
        there = [one for one in range(6) if one in recent._kept]
        assert recent.n_bytes == sum(sizes[one] for one in there) <= 20
        assert (key in there) == (size <= 20)
        assert all(recent.get(one) == str(one) for one in there)


def test_a_batch_is_some_of_the_sounds_in_its_own_order(tones: LiveSensor) -> None:
    batch = tones.batch(["high", 0])
    assert len(batch) == 2 and len(tones) == 3
    low, _, high = tones.first_look()
    got = batch.first_look()
    assert torch.equal(got[0], high) and torch.equal(got[1], low)
    assert batch.limits == tones.limits


def test_items_of_a_data_set_are_heard_in_its_order(data: SpikeDataset, live: LiveSensor) -> None:
    some = live_sensor(data, [4, 1], step_ms=STEP_MS, width=WIDTH)
    whole = live.first_look()
    for one, two in zip(some.first_look(), (whole[4], whole[1]), strict=True):
        assert torch.equal(one, two)


# --- what cannot be done


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ((60, 1000, 60, 4), r"hears, 125 to 3500 Hz .*found 60 to 1000 Hz"),
        ((500, 5000, 60, 4), r"hears, 125 to 3500 Hz .*found 500 to 5000 Hz"),
        ((1000, 1100, 60, 4), r"0\.333 octaves wide or more, found 1000 to 1100 Hz; widen it"),
        ((500, 2000, 300, 4), "window must be 20 to 200 ms, found 300 ms"),
        (
            (500, 2000, 60, 1),
            "resolution must be 2 to 60 ms, no longer than the window, found 1 ms",
        ),
        ((500, 2000, float("nan"), 4), "`window_ms`: expected a time.*found NaN"),
    ],
)
def test_a_request_outside_the_range_is_refused_and_nothing_is_lost(
    tones: LiveSensor, request_: tuple[float, ...], says: str
) -> None:
    """Though the item beside it asks for what can be done: nothing is heard for it either."""
    tones.sense([0], asked(*REQUESTS[0]))
    runs, good = tones.runs, asked(500.0, 2000.0, 60.0, 3.0)
    both = [torch.cat([good[part], asked(*request_)[part]]) for part in range(6)]
    with pytest.raises((SignalError, UnitError), match=says) as refused:
        tones.sense([0, 1], type(good)(*both))
    assert "\n" not in str(refused.value)
    with pytest.raises((SignalError, UnitError), match=says):
        tones.heard(0, Request(*request_))
    assert tones.runs == runs
    tones.sense([0], asked(*REQUESTS[0]))
    assert tones.runs == runs  # what was kept is still there


def test_items_that_are_not_there_are_refused(tones: LiveSensor) -> None:
    for item in (3, -1):
        with pytest.raises(SignalError, match=f"must be 0 to 2, .*found {item}; make the sensor"):
            tones.sense([item], asked(*REQUESTS[0]))
        with pytest.raises(SignalError, match=f"must be 0 to 2, .*found {item}"):
            tones.batch([item])
    with pytest.raises(SignalError, match="found no `hihg`; did you mean `high`"):
        tones.batch(["hihg"])
    with pytest.raises(SignalError, match="one request, found 2 items and 1 requests"):
        tones.sense([0, 1], asked(*REQUESTS[0]))


TONE = {"tone": waves(1000.0)}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"step_ms": 30.0}, "a whole number of its steps, found 200 ms in steps of 30 ms"),
        ({"step_ms": 0.0}, "a whole number of its steps, found 200 ms in steps of 0 ms"),
        ({"duration_ms": float("inf")}, "whole number of its steps, found inf ms"),
        ({"width": 0}, "1 number wide or more .*found 0 and 2 ms"),
        ({"finest_ms": 0.01}, r"the ear's own step, 0\.025 ms, or more, found 9 and 0\.01 ms"),
        ({"finest_ms": 25.0}, "must hold a token of its finest resolution, found 20 ms and 25 ms"),
        ({"low_hz": 3000.0, "high_hz": 3200.0}, "hear more than its narrowest band"),
        ({"threads": 0}, "1 thread or more .*found 0 and"),
        ({"memory": -1}, "0 bytes or more, found 1 and -1"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        ear(TONE, **settings)
    assert "\n" not in str(refused.value)


def test_sounds_that_cannot_be_heard_are_refused() -> None:
    with pytest.raises(SignalError, match="must have a sound to listen to, found none"):
        ear({})
    slow = Sound(np.sin(np.arange(1200.0)), 6000.0, "an old telephone")
    says = "half the sampling rate of an old telephone and of the ear, 3000 Hz, found 3500 Hz"
    with pytest.raises(SignalError, match=says):
        ear({"slow": slow})
    fast = Sound(np.sin(np.arange(20_000.0)), 96_000.0)
    with pytest.raises(SignalError, match="of the ear, 20000 Hz, found 30000 Hz"):
        ear({"fast": fast}, high_hz=30_000.0)
    made_late = ear({"late": lambda: slow, "tone": Sound(waves(1000.0), RATE_HZ)})
    with pytest.raises(SignalError, match=says):
        made_late.first_look()
    assert len(made_late.batch(["tone"]).first_look()) == 1


def test_a_data_set_of_another_ear_is_refused(data: SpikeDataset) -> None:
    how = {"step_ms": STEP_MS, "width": WIDTH}
    with pytest.raises(ConfigError, match=r"by the ear that heard it first.*build it anew"):
        live_sensor(replace(data, about={**data.about, "code": "0" * 16}), **how)  # type: ignore[arg-type]
    for wrong in ({}, {"data": {"source": "birds"}, "seed": 1}, {"data": 3, "seed": 1}):
        with pytest.raises(ConfigError, match="must say which sounds it is of") as refused:
            live_sensor(replace(data, about=wrong), **how)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)


def test_the_ear_may_be_asked_for_more_than_it_heard_first() -> None:
    """Places that no stored spikes are of."""
    sensor = ear({"shrill": waves(5000.0)}, high_hz=7500.0, level_db=50.0)
    above, below = (
        sensor.sense([0], asked(low, high, 60, 20))[0].mean() for low, high in
        ((4400, 5700), (400, 520))
    )  # fmt: skip
    assert above > 1.5 * below > 0
    assert sensor.limits.high_hz == 7500.0
