"""The auditory nerve against what is measured in living ones.

Levels are re 20 µPa; "+30 dB" is re the level at which the model's fibres of high spontaneous
rate have gone a tenth of the way from their spontaneous to their highest rate.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.optimize import curve_fit

from encoders import auditory_nerve
from encoders.cochlea.nerve import MIXED, Nerve, auditory_nerve_spikes
from encoders.cochlea.synapse import HIGH, LOW, MAP_POOLS, MEDIUM, Synapse
from neuro.measures import first_spikes, interval_cv, intervals, psth, vector_strength
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import dB

LEAD_MS = 50.0
LEVELS_DB = np.arange(-20, 101, 5)


def tone(hz: float, level_db: float, lasts_ms: float = 300.0, ramp_ms: float = 2.5) -> Signal:
    """A tone burst in Pa after 50 ms of silence, with raised-cosine ramps."""
    t_ms = np.arange(round(lasts_ms * 40)) / 40
    ramps = np.minimum(t_ms, lasts_ms - t_ms) / ramp_ms
    burst = np.sin(2 * np.pi * hz * t_ms / 1000) * np.sin(np.pi / 2 * np.clip(ramps, 0, 1)) ** 2
    pressure = np.sqrt(2) * 2e-5 * 10 ** (level_db / 20) * burst
    return Signal(np.concatenate([np.zeros(round(LEAD_MS * 40)), pressure]), 0.025, "Pa")


def answer(
    cf_hz: float, level_db: float, kind: Synapse = HIGH, fibres: int = 100, **burst: float
) -> Nerve:
    """`fibres` fibres of one class and place that hear a tone of their own frequency."""
    sound = tone(cf_hz, level_db, **burst)
    return auditory_nerve_spikes(sound, np.array([cf_hz]), seed=11, classes=[kind] * fibres)


@cache
def steady_hz(cf_hz: float, kind: Synapse, tone_hz: float | None = None) -> np.ndarray:
    """Expected release of a fibre late in a tone, at each of `LEVELS_DB`."""
    heard = [
        auditory_nerve_spikes(
            tone(tone_hz or cf_hz, level), np.array([cf_hz]), seed=0, classes=[kind]
        )
        for level in LEVELS_DB
    ]
    return np.array([nerve.neurogram.values[200:350, 0].mean() for nerve in heard])


def level_at(share: float, rates_hz: np.ndarray) -> float:
    """Level at which the rate has gone this share of the way from the lowest to the highest."""
    wanted = rates_hz[0] + share * (rates_hz.max() - rates_hz[0])
    first = int(np.argmax(rates_hz >= wanted))
    return float(
        np.interp(wanted, rates_hz[first - 1 : first + 1], LEVELS_DB[first - 1 : first + 1])
    )


def threshold_db(cf_hz: float) -> float:
    return level_at(0.1, steady_hz(cf_hz, HIGH))


def locked(cf_hz: float, level_db: float) -> Spikes:
    """Spikes of the last 200 ms of a tone, a whole number of cycles."""
    return answer(cf_hz, level_db).spikes.between(LEAD_MS + 100, LEAD_MS + 300)


# ---------------------------------------------------------------- in silence


def test_spontaneous_rates_fall_into_three_classes() -> None:
    """Below 0.5, 0.5 to 18 and above 18 per s (Liberman 1978)."""
    silence = Signal(np.zeros(40 * 1000), 0.025, "Pa")
    rates = {
        kind.name: auditory_nerve_spikes(
            silence, np.array([1000.0]), seed=3, classes=[kind] * 40
        ).spikes.rate_hz
        for kind in (HIGH, MEDIUM, LOW)
    }
    assert 18 < rates["high"] < 120
    assert 0.5 < rates["medium"] < 18
    assert rates["low"] < 0.5
    assert sum(MIXED.values()) == pytest.approx(1)
    # Control: without calcium nothing is released.
    blocked = [replace(HIGH, z=0.0)] * 40
    assert (
        len(auditory_nerve_spikes(silence, np.array([1000.0]), seed=3, classes=blocked).spikes) == 0
    )


def test_spontaneous_intervals_are_nearly_poisson() -> None:
    """Coefficient of variation 0.75–1: a Poisson process with a dead time."""
    silence = Signal(np.zeros(40 * 8000), 0.025, "Pa")
    spikes = auditory_nerve_spikes(silence, np.array([1000.0]), seed=3, classes=[HIGH] * 12).spikes
    assert spikes.rate_hz > 18
    assert 0.75 < interval_cv(spikes).mean() < 1
    # Control: spikes pooled over every fourth interval are too regular.
    regular = Spikes(
        np.sort(spikes.of(0))[::8], np.zeros(spikes.of(0)[::8].size, int), n_units=1, t_stop_ms=8000
    )
    assert interval_cv(regular)[0] < 0.75


# ---------------------------------------------------------------- level


@pytest.mark.parametrize("cf_hz", [1000.0, 2000.0, 4000.0])
def test_rate_grows_with_level_over_the_range_of_its_class(cf_hz: float) -> None:
    """High spontaneous rate: 20–40 dB, 150–350 spikes/s; low: 45 dB or more."""
    ranges = {
        kind.name: level_at(0.9, steady_hz(cf_hz, kind)) - level_at(0.1, steady_hz(cf_hz, kind))
        for kind in (HIGH, LOW)
    }
    assert 20 <= ranges["high"] <= 40
    assert ranges["low"] >= 45
    assert level_at(0.1, steady_hz(cf_hz, LOW)) > threshold_db(cf_hz) + 8
    loud = answer(cf_hz, 90).spikes.between(LEAD_MS + 200, LEAD_MS + 300)
    assert 150 < loud.rate_hz < 350


def test_a_fibre_hears_its_own_frequency_best() -> None:
    """Control of the rate–level curves: an octave above, the threshold is 30 dB higher."""
    own, above = steady_hz(1000, HIGH), steady_hz(1000, HIGH, 2000)
    raised = own[0] + 0.1 * (own.max() - own[0])
    assert own.max() > raised and above.max() > raised
    first = [LEVELS_DB[np.argmax(rates >= raised)] for rates in (own, above)]
    assert first[1] - first[0] >= 30


def test_the_place_that_answers_most_is_the_tone_s() -> None:
    cfs = np.array([250.0, 500.0, 1000.0, 2000.0, 3500.0])
    for place, hz in enumerate(cfs):
        nerve = auditory_nerve_spikes(tone(hz, 25), cfs, seed=2, classes=[HIGH] * 10)
        driven = nerve.neurogram.values[200:350].mean(0)
        assert driven[place] > 1.5 * nerve.neurogram.values[:40].mean()
        assert driven.argmax() == place


# ---------------------------------------------------------------- phase


@pytest.mark.parametrize(
    ("cf_hz", "low", "high"),
    [
        (250.0, 0.7, 0.89), (500.0, 0.7, 0.89), (800.0, 0.7, 0.89), (2000.0, 0.35, 0.65),
        (2500.0, 0.35, 0.65), (4000.0, 0.1, 0.35), (6000.0, 0.0, 0.12),
    ],
)  # fmt: skip
def test_phase_locking_by_frequency(cf_hz: float, low: float, high: float) -> None:
    """Vector strength of fibres of high spontaneous rate at +30 dB (Johnson 1980)."""
    level_db = threshold_db(cf_hz) + 30
    spikes = locked(cf_hz, level_db)
    assert spikes.rate_hz > 80
    assert low <= vector_strength(spikes, cf_hz) <= high
    assert vector_strength(spikes, cf_hz) < 0.9  # never reached in the nerve (Joris et al. 1994)
    # Control: times shaken by a whole period keep the rate and lose the phase.
    rng = np.random.default_rng(0)
    shaken = spikes.times_ms + rng.uniform(0, 1000 / cf_hz, len(spikes))
    assert vector_strength(shaken, cf_hz) < 0.1


def test_phase_locking_falls_by_40_db_a_decade() -> None:
    """The low-pass of membrane and calcium, between 2.5 and 6 kHz (± 8 dB)."""
    cfs = np.array([2500.0, 3200.0, 4000.0, 5000.0, 6000.0])
    found = [
        vector_strength(
            answer(cf, threshold_db(cf) + 30, fibres=300).spikes.between(
                LEAD_MS + 100, LEAD_MS + 300
            ),
            cf,
        )
        for cf in cfs
    ]
    slope = np.polyfit(np.log10(cfs), 20 * np.log10(found), 1)[0]
    assert -48 <= slope <= -32


def test_locking_does_not_need_many_spikes_per_cycle() -> None:
    """At 2 kHz a fibre skips most cycles and still keeps the phase of those it marks."""
    spikes = locked(2000, threshold_db(2000) + 30)
    assert spikes.rate_hz < 0.2 * 2000
    assert vector_strength(spikes, 2000) > 0.35


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("cf_hz", [1000.0, 4000.0])
def test_the_onset_is_answered_more_than_the_rest(cf_hz: float) -> None:
    """Highest 1 ms of the histogram over the last 20 ms: 2 to 5 at +30 dB."""
    level_db = threshold_db(cf_hz) + 30

    def onset_over_steady(kind: Synapse) -> tuple[float, float]:
        rate = psth(answer(cf_hz, level_db, kind, fibres=500).spikes, bin_ms=1).rate_hz
        onset, steady = rate[50:70].max(), rate[330:350].mean()
        return onset / steady, steady

    ratio, steady = onset_over_steady(HIGH)
    assert steady > 80
    assert 2 <= ratio <= 5
    # Control: a free pool that is never emptied has no more to give at the onset.
    tireless = replace(HIGH, pools=replace(MAP_POOLS, replenish_hz=1e5))
    ratio, steady = onset_over_steady(tireless)
    assert steady > 80
    assert ratio < 1.4


def test_adaptation_is_fast_and_then_short_term() -> None:
    """Two time constants: 1–10 ms and 30–100 ms (Westerman & Smith 1984)."""
    sound = answer(4000, threshold_db(4000) + 30, fibres=1, ramp_ms=0.1)
    rate = sound.neurogram.values[:, 0]
    peak = int(rate.argmax())
    assert rate[peak] > 2 * rate[-20:].mean()

    def fall(
        t_ms: np.ndarray, a: float, b: float, c: float, fast: float, slow: float
    ) -> np.ndarray:
        return a * np.exp(-t_ms / fast) + b * np.exp(-t_ms / slow) + c

    falling = rate[peak:-1]
    fitted = curve_fit(fall, np.arange(falling.size), falling, (200, 100, 180, 5, 50))[0]
    assert 1 <= fitted[3] <= 10
    assert 30 <= fitted[4] <= 100
    assert fitted[0] > 0 and fitted[1] > 0


@pytest.mark.parametrize("cf_hz", [1000.0, 4000.0])
def test_the_first_spike_comes_sooner_when_it_is_louder(cf_hz: float) -> None:
    """Median latency falls with level, to 2–5 ms when loud."""

    def latency_ms(level_db: float) -> float:
        first = first_spikes(answer(cf_hz, level_db, fibres=300).spikes, after_ms=LEAD_MS)
        assert np.isfinite(first).mean() > 0.9
        return float(np.nanmedian(first))

    medians = [latency_ms(level_db) for level_db in (10, 25, 40, 55, 70, 85)]
    assert np.all(np.diff(medians) < 0)
    assert 2 <= medians[-1] <= 5
    # Control: without the tone, the next spontaneous spike is farther off than any of these.
    assert latency_ms(-60) > medians[0]


def test_no_two_spikes_of_a_fibre_are_closer_than_its_refractory_time() -> None:
    loud = answer(1000, 100).spikes
    assert loud.rate_hz > 100
    assert intervals(loud).min() >= 0.75 - 1e-9
    # Control: two fibres taken for one do come closer.
    pair = loud.select([0, 1])
    merged = Spikes(pair.times_ms, np.zeros(len(pair), int), n_units=1, t_stop_ms=350)
    assert intervals(merged).min() < 0.5


# ---------------------------------------------------------------- sounds of the world


def test_speech_is_followed_in_time(real_sound) -> None:  # type: ignore[no-untyped-def]
    """The nerve's rate follows a real recording's envelope, and not another order of it."""
    heard = auditory_nerve(
        duration_ms=1400, seed=1, file=str(real_sound), level=dB(65), n_channels=20
    )
    spikes, pressure = heard.spikes["nerve"].spikes, heard.signals["waveform"].values
    frames = 1400 // 20
    energy = (pressure[: frames * 800].reshape(frames, 800) ** 2).mean(1)
    level = np.log10(energy + 1e-12)
    rate = psth(spikes, bin_ms=20).rate_hz
    assert spikes.rate_hz > 40
    assert np.corrcoef(level, rate)[0, 1] > 0.6
    shuffled = np.random.default_rng(1).permutation(level)
    assert abs(np.corrcoef(shuffled, rate)[0, 1]) < 0.4


def test_a_telephone_recording_is_heard_with_the_default_ear(recording) -> None:  # type: ignore[no-untyped-def]
    """Spoken digits sampled at 8 kHz drive the nerve beyond its spontaneous rate."""
    for digit in (1, 5, 9):
        path = str(recording(f"digit_{digit}"))
        spoken = auditory_nerve(duration_ms=600, seed=1, file=path, n_channels=10)
        quiet = auditory_nerve(duration_ms=600, seed=1, embedded="silence", n_channels=10)
        rates = [nerve.spikes["nerve"].spikes.rate_hz for nerve in (spoken, quiet)]
        assert rates[1] > 5
        assert rates[0] > 1.4 * rates[1]


def test_the_cry_of_the_startle_sound_stands_out() -> None:
    """The 20 ms after the cry's onset hold more spikes than any 20 ms of the murmur."""
    heard = auditory_nerve(duration_ms=1500, seed=1, level=dB(85), n_channels=20)
    rate = psth(heard.spikes["nerve"].spikes, bin_ms=20).rate_hz
    murmur, gap, cry = rate[5:35], rate[38:45], rate[45:47]
    assert murmur.mean() > gap.mean() > 5
    assert cry.max() > 1.25 * murmur.max()
