"""The ear's stages against numbers that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from encoders._kernels import _uniform
from encoders._spiking import draw_spikes, unit_keys
from encoders.cochlea.gammatone import compress, erb_hz, erb_spaced_hz, gammatone
from encoders.cochlea.hair_cell import HAIR_CELL
from encoders.cochlea.synapse import (
    HIGH,
    LOW,
    MAP_POOLS,
    MEDIUM,
    SUMNER_POOLS,
    Pools,
    Synapse,
)

RATE_HZ = 40_000.0
DT_MS = 1000 / RATE_HZ


def response(cf_hz: float, n: int = 1 << 16) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and power gain of one channel, from its impulse response."""
    impulse = np.zeros(n)
    impulse[0] = 1
    out = gammatone(impulse, RATE_HZ, cf_hz).real
    return np.fft.rfftfreq(n, 1 / RATE_HZ), np.abs(np.fft.rfft(out)) ** 2


@pytest.mark.parametrize(("cf_hz", "erb"), [(100, 35.5), (1000, 132.6), (4000, 456.5)])
def test_a_channel_is_one_erb_wide(cf_hz: float, erb: float) -> None:
    """Glasberg & Moore 1990: the rectangle of equal peak that passes equal noise."""
    frequency, power = response(cf_hz)
    assert np.trapezoid(power, frequency) / power.max() == pytest.approx(erb, rel=0.05)
    assert float(erb_hz(cf_hz)) == pytest.approx(erb, abs=0.05)


@pytest.mark.parametrize("cf_hz", [100, 440, 1000, 3500, 8000])
def test_a_channel_passes_its_own_frequency_unchanged(cf_hz: float) -> None:
    frequency, power = response(cf_hz)
    assert np.interp(cf_hz, frequency, power) == pytest.approx(1, rel=0.01)
    assert frequency[power.argmax()] == pytest.approx(cf_hz, abs=0.02 * erb_hz(cf_hz) + 1)


def test_the_impulse_response_is_a_gammatone() -> None:
    """t³ e^(−2πbt) cos(2πft), which peaks at 3/(2πb)."""
    impulse = np.zeros(2000)
    impulse[0] = 1
    out = gammatone(impulse, RATE_HZ, 1000)
    t = np.arange(2000) / RATE_HZ
    decay = 2 * np.pi * 1.019 * erb_hz(1000)
    wanted = t**3 * np.exp(-decay * t) * np.cos(2 * np.pi * 1000 * t)
    # Four poles in series give (n+1)(n+2)(n+3)/6 for n³/6: earlier by two samples or less.
    best = max(np.corrcoef(np.roll(wanted, -shift), out.real)[0, 1] for shift in range(3))
    assert best > 0.999
    assert np.abs(out).argmax() / RATE_HZ == pytest.approx(3 / decay, rel=0.03)


def test_channels_are_evenly_spaced_in_erbs() -> None:
    cfs = erb_spaced_hz(100, 4000, 30)
    number = 21.4 * np.log10(4.37e-3 * cfs + 1)
    assert (cfs[0], cfs[-1]) == (100, 4000)
    assert np.diff(number) == pytest.approx(np.diff(number).mean())
    assert erb_spaced_hz(500, 4000, 1) == pytest.approx([500])


def test_compression_is_linear_below_the_knee_and_a_quarter_above() -> None:
    def level_out(level_db: float) -> float:
        amplitude = np.sqrt(2) * 2e-5 * 10 ** (level_db / 20)
        return 20 * float(np.log10(compress(amplitude * np.exp(1j * np.arange(4)), 30).max()))

    assert level_out(20) - level_out(10) == pytest.approx(10)
    assert level_out(80) - level_out(40) == pytest.approx(0.25 * 40)


def test_compression_keeps_a_tone_a_sine() -> None:
    wave = 0.5 * np.exp(2j * np.pi * np.arange(400) / 40)
    spectrum = np.abs(np.fft.rfft(compress(wave)))
    assert spectrum.argmax() == 10
    assert np.delete(spectrum, 10).max() < 1e-9 * spectrum[10]


def test_a_hair_cell_rests_where_its_currents_balance() -> None:
    """By hand: G(0) = 0.8 + 6/(1 + e^(1/6)(1 + e)) = 1.913 nS, V = −60.6 mV."""
    assert HAIR_CELL.rest_mv == pytest.approx(-60.64, abs=0.02)
    moved = HAIR_CELL.potential_mv(np.full(2000, 1e4), DT_MS)[-1]  # every channel open
    assert moved == pytest.approx((6.8 * 100 - 20 * 76) / 26.8, abs=0.01)


def test_a_hair_cell_charges_with_its_membrane_time_constant() -> None:
    """All channels open: 4 pF over 26.8 nS is 0.149 ms; exact for a constant conductance."""
    potential = HAIR_CELL.potential_mv(np.full(200, 1e4), DT_MS)
    left = (potential - potential[-1]) / (HAIR_CELL.rest_mv - potential[-1])
    k = 8
    assert left[k] == pytest.approx(np.exp(-(k + 1) * DT_MS / (4 / 26.8)), rel=1e-6)


def test_calcium_opens_as_the_third_power_of_its_gate() -> None:
    """Sumner et al. 2002 with the values of MAP 1.14, by hand at two voltages and in time.

    m = 1/(1 + exp(-0.1 V)/400), I = 14 nS m^3 (66 mV - V); m follows with 0.05 ms.
    """
    from encoders.cochlea.synapse import Calcium

    def open_share(v: float) -> float:
        return float(1 / (1 + np.exp(-0.1 * v) / 400))

    current = Calcium().current_pa(np.append(-60.0, np.full(200, -30.0)), DT_MS)
    assert current[0] == pytest.approx(14 * open_share(-60) ** 3 * 126, rel=1e-9)
    assert current[-1] == pytest.approx(14 * open_share(-30) ** 3 * 96, rel=1e-6)
    gate = np.cbrt(current[1:] / (14 * 96))
    left = (gate - open_share(-30)) / (open_share(-60) - open_share(-30))
    k = np.arange(1, 6)
    assert left[:5] == pytest.approx(np.exp(-k * DT_MS / 0.05), rel=1e-6)


def test_a_synapse_releases_at_rest_what_its_calcium_calls_for() -> None:
    """k = 2e42 Ca^3 at 1.60 pA, less the threshold's; the pools balance: q = y M/(y + k l/(l + r)).

    Calcium stands at the current times 0.08 ms (high) or 0.03 ms, of which the third class takes
    8 pA ms off; MAP's pools are 12, and 6, 60, 250 and 500 per s.
    """
    rest_mv = -60.64
    current = 14 * (1 / (1 + np.exp(0.1 * -rest_mv) / 400)) ** 3 * (66 - rest_mv)
    for synapse, tau_ms in ((HIGH, 0.08), (MEDIUM, 0.03)):
        k_hz = 1000 * 2e-6 * (current * tau_ms) ** 3
        q = 6 * 12 / (6 + k_hz * 250 / 750)
        assert synapse.resting_hz() == pytest.approx(k_hz * q, rel=0.01)
    assert LOW.resting_hz() == 0
    loud = np.full(400_000, 400.0)  # pA: 12 pA ms of calcium
    k_hz = 1000 * 2e-6 * (12.0**3 - 8.0**3)
    released = LOW.release_hz(loud, DT_MS)[-1]
    assert released == pytest.approx(k_hz * 6 * 12 / (6 + k_hz * 250 / 750), rel=0.01)


def test_the_nerve_is_its_stages_one_millisecond_later() -> None:
    """A click through the stages by hand; the neurogram shows it a frame of 1 ms later."""
    from encoders.cochlea.nerve import auditory_nerve_spikes
    from encoders.cochlea.synapse import Calcium
    from neuro.signal import Signal

    pressure = np.zeros(40 * 30)
    pressure[400] = 1.0
    padded = np.append(np.zeros(800), pressure)  # 20 ms
    bundle_nm = 3e4 * compress(gammatone(padded, RATE_HZ, 2000.0))
    potential = HAIR_CELL.potential_mv(bundle_nm, DT_MS)
    release = HIGH.release_hz(Calcium().current_pa(potential, DT_MS), DT_MS)
    frames = release[800:].reshape(30, 40).mean(axis=1)
    nerve = auditory_nerve_spikes(
        Signal(pressure, DT_MS, "Pa"), np.array([2000.0]), seed=1, classes=[HIGH]
    )
    assert np.ptp(frames) > 100
    assert nerve.neurogram.values[1:, 0] == pytest.approx(frames[:-1], rel=1e-6)


def switched_on(current_pa: float) -> np.ndarray:
    """2 s of a constant calcium current after a moment without any."""
    return np.append(np.zeros(4), np.full(80_000, current_pa))


@pytest.mark.parametrize(("pools", "wanted_hz"), [(MAP_POOLS, 216), (SUMNER_POOLS, 355)])
def test_saturated_release_is_what_the_pools_can_replace(pools: Pools, wanted_hz: float) -> None:
    """Driven without limit, release settles at yM(l + r)/l."""
    synapse = Synapse("saturated", tau_ca_ms=0.08, pools=pools, z=1.0)
    release = synapse.release_hz(switched_on(1000.0), DT_MS)
    assert release.max() > 10 * wanted_hz  # it began with full pools
    assert release[-1] == pytest.approx(wanted_hz, rel=0.05)
    assert release[-1] == pytest.approx(pools.saturated_hz, rel=1e-3)


def test_released_vesicles_are_all_accounted_for() -> None:
    """What leaves for good, l·c, is what y brings: at steady drive release = y(M−q)(l+r)/l."""
    synapse = replace(HIGH, z=2e-6)
    release = synapse.release_hz(switched_on(400.0), DT_MS)[-1]
    k_hz = 1000 * 2e-6 * (400 * 0.08) ** 3
    pools = MAP_POOLS
    q = release / k_hz
    lost_per_released = pools.loss_hz / (pools.loss_hz + pools.recovery_hz)
    assert release * lost_per_released == pytest.approx(
        pools.replenish_hz * (pools.size - q), rel=1e-3
    )


def test_a_synapse_at_rest_stays_at_rest() -> None:
    from encoders.cochlea.synapse import Calcium

    rest = np.full(4000, HAIR_CELL.rest_mv)
    current = Calcium().current_pa(rest, DT_MS)
    for synapse in (HIGH, MEDIUM, LOW):
        release = synapse.release_hz(current, DT_MS)
        assert release == pytest.approx(synapse.resting_hz(), rel=1e-6)


def test_random_numbers_are_splitmix64() -> None:
    """The published sequence for seed 1234567 (Steele, Lea & Flood 2014; Vigna's reference)."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    drawn = [_uniform(np.uint64(1234567), counter) for counter in range(3)]
    assert drawn == [((word >> 11) + 0.5) * 2**-53 for word in known]


def test_intervals_follow_the_refractory_hazard() -> None:
    """At a constant rate λ the survivor function is known: KS test, and the mean to 3 SE."""
    rate_hz, absolute_ms, relative_ms = 400.0, 0.75, 0.75
    fired = [
        draw_spikes(
            np.full(800_000, rate_hz), DT_MS, key, absolute_ms=absolute_ms, relative_ms=relative_ms
        )
        for key in unit_keys(3, "test", 2)
    ]
    intervals = np.concatenate([np.diff(times) for times in fired])

    def survivor(t: np.ndarray) -> np.ndarray:
        since = np.maximum(np.asarray(t) - absolute_ms, 0)
        recovering = np.minimum(since, relative_ms)
        total = recovering**2 / (2 * relative_ms) + np.maximum(since - relative_ms, 0)
        return np.exp(-rate_hz / 1000 * total)

    mean_ms = integrate.quad(survivor, 0, 100, limit=200)[0]
    assert intervals.size > 5000
    assert intervals.min() >= absolute_ms
    # Recovery is taken from the start of each step, which is late by up to 25 µs.
    slack = DT_MS + 3 * intervals.std() / np.sqrt(intervals.size)
    assert abs(intervals.mean() - mean_ms) < slack
    assert stats.kstest(intervals - DT_MS / 2, lambda t: 1 - survivor(t)).pvalue > 0.001
    # and the test can fail: without refractoriness the intervals are others
    assert stats.kstest(intervals, stats.expon(scale=1000 / rate_hz).cdf).pvalue < 1e-6


def test_streams_of_units_are_their_own() -> None:
    few, many = unit_keys(5, "fibres", 10), unit_keys(5, "fibres", 1000)
    assert np.array_equal(few, many[:10])
    assert np.unique(many).size == 1000
    assert not np.array_equal(few, unit_keys(6, "fibres", 10))
    assert not np.array_equal(few, unit_keys(5, "others", 10))
