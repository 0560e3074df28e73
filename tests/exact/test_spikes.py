"""Spikes: what goes in comes out sorted and unchanged, and what cannot be is refused."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neuro.errors import SignalError, UnitError
from neuro.spikes import Spikes

Train = tuple[list[float], list[int], int, float, float]


@st.composite
def trains(draw: st.DrawFn) -> Train:
    """Times, units, number of units and window, in any order and with ties."""
    n_units = draw(st.integers(1, 12))
    start = draw(st.floats(-1e6, 1e6))
    stop = draw(st.floats(start, start + 1e6))
    assume(start < stop)
    # Few distinct times, so that several units spike at once, and one unit twice at once.
    times = draw(st.lists(st.floats(start, stop, exclude_max=True), min_size=1, max_size=6))
    picks = draw(st.lists(st.sampled_from(times), max_size=40))
    units = draw(st.lists(st.integers(0, n_units - 1), min_size=len(picks), max_size=len(picks)))
    return picks, units, n_units, start, stop


def made(train: Train) -> Spikes:
    times, units, n_units, start, stop = train
    return Spikes(times, units, n_units=n_units, t_start_ms=start, t_stop_ms=stop)


def pairs(spikes: Spikes) -> list[tuple[float, int]]:
    return list(zip(spikes.times_ms.tolist(), spikes.units.tolist(), strict=True))


@given(trains())
def test_nothing_is_lost_or_changed_only_sorted(train: Train) -> None:
    spikes = made(train)
    assert pairs(spikes) == sorted(zip(train[0], train[1], strict=True))
    assert len(spikes) == len(train[0])


@given(trains(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(train: Train, random: Random) -> None:
    order = list(range(len(train[0])))
    random.shuffle(order)
    shuffled = ([train[0][i] for i in order], [train[1][i] for i in order], *train[2:])
    assert made(shuffled) == made(train)


@given(trains())
def test_counts_and_times_of_each_unit_make_up_the_whole(train: Train) -> None:
    spikes = made(train)
    counts = spikes.counts()
    assert counts.shape == (spikes.n_units,)
    assert counts.sum() == len(spikes)
    for unit in range(spikes.n_units):
        mine = spikes.of(unit)
        assert mine.size == counts[unit]
        assert mine.tolist() == sorted(t for t, u in zip(*train[:2], strict=True) if u == unit)
    seconds = (spikes.t_stop_ms - spikes.t_start_ms) / 1000
    assert spikes.rate_hz == pytest.approx(len(spikes) / (spikes.n_units * seconds))


@given(trains(), st.floats(0, 1))
def test_a_window_and_its_complement_make_up_the_whole(train: Train, cut: float) -> None:
    spikes = made(train)
    at = spikes.t_start_ms + cut * spikes.duration_ms
    assume(spikes.t_start_ms <= at <= spikes.t_stop_ms)
    left = spikes.between(spikes.t_start_ms, at)
    right = spikes.between(at, spikes.t_stop_ms)
    assert pairs(left) + pairs(right) == pairs(spikes)
    assert (left.n_units, right.n_units) == (spikes.n_units, spikes.n_units)
    assert (left.t_stop_ms, right.t_start_ms) == (at, at)


@given(trains(), st.data())
def test_selected_units_keep_their_times_under_new_numbers(
    train: Train, data: st.DataObject
) -> None:
    spikes = made(train)
    chosen = data.draw(st.lists(st.sampled_from(range(spikes.n_units)), unique=True))
    part = spikes.select(chosen)
    assert part.n_units == len(chosen)
    for new, old in enumerate(chosen):
        assert np.array_equal(part.of(new), spikes.of(old))
    assert len(part) == sum(spikes.of(unit).size for unit in chosen)
    assert (part.t_start_ms, part.t_stop_ms) == (spikes.t_start_ms, spikes.t_stop_ms)


@given(trains())
def test_copies_are_equal(train: Train) -> None:
    spikes = made(train)
    assert pickle.loads(pickle.dumps(spikes)) == spikes  # noqa: S301  (workers exchange them so)
    assert copy.deepcopy(spikes) == spikes


def test_equality_sees_every_part() -> None:
    base = {"n_units": 2, "t_start_ms": 0.0, "t_stop_ms": 10.0}
    one = Spikes([1.0, 2.0], [0, 1], **base)
    assert one == Spikes([2.0, 1.0], [1, 0], **base)
    assert one != Spikes([1.0, np.nextafter(2.0, 3)], [0, 1], **base)
    assert one != Spikes([1.0, 2.0], [1, 0], **base)
    assert one != Spikes([1.0, 2.0], [0, 1], **{**base, "n_units": 3})
    assert one != Spikes([1.0, 2.0], [0, 1], **{**base, "t_stop_ms": 11.0})
    assert one != Spikes([1.0, 2.0], [0, 1], **{**base, "t_start_ms": 0.5})
    assert one != "spikes"


def test_the_callers_arrays_are_neither_changed_nor_kept() -> None:
    times, units = np.array([3.0, 1.0, 2.0]), np.array([0, 1, 0])
    spikes = Spikes(times, units, n_units=2, t_stop_ms=10)
    assert times.tolist() == [3.0, 1.0, 2.0]
    times[:] = 9.0
    assert spikes.times_ms.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        spikes.times_ms[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        spikes.units[0] = 1


def test_the_window_is_open_on_the_right() -> None:
    assert len(Spikes([0.0], [0], n_units=1, t_stop_ms=1.0)) == 1
    with pytest.raises(SignalError, match=r"\[0.0, 1.0\)"):
        Spikes([1.0], [0], n_units=1, t_stop_ms=1.0)


def test_silence() -> None:
    silent = Spikes([], [], n_units=3, t_stop_ms=100)
    assert (len(silent), silent.rate_hz, silent.counts().tolist()) == (0, 0.0, [0, 0, 0])
    assert silent.times_ms.dtype == np.float64
    assert silent.units.dtype == np.int64
    nobody = Spikes([], [], n_units=0, t_stop_ms=0)
    assert (nobody.rate_hz, nobody.counts().size, nobody.select([]).n_units) == (0.0, 0, 0)
    assert "3 units" in repr(silent)


def test_a_unit_may_spike_twice_at_once() -> None:
    """A source made of two fibres is not deduplicated behind its back."""
    spikes = Spikes([1.0, 1.0], [0, 0], n_units=1, t_stop_ms=2)
    assert Counter(pairs(spikes)) == {(1.0, 0): 2}


@pytest.mark.parametrize(
    ("times", "units", "options", "why"),
    [
        ([1.0], [0, 1], {}, "one length"),
        ([[1.0]], [[0]], {}, "one length"),
        ([np.nan], [0], {}, "finite"),
        ([np.inf], [0], {}, "finite"),
        ([-0.1], [0], {}, "must lie in"),
        ([10.0], [0], {}, "must lie in"),
        ([1.0], [2], {}, r"0\.\.1"),
        ([1.0], [-1], {}, r"0\.\.1"),
        ([1.0], [0.5], {}, "whole numbers"),
        ([1.0], [np.nan], {}, "whole numbers"),
        ([1.0, 2.0], [True, False], {}, "whole numbers"),
        ([1.0], ["0"], {}, "whole numbers"),
        ([], [], {"n_units": -1}, "n_units"),
        ([], [], {"n_units": 1.5}, "n_units"),
        ([], [], {"n_units": np.nan}, "n_units"),
        ([], [], {"t_stop_ms": -1}, "t_start <= t_stop"),
        ([], [], {"t_stop_ms": np.inf}, "finite"),
        ([], [], {"t_start_ms": np.nan}, "`t_start_ms`: .* found NaN"),
    ],
)
def test_what_cannot_be_is_refused(
    times: list[object], units: list[object], options: dict[str, float], why: str
) -> None:
    with pytest.raises((SignalError, UnitError), match=why):
        Spikes(times, units, **{"n_units": 2, "t_stop_ms": 10.0, **options})


@pytest.mark.parametrize("units", [[3], [-1], [0, 0], [0.5], [True, False, True]])
def test_a_selection_that_cannot_be_is_refused(units: list[float]) -> None:
    """A negative number would count from the end, a mask would mean units 0 and 1."""
    spikes = Spikes([1.0], [2], n_units=3, t_stop_ms=10)
    with pytest.raises(SignalError):
        spikes.select(units)


@pytest.mark.parametrize("unit", [-1, 3])
def test_a_unit_that_is_not_there_is_not_silent(unit: int) -> None:
    with pytest.raises(SignalError, match=r"0\.\.2"):
        Spikes([1.0], [2], n_units=3, t_stop_ms=10).of(unit)
