"""Aδ and C fibres against what is measured in human and monkey skin."""

from __future__ import annotations

import numpy as np
import pytest

from encoders import Encoding, heat_fibres
from encoders.heat import A_DELTA, C, temperature_pulses
from neuro.measures import first_spikes, intervals
from neuro.units import celsius, m, ms

MANY = {"n_a_delta": 150, "n_c": 150}


def held(peak_c: float, **settings: object) -> Encoding:
    """1 s at a temperature, right at the nerve endings."""
    given = {
        "duration_ms": 1400.0, "seed": 5, "peak": celsius(peak_c), "onset": ms(100),
        "rise": ms(50), "hold": ms(1000), "distance": m(0), **MANY, **settings,
    }  # fmt: skip
    return heat_fibres(**given)  # type: ignore[arg-type]


def rate_hz(encoding: Encoding, kind: str, begin_ms: float = 150, end_ms: float = 650) -> float:
    return encoding.spikes[kind].spikes.between(begin_ms, end_ms).rate_hz


@pytest.mark.parametrize(
    ("onset_ms", "rise_ms", "hold_ms", "frame_ms"),
    [
        (200.2, 0, 0.5, 0.1),
        (200, 1.5, 0, 0.5),
        (200.5, 1, 0, 0.5),
        (0.3, 0.1, 0.2, 0.1),
        (200.4, 1.2, 0.4, 0.2),
        (200, 100, 500, 1.0),
        (7, 2, 1, 1.0),
    ],
)
def test_a_pulse_reaches_its_peak_and_heats_for_as_long_as_it_says(
    onset_ms: float, rise_ms: float, hold_ms: float, frame_ms: float
) -> None:
    """Laser pulses last 1 to 4 ms. A trapezoid's area is peak times rise plus hold."""
    skin = temperature_pulses(
        2000,
        baseline_c=34,
        peak_c=60,
        onset_ms=onset_ms,
        rise_ms=rise_ms,
        hold_ms=hold_ms,
        pulses=2,
        interval_ms=810.5 if frame_ms < 1 and frame_ms != 0.2 else 810,
    )
    assert skin.dt_ms == frame_ms
    assert skin.values.max() == pytest.approx(60)
    heated = (skin.values - 34).sum() * skin.dt_ms / 26
    assert heated == pytest.approx(2 * (rise_ms + hold_ms))
    assert skin.times_ms[skin.values > 34][0] == pytest.approx(
        onset_ms + (frame_ms if rise_ms else 0)
    )


def test_a_laser_pulse_is_felt() -> None:
    """2 ms at 60 °C, between frames of 1 ms: every Aδ fibre has some 300 Hz for 2 ms."""
    felt = held(60, onset=ms(100.2), rise=ms(0), hold=ms(2)).spikes["a_delta"].spikes
    assert 0.2 < len(felt) / felt.n_units < 0.5
    assert ((felt.times_ms >= 100.2) & (felt.times_ms < 102.2)).all()


def test_warm_skin_is_silent() -> None:
    """Nothing at 37 °C; the same fibres fire at 50 °C."""
    for kind in ("a_delta", "c"):
        assert len(held(37).spikes[kind].spikes) == 0
        assert rate_hz(held(50), kind) > 5


def test_c_fibres_begin_below_a_delta_fibres() -> None:
    """C thresholds 40–47 °C; Aδ 2.5–3 °C above in the mean."""
    coordinates = {kind: out.coordinates for kind, out in held(49).spikes.items()}
    c, a_delta = (coordinates[kind]["threshold_c"] for kind in ("c", "a_delta"))
    assert c.min() >= 40 and c.max() <= 47
    assert 2.5 - 0.3 < a_delta.mean() - c.mean() < 3 + 0.3
    between = held(44.5)
    assert rate_hz(between, "c") > 1
    assert rate_hz(between, "a_delta") < 0.3 * rate_hz(between, "c")
    # A fibre fires if and only if its threshold is passed.
    fired = between.spikes["c"].spikes.counts() > 0
    assert fired.any() and not fired.all()
    assert c[fired].max() <= 44.5
    assert fired[c < 43.5].mean() > 0.5


def test_rate_grows_with_temperature() -> None:
    """C 0–20 Hz from 43 to 50 °C, Aδ up to 30–60 Hz."""
    rates = {
        kind: [rate_hz(held(peak), kind) for peak in range(43, 51)] for kind in ("a_delta", "c")
    }
    assert np.all(np.diff(rates["c"]) > 0)
    assert np.all(np.diff(rates["a_delta"])[2:] > 0)
    assert 5 < rates["c"][-1] <= 20
    first_100_ms = rate_hz(held(50), "a_delta", 150, 250)
    assert 30 <= first_100_ms <= 60


def test_first_and_second_pain() -> None:
    """Over 1 m, median conduction takes 77 ms in Aδ and 1.25 s in C fibres."""
    far = heat_fibres(
        duration_ms=3500.0, seed=5, peak=celsius(52), onset=ms(0), rise=ms(0), hold=ms(600),
        distance=m(1), **MANY,
    )  # fmt: skip
    at_skin = heat_fibres(
        duration_ms=3500.0, seed=5, peak=celsius(52), onset=ms(0), rise=ms(0), hold=ms(600),
        distance=m(0), **MANY,
    )  # fmt: skip
    for kind, median_ms, tolerance in (("a_delta", 77, 0.12), ("c", 1250, 0.12)):
        delays = far.spikes[kind].coordinates["delay_ms"]
        assert np.median(delays) == pytest.approx(median_ms, rel=tolerance)
        late = first_spikes(far.spikes[kind].spikes) - first_spikes(at_skin.spikes[kind].spikes)
        assert np.isfinite(late).mean() > 0.9
        assert late[np.isfinite(late)] == pytest.approx(delays[np.isfinite(late)])
    gap = np.nanmedian(first_spikes(far.spikes["c"].spikes)) - np.nanmedian(
        first_spikes(far.spikes["a_delta"].spikes)
    )
    assert gap > 800
    # Control: at the spinal cord's door there is one pain, not two.
    gap = np.nanmedian(first_spikes(at_skin.spikes["c"].spikes)) - np.nanmedian(
        first_spikes(at_skin.spikes["a_delta"].spikes)
    )
    assert abs(gap) < 150


def test_velocities_lie_in_their_range() -> None:
    for kind, out in ((C, held(49).spikes["c"]), (A_DELTA, held(49).spikes["a_delta"])):
        velocity = out.coordinates["velocity_m_per_s"]
        low, high = kind.velocity_range
        assert velocity.min() >= low and velocity.max() <= high
        assert np.median(velocity) == pytest.approx(kind.velocity_m_per_s, rel=0.12)


def test_held_heat_is_reported_less_and_less() -> None:
    """Adaptation within seconds; without it the rate stays."""
    from dataclasses import replace

    from encoders.heat import nociceptor_rate_hz
    from neuro.signal import Signal

    skin = Signal(np.full(5000, 48.0), 1.0, "degC")
    rate = nociceptor_rate_hz(skin, C, np.array([43.0]))[:, 0]
    assert rate[0] > 5
    assert rate[-1] < 0.7 * rate[0]
    tireless = replace(C, adaptation=0.0, fatigue=0.0)
    rate = nociceptor_rate_hz(skin, tireless, np.array([43.0]))[:, 0]
    assert rate[-1] == pytest.approx(rate[0])
    # Adaptation alone: 5 degrees above threshold, of which half is taken off with 2 s; 2.5 Hz each.
    rate = nociceptor_rate_hz(skin, replace(C, fatigue=0.0), np.array([43.0]))[:, 0]
    exact = 2.5 * (5 - 2.5 * (1 - np.exp(-np.arange(5000) / 2000)))
    assert rate == pytest.approx(exact, rel=1e-9)


def test_a_second_pulse_is_answered_less() -> None:
    """Fatigue outlasts adaptation (LaMotte & Campbell 1978)."""
    twice = heat_fibres(
        duration_ms=21_000.0, seed=2, peak=celsius(50), onset=ms(0), rise=ms(10), hold=ms(2000),
        pulses=2, interval=ms(18_000), distance=m(0), n_a_delta=1, n_c=200,
    )  # fmt: skip
    first, second = (
        len(twice.spikes["c"].spikes.between(begin, begin + 2500)) for begin in (0, 18_000)
    )
    assert first > 200 * 10
    assert 0.5 < second / first < 0.95
    assert len(twice.spikes["c"].spikes.between(5000, 17_000)) == 0  # silent in between


def test_fatigue_lasts_for_minutes_and_adaptation_for_seconds() -> None:
    """Two seconds of heat, and the same again after a rest: what recovers and how fast.

    Fatigue f divides the rate by 1 + f and decays with 100 s; adaptation (2 s) is gone after 20 s.
    The first frame of the second pulse therefore has 1 + f0 exp(-rest/100 s) less.
    """
    from encoders.heat import nociceptor_rate_hz
    from neuro.signal import Signal

    def course(rest_s: int) -> tuple[float, float, float]:
        """First rate, fatigue that the first pulse leaves, rate after the rest."""
        dt_ms = 4.0
        frames = round(1000 / dt_ms)  # in a second
        heat = np.repeat([50.0, 34.0, 50.0], [2 * frames, rest_s * frames, 1])
        rate = nociceptor_rate_hz(Signal(heat, dt_ms, "degC"), C, np.array([43.0]))[:, 0]
        fatigue = 0.01 * rate[: 2 * frames].sum() / frames  # nearly: it forgets 2 % in 2 s
        return float(rate[0]), fatigue, float(rate[-1])

    for rest_s in (40, 100, 200):
        fresh, fatigue, again = course(rest_s)
        assert fresh > 10 and fatigue > 0.1
        assert fresh / again - 1 == pytest.approx(fatigue * np.exp(-rest_s / 100), rel=0.03)
    fresh, _, soon = course(1)
    assert soon < 0.85 * fresh / (1 + fatigue)  # adaptation is still there after one second


def test_inflamed_skin_hurts_at_temperatures_that_do_not_otherwise() -> None:
    """Thresholds 2–6 °C lower and gain 1.5–3 times."""
    healthy, sore = held(42), held(42, inflammation=1.0)
    assert rate_hz(sore, "c") > 5
    assert rate_hz(healthy, "c") < 0.2 * rate_hz(sore, "c")
    shift = (
        sore.spikes["c"].coordinates["threshold_c"] - healthy.spikes["c"].coordinates["threshold_c"]
    )
    assert shift == pytest.approx(-5)
    assert len(held(34, inflammation=1.0).spikes["c"].spikes) == 0
    # 3 °C above its threshold a healthy fibre fires half as much: the gain, not the shift alone
    assert rate_hz(held(41, inflammation=1.0), "c") > 1.4 * rate_hz(held(46), "c")


@pytest.mark.parametrize(("kind", "least_ms"), [("a_delta", 3.0), ("c", 10.0)])
def test_refractory_times_are_kept(kind: str, least_ms: float) -> None:
    spikes = held(55).spikes[kind].spikes
    assert spikes.rate_hz > 5
    found = intervals(spikes)
    assert found.min() >= least_ms - 1e-9
    assert found.min() < 2 * least_ms  # the limit was felt
