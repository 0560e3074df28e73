"""Bins and windows of the measures, against whole-number arithmetic and against a shift in time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuro import measures
from neuro.bins import bin_of, within
from neuro.errors import SignalError
from neuro.measures import count_synchrony, first_spikes, phases, psth, vector_strength
from neuro.recording import Course
from neuro.spikes import Spikes
from neuro.wiring import generator
from sims.report.figures import _data
from sims.sweep.measures import _between


def one_unit(times: object, stop_ms: float, start_ms: float = 0.0) -> Spikes:
    times = np.asarray(times, float)
    which = np.zeros(times.size, int)
    return Spikes(times, which, n_units=1, t_start_ms=start_ms, t_stop_ms=stop_ms)


# bins


@pytest.mark.parametrize("of_bin", [1, 2, 3, 50])
@pytest.mark.parametrize("dt_ms", [0.1, 0.3, 0.05])
@pytest.mark.parametrize("far", [0, 10**8])
def test_a_bin_is_a_division_of_whole_steps(dt_ms: float, of_bin: int, far: int) -> None:
    """However far from 0, and whatever steps, bins and starts are rounded to."""
    steps = far + np.arange(2000)
    for first in (far, far + 3, far + 1001):
        found = bin_of(steps * dt_ms, of_bin * dt_ms, start=first * dt_ms)
        assert found.tolist() == ((steps - first) // of_bin).tolist()


def test_what_is_beside_an_edge_by_more_than_rounding_is_not_on_it() -> None:
    assert bin_of([0.999999, 1.0 - 1e-12, 1.0, 1.000001, -1e-6], 1.0).tolist() == [0, 1, 1, 1, -1]


# PSTH


def test_a_psth_of_a_clock_has_its_spikes_at_the_onsets_alone() -> None:
    clock = one_unit(np.arange(0, 1000, 10.0), 1000)
    found = psth(clock, bin_ms=5, onsets_ms=np.arange(0, 990, 10.0), window_ms=10)
    assert found.rate_hz.tolist() == [200, 0]
    found = psth(clock, bin_ms=20, onsets_ms=np.arange(0, 1000, 20.0), window_ms=20)
    assert found.rate_hz == pytest.approx([100])
    assert psth(clock, bin_ms=10).rate_hz == pytest.approx(np.full(100, 100))


@pytest.mark.parametrize("of_bin", [1, 2, 7])
def test_a_psth_on_the_grid_counts_whole_steps(of_bin: int) -> None:
    """Spikes on a grid of 0.1 ms, onsets at x.3 ms: dividing alone misplaces one bin of six."""
    rng = generator(9, "grid")
    steps = np.sort(rng.choice(10_000, 3000, replace=False))
    onsets = np.arange(3, 9800, 10)
    found = psth(
        one_unit(steps * 0.1, 1000),
        bin_ms=of_bin * 0.1,
        onsets_ms=onsets * 0.1,
        window_ms=of_bin * 20 * 0.1,
    )
    bins = ((steps - onsets[:, None]) // of_bin).ravel()
    expected = np.bincount(bins[(bins >= 0) & (bins < 20)], minlength=20)
    assert np.round(found.rate_hz * onsets.size * of_bin * 1e-4, 6).tolist() == expected.tolist()


def test_the_last_instant_of_a_window_is_in_its_last_bin() -> None:
    late = one_unit([np.nextafter(100.0, 0.0)], 100)
    assert psth(late, bin_ms=10).rate_hz.tolist() == [0] * 9 + [100]


@pytest.mark.parametrize(
    ("onsets_ms", "says"),
    [
        ([0, 10, 25], "found an onset at 25 ms; leave 1 of 3"),
        ([-10, 0], "found an onset at -10 ms; leave 1 of 2"),
        ([], "one or more onsets"),
        ([0, np.nan], "one or more onsets"),
    ],
)
def test_onsets_whose_window_was_not_watched_are_refused(onsets_ms: list[float], says: str) -> None:
    steady = one_unit(np.arange(0, 30.0), 30)
    with pytest.raises(SignalError, match=says):
        psth(steady, bin_ms=10, onsets_ms=onsets_ms, window_ms=10)
    assert psth(steady, bin_ms=10, onsets_ms=[0, 10, 20], window_ms=10).rate_hz.tolist() == [1000]


def test_a_psth_to_the_end_of_the_spikes_stops_where_the_last_onset_s_does() -> None:
    steady = one_unit(np.arange(0, 30.0), 30)
    assert psth(steady, bin_ms=5, onsets_ms=[0, 11]).rate_hz.tolist() == [1000] * 3


@pytest.mark.parametrize("bin_ms", [0.0, -1.0, np.inf])
def test_bins_without_a_length_are_refused(bin_ms: float) -> None:
    steady = one_unit(np.arange(0, 30.0), 30)
    for measured in (psth, count_synchrony):
        with pytest.raises(SignalError, match="bins longer than 0 ms"):
            measured(steady, bin_ms=bin_ms)  # type: ignore[operator]


# synchrony


@pytest.mark.parametrize("stop_ms", [99.0, 100.0, 102.0])
def test_units_that_fire_together_once_a_bin_do_not_vary(stop_ms: float) -> None:
    volleys = np.arange(0, stop_ms, 3.0)
    together = Spikes(
        np.repeat(volleys, 100),
        np.tile(np.arange(100), volleys.size),
        n_units=100,
        t_stop_ms=stop_ms,
    )
    assert count_synchrony(together, bin_ms=3) == 0


# the window's start

A_MS, B_MS, CYCLES_HZ = 5000.0, 9000.0, 8.0
OF_A_WINDOW: dict[str, Callable[[Spikes], Any]] = {
    "count_synchrony": count_synchrony,
    "first_spikes": first_spikes,
    "interval_cv": measures.interval_cv,
    "intervals": measures.intervals,
    "phases": lambda s: phases(s, CYCLES_HZ),  # 40 whole cycles until the window starts
    "psth": lambda s: psth(s, bin_ms=250),
    "rayleigh_p": lambda s: measures.rayleigh_p(s, 13.0),
    "vector_strength": lambda s: vector_strength(s, 13.0),
}


def population() -> Spikes:
    """Independent Poisson trains, on a grid of 1/8 ms so that a shift rounds nothing."""
    rng = generator(4, "windows")
    times = np.floor(rng.uniform(0, 80_000, 8000)) / 8
    return Spikes(times, rng.integers(0, 20, 8000), n_units=20, t_stop_ms=10_000)


def test_every_measure_of_spikes_is_held_against_a_shift() -> None:
    takes_spikes = {
        name
        for name in measures.__all__
        if any(
            "Spikes" in str(a)
            for a in inspect.get_annotations(inspect.unwrap(getattr(measures, name))).values()
        )
    }
    assert takes_spikes == set(OF_A_WINDOW)


@pytest.mark.parametrize("name", OF_A_WINDOW)
def test_a_window_of_spikes_is_measured_as_if_it_started_at_0(name: str) -> None:
    part = population().between(A_MS, B_MS)
    shifted = Spikes(part.times_ms - A_MS, part.units, n_units=part.n_units, t_stop_ms=B_MS - A_MS)
    found, expected = (OF_A_WINDOW[name](spikes) for spikes in (part, shifted))
    for mine, other in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-9)


def test_a_window_of_independent_units_is_neither_synchronous_nor_silent_at_first() -> None:
    part = population().between(A_MS, B_MS)
    n_bins = 4000 // 3
    assert count_synchrony(part) == pytest.approx(1, abs=5 * np.sqrt(2 / n_bins))
    assert psth(part, bin_ms=1000).rate_hz == pytest.approx(np.full(4, 40), abs=5 * np.sqrt(2))


def test_what_is_left_out_is_a_time_of_the_recording() -> None:
    whole = population()
    part = whole.between(A_MS, B_MS)
    assert count_synchrony(part, after_ms=6000) == count_synchrony(whole.between(6000, B_MS))
    assert count_synchrony(part, after_ms=0) == count_synchrony(part)
    expected = [part.of(unit)[part.of(unit) >= 6000][0] - 6000 for unit in range(20)]
    assert first_spikes(part, after_ms=6000).tolist() == expected
    for unwatched in (0.0, B_MS + 1):
        with pytest.raises(SignalError, match=r"window of 5000\.\.9000 ms"):
            first_spikes(part, after_ms=unwatched)
    with pytest.raises(SignalError, match="two bins"):
        count_synchrony(part, after_ms=8999)


def test_a_first_spike_on_the_start_is_found_however_it_is_rounded() -> None:
    assert first_spikes(one_unit([0.3, 7.0], 10), after_ms=0.1 + 0.2).tolist() == [0]


def test_phases_are_of_the_recording_s_time_wherever_its_window_starts() -> None:
    part = population().between(5010, 6000)
    assert np.array_equal(phases(part, CYCLES_HZ), phases(part.times_ms, CYCLES_HZ))
    for wrong in (0.0, -5.0, np.inf):
        with pytest.raises(SignalError, match="above 0 Hz"):
            vector_strength(part, wrong)


# the same rule in figures and sweeps


@pytest.mark.parametrize("start", [0, 1001])
def test_the_bins_of_a_figure_are_divisions_of_whole_steps(start: int) -> None:
    steps = start + np.arange(1000)
    train = one_unit(steps * 0.1, (start + 1000) * 0.1, start * 0.1)
    edges, bins = _data.time_bins(train, 0.3)
    assert bins.tolist() == ((steps - start) // 3).tolist()
    assert edges.size == 335 and edges[-1] == train.t_stop_ms
    _, rate = _data.rate_course(train, 0.3)
    assert rate == pytest.approx(np.full(334, 10_000))


def test_the_window_of_a_sweep_starts_with_the_value_on_its_edge() -> None:
    """The fourth value is at 3 * 0.3 ms, which is a little less than 0.9."""
    level = Course("noradrenaline", "nM", 0.3, np.arange(10.0))
    assert _between(level, 0.9, 2.1).tolist() == [3, 4, 5, 6]
    assert within(np.arange(10) * 0.3, 0.0, 0.9).tolist() == [True] * 3 + [False] * 7
