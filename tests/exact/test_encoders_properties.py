"""What every encoder promises: repeatable, causal in its seed, in its window, hands off input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from encoders import ENCODERS, Encoding, arena_path, auditory_nerve, heat_fibres
from encoders.cochlea.nerve import auditory_nerve_spikes, fibre_classes
from encoders.cochlea.synapse import HIGH
from encoders.heat import C, nociceptor_rate_hz
from neuro.measures import first_spikes
from neuro.signal import Signal
from neuro.units import Hz, Quantity, celsius, dB, m, ms

SMALL_EAR = {"n_channels": 3, "fibres_per_channel": 2, "embedded": "calm"}
SMALL_SKIN = {"n_a_delta": 4, "n_c": 6, "distance": m(0.05), "onset": ms(0), "hold": ms(200)}
CASES: list[tuple[Callable[..., Encoding], dict[str, Any]]] = [
    (auditory_nerve, SMALL_EAR),
    (heat_fibres, SMALL_SKIN),
    (arena_path, {}),
]
encoders = pytest.mark.parametrize(
    ("encode", "extra"), CASES, ids=["auditory_nerve", "heat_fibres", "arena_path"]
)


def equal(a: Encoding, b: Encoding) -> bool:
    return all(a.spikes[k].spikes == b.spikes[k].spikes for k in a.spikes) and all(
        np.array_equal(a.signals[k].values, b.signals[k].values) for k in a.signals
    )


def test_all_encoders_are_registered() -> None:
    assert list(ENCODERS) == ["arena_path", "auditory_nerve", "heat_fibres"]


@encoders
def test_same_seed_same_everything_other_seed_other(encode: Any, extra: dict[str, Any]) -> None:
    one, again, other = (encode(duration_ms=400.0, seed=seed, **extra) for seed in (7, 7, 8))
    assert equal(one, again)
    for name in one.spikes:
        assert len(one.spikes[name].spikes) > 10
        assert one.spikes[name].spikes != other.spikes[name].spikes
    if not one.spikes:
        assert not equal(one, other)


@encoders
def test_a_longer_run_begins_like_a_shorter_one(encode: Any, extra: dict[str, Any]) -> None:
    short, long = (encode(duration_ms=lasts, seed=7, **extra) for lasts in (300.0, 500.0))
    for name, output in short.spikes.items():
        assert len(output.spikes) > 5
        assert long.spikes[name].spikes.between(0, 300) == output.spikes
    for name, signal in short.signals.items():
        assert np.array_equal(long.signals[name].values[: signal.values.shape[0]], signal.values)


@settings(max_examples=15)
@given(
    duration_ms=st.floats(20, 200),
    level_db=st.floats(0, 110),
    seed=st.integers(0, 2**31),
    n_channels=st.integers(1, 4),
    fibres=st.integers(1, 3),
)
def test_nerve_spikes_lie_in_the_run_and_its_fibres(
    duration_ms: float, level_db: float, seed: int, n_channels: int, fibres: int
) -> None:
    encoding = auditory_nerve(
        duration_ms=duration_ms, seed=seed, embedded="distressed", level=dB(level_db),
        n_channels=n_channels, fibres_per_channel=fibres,
    )  # fmt: skip
    output = encoding.spikes["nerve"]
    spikes = output.spikes  # itself refuses units and times out of range
    assert (spikes.n_units, spikes.t_start_ms, spikes.t_stop_ms) == (
        n_channels * fibres, 0.0, duration_ms,
    )  # fmt: skip
    assert np.all(np.diff(spikes.times_ms) >= 0)
    assert all(value.shape == (n_channels * fibres,) for value in output.coordinates.values())
    frames = encoding.signals["neurogram"].values
    assert frames.shape == (int(np.ceil(round(duration_ms * 40, 6) / 40 - 1e-9)), n_channels)
    assert frames.min() >= 0


@settings(max_examples=25)
@given(
    duration_ms=st.floats(20, 1500),
    peak=st.floats(34, 60),
    onset_share=st.floats(0, 0.9),
    hold=st.floats(0, 500),
    inflammation=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_heat_spikes_lie_in_the_run(
    duration_ms: float, peak: float, onset_share: float, hold: float, inflammation: float, seed: int
) -> None:
    onset_ms = int(10 * onset_share * duration_ms) / 10  # pulses lie on 0.1 ms
    encoding = heat_fibres(
        duration_ms=duration_ms, seed=seed, peak=celsius(peak), onset=ms(onset_ms),
        hold=ms(round(hold, 1)), inflammation=inflammation, n_a_delta=3, n_c=3, distance=m(0.1),
    )  # fmt: skip
    temperature = encoding.signals["temperature"].values
    assert temperature.min() >= 34 and temperature.max() <= peak + 1e-9
    for output in encoding.spikes.values():
        times = output.spikes.times_ms
        assert (output.spikes.n_units, output.spikes.t_stop_ms) == (3, duration_ms)
        assert np.all(np.diff(times) >= 0)
        # Nothing is felt before the heat has had time to travel.
        arrival = onset_ms + output.coordinates["delay_ms"][output.spikes.units]
        assert np.all(times >= arrival - 1e-9)


@settings(max_examples=25)
@given(
    duration_ms=st.floats(50, 5000),
    width=st.floats(0.05, 5),
    height=st.floats(0.05, 5),
    speed_m_per_s=st.floats(0, 3),
    every_ms=st.floats(1, 50),
    seed=st.integers(0, 2**31),
)
def test_a_path_stays_inside_its_arena(
    duration_ms: float,
    width: float,
    height: float,
    speed_m_per_s: float,
    every_ms: float,
    seed: int,
) -> None:
    from neuro.units import m_per_s

    signals = arena_path(
        duration_ms=duration_ms, seed=seed, width=m(width), height=m(height),
        speed=m_per_s(speed_m_per_s), every=ms(every_ms),
    ).signals  # fmt: skip
    x, y = signals["x"].values, signals["y"].values
    assert x.min() >= 0 and x.max() < width
    assert y.min() >= 0 and y.max() < height
    assert signals["speed"].values.min() >= 0
    assert np.abs(signals["heading"].values).max() <= np.pi
    lengths = {signal.values.size for signal in signals.values()}
    assert len(lengths) == 1
    assert lengths.pop() * every_ms >= duration_ms - 1e-6


def test_a_fibre_does_not_depend_on_how_many_there_are() -> None:
    sound = Signal(np.zeros(4000), 0.025, "Pa")
    few = auditory_nerve_spikes(sound, np.array([500.0]), seed=1, classes=[HIGH] * 2)
    many = auditory_nerve_spikes(sound, np.array([500.0, 1000.0]), seed=1, classes=[HIGH] * 2)
    assert len(few.spikes) > 5
    assert few.spikes == many.spikes.select([0, 1])


def test_fibres_of_a_channel_fire_by_themselves() -> None:
    """Fibres of one place and kind share their rate and not their spikes.

    With one stream the first spikes under heat would come in the order of the thresholds.
    """
    nerve = (
        auditory_nerve(
            duration_ms=500,
            seed=1,
            embedded="silence",
            n_channels=1,
            fibres_per_channel=8,
            spontaneous="high",
        )
        .spikes["nerve"]
        .spikes
    )
    trains = [set(nerve.of(k)) for k in range(8)]
    assert min(map(len, trains)) > 5
    assert all(not one & other for k, one in enumerate(trains) for other in trains[:k])
    heat = heat_fibres(duration_ms=1500, seed=1, distance=m(0), n_c=60).spikes["c"]
    first = first_spikes(heat.spikes)
    assert np.isfinite(first).all()
    assert abs(spearmanr(first, heat.coordinates["threshold_c"]).statistic) < 0.8


def test_input_is_not_modified() -> None:
    pressure = np.sin(np.arange(4000) / 5.0) * 0.01
    before = pressure.copy()
    auditory_nerve_spikes(Signal(pressure, 0.0625, "Pa"), np.array([500.0]), seed=1, classes=[HIGH])
    temperature, thresholds = Signal(np.full(50, 48.0), 1.0, "degC"), np.array([43.0, 44.0])
    nociceptor_rate_hz(temperature, C, thresholds)
    assert np.array_equal(pressure, before)
    assert thresholds.tolist() == [43.0, 44.0]


def test_mixed_fibres_follow_the_shares_found_in_the_cat() -> None:
    names = [synapse.name for synapse in fibre_classes(100)]
    assert [names.count(name) for name in ("high", "medium", "low")] == [61, 23, 16]
    assert [synapse.name for synapse in fibre_classes(1)] == ["high"]


def test_the_sound_starts_where_it_is_told_and_is_cut_at_the_end_of_the_run() -> None:
    encoding = auditory_nerve(
        duration_ms=600.0, seed=1, embedded="calm", start=ms(200), level=dB(80), n_channels=1
    )
    pressure = encoding.signals["waveform"]
    heard = np.flatnonzero(pressure.values) * pressure.dt_ms
    assert heard[0] >= 200 and heard[0] < 215
    assert heard[-1] > 590
    assert encoding.duration_ms == 1200  # the whole sound would end here: it was cut
    silent = auditory_nerve(duration_ms=600.0, seed=1, embedded="silence", n_channels=1)
    assert not silent.signals["waveform"].values.any()
    assert silent.duration_ms == 600


def test_settings_reach_the_nerve() -> None:
    encoding = auditory_nerve(
        duration_ms=50.0, seed=1, embedded="silence", n_channels=5, fibres_per_channel=2,
        low=Hz(200), high=Hz(2000), spontaneous="high",
    )  # fmt: skip
    coordinates = encoding.spikes["nerve"].coordinates
    assert coordinates["cf_hz"][[0, 1, -1]] == pytest.approx([200, 200, 2000])
    assert np.all(coordinates["spontaneous_hz"] > 18)
    assert isinstance(Hz(200), Quantity)
