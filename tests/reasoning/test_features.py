"""Spikes into tensors: nothing is lost, and nothing but timing is what timing features see."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridges.features.bins import binned
from bridges.features.counts import counts
from bridges.features.intervals import excess_coincidence, fine_counts
from bridges.features.phase import band_phase, oscillation_phase, phase_counts, phase_vectors
from bridges.features.pitch import CYCLE_FEATURES, cycle_features, rhythm
from bridges.features.surrogate import untimed
from bridges.features.tokens import TokenLayout, tokens
from neuro.errors import ConfigError, SignalError
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.wiring import generator


@st.composite
def trains(draw: st.DrawFn) -> tuple[Spikes, float]:
    """Spikes of a few units in a window of whole bins that may begin anywhere."""
    bin_ms = draw(st.sampled_from([0.3, 1.0, 25.0]))
    n_bins, n_units = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    start = draw(st.sampled_from([-7.0, 0.0, 100.1]))
    stop = start + n_bins * bin_ms
    shares = draw(st.lists(st.floats(0, 1, exclude_max=True), max_size=40))
    times = np.minimum(start + np.array(shares) * (stop - start), np.nextafter(stop, start))
    units = draw(st.lists(st.integers(0, n_units - 1), min_size=len(times), max_size=len(times)))
    return Spikes(times, units, n_units=n_units, t_start_ms=start, t_stop_ms=stop), bin_ms


@given(trains(), st.data())
def test_every_spike_is_counted_once(train: tuple[Spikes, float], data: st.DataObject) -> None:
    spikes, bin_ms = train
    found = counts(spikes, bin_ms=bin_ms)
    assert found.shape == (round(spikes.duration_ms / bin_ms), spikes.n_units)
    assert torch.equal(found.sum(0).long(), torch.from_numpy(spikes.counts()))
    channels = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=spikes.n_units, max_size=spikes.n_units))
    )
    grouped = counts(spikes, bin_ms=bin_ms, channels=channels)
    for channel in range(grouped.shape[1]):
        assert torch.equal(grouped[:, channel], found[:, channels == channel].sum(1))


def test_spikes_of_a_simulation_fall_into_the_bins_of_their_steps() -> None:
    """A spike a step, at the time that the engine says; a bin is one step, or some of them.

    Times are rounded by less than 3e-10 of a step here: 600 000 steps, a product, a sum, a
    difference and a quotient, each rounded by 2**-53 of it. That is less than the hair's 1e-9.
    """
    step, misplaced = np.arange(600_000), []
    for start_ms, dt_ms, of_bin in product((0.0, 100.1, -7.0), (0.1, 0.05, 0.3), (1, 3, 20)):
        bin_ms = of_bin * dt_ms
        times_ms = start_ms + step * dt_ms
        spikes = Spikes(
            times_ms, np.zeros_like(step), n_units=1, t_start_ms=start_ms,
            t_stop_ms=start_ms + len(step) * dt_ms,
        )  # fmt: skip
        found = binned(spikes, bin_ms=bin_ms)
        np.testing.assert_array_equal(found.bins, step // of_bin)
        assert (counts(spikes, bin_ms=bin_ms) == of_bin).all()
        misplaced.append((np.floor((times_ms - start_ms) / bin_ms) != step // of_bin).mean())
    assert np.mean(np.array(misplaced) > 0) > 0.5  # dividing alone does not do it
    assert max(misplaced) > 0.1


@given(trains(), st.integers(1, 7), st.floats(1, 200))
def test_parts_of_the_cycle_add_up_to_the_counts(
    train: tuple[Spikes, float], parts: int, frequency_hz: float
) -> None:
    spikes, bin_ms = train
    phases = oscillation_phase(spikes.times_ms, frequency_hz=frequency_hz)
    split = phase_counts(spikes, phases, bin_ms=bin_ms, parts=parts)
    assert torch.equal(split.sum(-1), counts(spikes, bin_ms=bin_ms))
    vectors = phase_vectors(spikes, phases, bin_ms=bin_ms)
    assert (vectors.norm(dim=-1) <= counts(spikes, bin_ms=bin_ms) + 1e-4).all()


@given(trains(), st.integers(0, 100))
def test_untimed_spikes_have_identical_counts(train: tuple[Spikes, float], seed: int) -> None:
    spikes, bin_ms = train
    moved = untimed(spikes, bin_ms=bin_ms, seed=seed)
    assert torch.equal(counts(moved, bin_ms=bin_ms), counts(spikes, bin_ms=bin_ms))
    assert moved == untimed(spikes, bin_ms=bin_ms, seed=seed)


SCATTER_MS = 0.4


def locked(
    frequency_hz: float, *, n_units: int = 40, jitter: float = 0.0, seconds: float = 0.4,
    seed: int = 0,
) -> Spikes:  # fmt: skip
    """Units that fire once a cycle at a common instant; periods differ by `jitter` (a share)."""
    rng = generator(seed, "locked")
    period = 1000.0 / frequency_hz
    periods = period * (1 + jitter * rng.standard_normal(int(seconds * frequency_hz * 1.5)))
    pulses = np.cumsum(periods)
    pulses = pulses[pulses < 1000 * seconds - 5]
    times = pulses[:, None] + SCATTER_MS * rng.standard_normal((pulses.size, n_units))
    fires = rng.random(times.shape) < 0.5
    units = np.broadcast_to(np.arange(n_units), times.shape)
    return Spikes(
        np.clip(times[fires], 0, 1000 * seconds - 1e-6), units[fires],
        n_units=n_units, t_stop_ms=1000 * seconds,
    )  # fmt: skip


CHANNELS: NDArray[np.int64] = np.repeat(np.arange(4), 10)


def found_jitter(spikes: Spikes) -> float:
    found = rhythm(spikes, low_hz=70, high_hz=500, channels=CHANNELS)
    course = cycle_features(found, spikes, bin_ms=50)
    return float(course[1:-1, CYCLE_FEATURES.index("jitter")].mean())


@pytest.mark.parametrize("frequency_hz", [90.0, 150.0, 240.0, 400.0])
def test_rhythm_is_found(frequency_hz: float) -> None:
    spikes = locked(frequency_hz)
    found = rhythm(spikes, low_hz=70, high_hz=500, channels=CHANNELS)
    # A period is found to half a frame of 0.25 ms.
    assert abs(1000 / found.frequency_hz - 1000 / frequency_hz) <= 0.125
    steps = np.diff(found.marks_ms)[2:-2]
    assert abs(steps.mean() - 1000 / frequency_hz) < 0.02 * 1000 / frequency_hz
    # Gaussian scatter of the spikes within the cycle leaves this vector strength.
    scattered = np.exp(-0.5 * (2 * np.pi * frequency_hz / 1000 * SCATTER_MS) ** 2)
    assert abs(np.exp(1j * found.phases_rad).mean()) == pytest.approx(scattered, abs=0.05)


@pytest.mark.parametrize(
    ("low_hz", "high_hz", "frequency_hz"),
    [(70, 500, f) for f in (70.5, 445.0, 460.0, 470.0, 485.0, 499.0, 500.0)]
    + [(70, 250, f) for f in (225.0, 244.0, 250.0)]
    + [(150, 152, 151.0), (149, 150, 149.5)],
)
def test_rhythm_is_found_up_to_the_ends_of_the_band(
    low_hz: float, high_hz: float, frequency_hz: float
) -> None:
    """Neither missed at the ends, nor taken for an octave below between two frames."""
    found = rhythm(locked(frequency_hz), low_hz=low_hz, high_hz=high_hz, channels=CHANNELS)
    assert abs(1000 / found.frequency_hz - 1000 / frequency_hz) <= 0.125
    assert low_hz <= found.frequency_hz <= high_hz


def test_a_rhythm_beyond_the_band_is_not_taken_for_its_end() -> None:
    """500 Hz, sought up to 450: every other cycle is in the band, and 450 Hz is no rhythm."""
    found = rhythm(locked(500.0), low_hz=70, high_hz=450, channels=CHANNELS)
    assert found.frequency_hz == pytest.approx(250.0, rel=0.01)


@pytest.mark.parametrize(("weak", "cycles"), [(3, 1), (8, 2)])
def test_a_weaker_cycle_between_two_is_no_cycle_of_its_own(weak: int, cycles: int) -> None:
    """Every 10 ms all 10 fibres of each channel fire, and 5 ms later some of them.

    With the mean taken away, a lag of 5 ms repeats 2ab/(a²+b²) as well as one of 10 ms; a, b are
    each's spikes less the mean of the 40 frames. For 3 of 10 that is 0.54, for 8 of 10 it is 0.98.
    """
    beats = np.arange(2.0, 400.0, 5.0)
    times = [t for k, t in enumerate(beats) for _ in range(10 if k % 2 == 0 else weak)]
    units = [u for k, _ in enumerate(beats) for u in range(10 if k % 2 == 0 else weak)]
    one = Spikes(times, units, n_units=10, t_stop_ms=400.0)
    excess = excess_coincidence(fine_counts(one, dt_ms=0.25, channels=[0] * 10), longest=40)
    assert excess[20] / excess[40] == pytest.approx(2 * 10 * weak / (100 + weak**2), abs=0.03)
    found = rhythm(one, low_hz=70, high_hz=500, channels=[0] * 10)
    assert found.frequency_hz == pytest.approx(100.0 * cycles, rel=0.01)


def test_rhythm_of_untimed_spikes_is_hardly_there() -> None:
    spikes = locked(150.0)
    bare = untimed(spikes, bin_ms=50, seed=1)
    kept, lost = (
        rhythm(s, low_hz=70, high_hz=500, channels=CHANNELS).repeats[0] for s in (spikes, bare)
    )
    assert lost < 0.2 * kept


@pytest.mark.parametrize("seed", range(3))
def test_jitter_of_the_cycles_is_seen_in_the_spikes(seed: int) -> None:
    steady, shaky = (found_jitter(locked(150.0, jitter=j, seed=seed)) for j in (0.003, 0.05))
    assert shaky > 1.5 * steady


def test_jitter_lowers_later_repeats_more_than_the_first() -> None:
    """Peak k has the variance 2·0.4² + k·(0.04·T)², so peak 4 is 0.80 as high as peak 1."""
    steady, shaky = (
        rhythm(locked(150.0, jitter=j), low_hz=70, high_hz=500, channels=CHANNELS).repeats
        for j in (0.0, 0.04)
    )
    assert shaky[2] / shaky[0] < 0.9 * steady[2] / steady[0]


def test_channels_that_answer_later_do_not_blur_the_rhythm() -> None:
    """The cochlea's travelling wave reaches low channels later."""
    spikes = locked(150.0, jitter=0.01)
    late = spikes.times_ms + 1.5 * CHANNELS[spikes.units]
    keep = late < spikes.t_stop_ms
    delayed = Spikes(late[keep], spikes.units[keep], n_units=40, t_stop_ms=spikes.t_stop_ms)
    together = found_jitter(delayed)
    assert together < 1.3 * found_jitter(spikes)


def test_independent_spikes_have_no_excess_coincidence() -> None:
    rng = generator(3, "poisson")
    n = 40_000
    spikes = Spikes(rng.uniform(0, 4000, n), rng.integers(0, 40, n), n_units=40, t_stop_ms=4000)
    frames = fine_counts(spikes, dt_ms=0.25, channels=CHANNELS)
    excess = excess_coincidence(frames, longest=100)[1:]
    # The product of two independent Poisson frames of mean m, less m², has variance about m².
    error = np.sqrt(frames.shape[1] * np.sum(frames.mean(axis=1) ** 2)) / frames.sum()
    assert np.abs(excess).max() < 5 * error
    assert np.abs(excess).std() > 0.1 * error


def test_a_spike_a_period_repeats_exactly_once() -> None:
    """One spike every 20th frame: after the mean is taken away, 1 - 1/20 pairs a spike."""
    frames = np.zeros((1, 2000))
    frames[0, ::20] = 1
    excess = excess_coincidence(frames, longest=40)
    assert excess[[20, 40]] == pytest.approx([0.95, 0.95], abs=0.01)
    assert excess[10] == pytest.approx(-0.05, abs=0.01)
    assert not excess_coincidence(np.zeros((1, 50)), longest=5).any()


def test_phase_of_a_band_is_read_from_the_signal() -> None:
    t = np.arange(4000) * 1.0
    slow, fast = np.cos(2 * np.pi * 0.005 * t), 3 * np.cos(2 * np.pi * 0.06 * t)
    times = np.array([800.0, 850.0, 900.0, 950.0])
    found = band_phase(Signal(slow + fast, 1.0), times, low_hz=3, high_hz=8)
    expected = np.array([0.0, 0.5, 1.0, 1.5]) * np.pi
    assert np.abs(np.angle(np.exp(1j * (found - expected)))).max() < 0.05


@pytest.mark.parametrize("dt_ms", [0.1, 0.05, 0.025])
def test_phase_of_a_spike_on_the_grid_is_that_of_its_own_frame(dt_ms: float) -> None:
    steps = np.arange(2000)
    signal = Signal(np.cos(2 * np.pi * 0.1 * dt_ms * steps), dt_ms)
    own = band_phase(signal, (steps + 0.5) * dt_ms, low_hz=50, high_hz=200)  # amid each frame
    times_ms = np.round(steps * dt_ms, 6)  # as a file or a person writes them
    assert (np.floor(times_ms / dt_ms) != steps).any()  # dividing alone does not do it
    np.testing.assert_array_equal(band_phase(signal, times_ms, low_hz=50, high_hz=200), own)
    last = np.nextafter(signal.duration_ms, 0)
    assert band_phase(signal, [last], low_hz=50, high_hz=200) == own[-1]


def test_a_spike_on_an_edge_of_the_cycle_begins_its_part() -> None:
    """100 Hz and spikes every 2.5 ms: one in each quarter, however their phases were rounded."""
    times_ms = np.arange(400) * 2.5
    spikes = Spikes(times_ms, np.zeros(400, int), n_units=1, t_stop_ms=1000.0)
    phases = oscillation_phase(times_ms, frequency_hz=100.0)
    assert len(np.unique(phases)) > 4  # rounded to either side
    assert phase_counts(spikes, phases, bin_ms=1000.0).tolist() == [[[100.0] * 4]]


def test_phase_needs_its_reference_everywhere() -> None:
    signal = Signal(np.sin(np.arange(400) * 0.1), 1.0)
    for wrong in (500.0, 400.0, -0.1, np.nan):
        with pytest.raises(SignalError, match="outside"):
            band_phase(signal, [wrong], low_hz=10, high_hz=20)
    with pytest.raises(ConfigError, match="band"):
        band_phase(signal, [5.0], low_hz=10, high_hz=800)


LAYOUT = TokenLayout(n_channels=4, bin_ms=50.0)


def test_columns_of_counts_do_not_see_timing_and_the_others_do() -> None:
    spikes = locked(150.0)
    whole = tokens(spikes, CHANNELS, LAYOUT)
    bare = tokens(untimed(spikes, bin_ms=50.0, seed=2), CHANNELS, LAYOUT)
    assert whole.shape == (8, len(LAYOUT.names)) and whole.isfinite().all()
    assert torch.equal(whole[:, ~LAYOUT.timed], bare[:, ~LAYOUT.timed])
    assert (whole[:, LAYOUT.timed] - bare[:, LAYOUT.timed]).abs().mean() > 0.5


def test_silence_has_tokens_too() -> None:
    silent = Spikes([], [], n_units=40, t_stop_ms=400.0)
    made = tokens(silent, CHANNELS, LAYOUT)
    assert made.isfinite().all() and not made[:, ~LAYOUT.timed].any()


def test_counts_are_as_loud_as_timing() -> None:
    power = LAYOUT.loudness.square() / LAYOUT.size
    groups = torch.stack([power[:4].sum(), power[4:20].sum(), power[20:].sum()])
    assert torch.allclose(groups, torch.tensor([0.5, 0.25, 0.25]))
    assert torch.equal(LAYOUT.timed, torch.arange(LAYOUT.size) >= 4)


def test_channels_that_the_layout_lacks_are_refused() -> None:
    """None is dropped in silence; a channel of the layout without a unit is silent."""
    spikes = locked(150.0)
    with pytest.raises(ConfigError, match="those of the layout, 0 to 2, found 3"):
        tokens(spikes, CHANNELS, TokenLayout(n_channels=3, bin_ms=50.0))
    wide = TokenLayout(n_channels=6, bin_ms=50.0)
    made = tokens(spikes, CHANNELS, wide)
    assert made.shape == (8, wide.size)
    assert torch.equal(made[:, :4], tokens(spikes, CHANNELS, LAYOUT)[:, :4])
    assert not made[:, 4:6].any()


@pytest.mark.parametrize(
    ("bin_ms", "words"), [(30.0, "whole number of bins"), (0.0, "longer than 0 ms")]
)
def test_the_course_of_a_rhythm_needs_bins_that_fit(bin_ms: float, words: str) -> None:
    spikes = locked(150.0, seconds=0.1)
    found = rhythm(spikes, low_hz=70, high_hz=500, channels=CHANNELS)
    with pytest.raises(ConfigError, match=words):
        cycle_features(found, spikes, bin_ms=bin_ms)


@pytest.mark.parametrize(
    ("bin_ms", "channels", "words"),
    [
        (30.0, None, "whole number of bins"),
        (50.0, [0.5] * 40, "a whole number of 0 or more"),
        (0.0, None, "longer than 0"),
        (50.0, [0, 1], "each of 40 units"),
        (50.0, [-1] * 40, "0 or more"),
    ],
)
def test_bins_and_channels_that_do_not_fit_are_refused(
    bin_ms: float, channels: list[int] | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        counts(locked(150.0), bin_ms=bin_ms, channels=channels)


def test_a_window_too_short_for_its_rhythm_is_refused() -> None:
    with pytest.raises(ConfigError, match="window of 40 ms"):
        rhythm(locked(150.0, seconds=0.03), low_hz=50, high_hz=500)
