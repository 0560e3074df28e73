"""Parts of a comparison whose right answers are known: pairs, twins, tests, names."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, ks_2samp

from neuro import Recording, Spikes
from neuro.errors import ConfigError
from neuro.recording import Trace
from neuro.units import Quantity
from sims.compare.deviation import deviation_of
from sims.compare.distributions import compare_distributions, holm, seeds_needed
from sims.compare.matching import match
from sims.compare.named import named, reference_of
from sims.compare.rounding import Rounding, coarser, rounding_of
from sims.compare.twins import twin_of
from sims.compare.verdict import Twins, rise_per_step, spike_checks
from tests.backends._networks import driven
from tests.backends._plastic import learning


def spikes(times, units=None, n_units=1, stop_ms=1000.0) -> Spikes:
    times = np.asarray(times, float)
    units = np.zeros(times.size, int) if units is None else units
    return Spikes(times, units, n_units=n_units, t_stop_ms=stop_ms)


def best(a: tuple[int, ...], b: tuple[int, ...], jitter: int) -> tuple[int, int]:
    """The most pairs there can be and their least distance, by trying everything."""

    @cache
    def rest(i: int, free: int) -> tuple[int, int]:
        if i == len(a):
            return 0, 0
        found = [rest(i + 1, free)]
        for j in range(len(b)):
            if free >> j & 1 and abs(a[i] - b[j]) <= jitter:
                n, apart = rest(i + 1, free & ~(1 << j))
                found.append((n - 1, apart + abs(a[i] - b[j])))
        return min(found)

    n, apart = rest(0, (1 << len(b)) - 1)
    return -n, apart


train = st.lists(st.integers(0, 25), max_size=6, unique=True).map(sorted).map(tuple)


@given(train, train, st.integers(0, 6))
def test_pairs_are_as_many_and_as_close_as_can_be(a, b, jitter: int) -> None:
    """Steps of 0.1 ms, as spikes have them: jitter is met to the step though 0.3/0.1 is not 3."""
    one, other = spikes(np.array(a) / 10), spikes(np.array(b) / 10)
    pairs = match(one, other, jitter / 10)
    assert len(set(pairs.reference.tolist())) == len(set(pairs.other.tolist())) == len(pairs[0])
    apart = np.abs(one.times_ms[pairs.reference] - other.times_ms[pairs.other])
    assert (np.rint(apart * 10) <= jitter).all()
    assert (len(pairs.reference), round(10 * apart.sum())) == best(a, b, jitter)


def test_cells_are_paired_apart_and_in_order() -> None:
    one = spikes([1, 1, 5, 9], [0, 1, 1, 0], 3)
    other = spikes([1.1, 5.1, 5.2, 9.0], [1, 1, 0, 0], 3)
    pairs = match(one, other, 0.2)
    assert one.units[pairs.reference].tolist() == [0, 1, 1]
    assert other.units[pairs.other].tolist() == [0, 1, 1]
    assert one.times_ms[pairs.reference].tolist() == [9, 1, 5]


def test_a_jitter_that_joins_everything_is_refused() -> None:
    many = spikes(np.arange(5000) / 10)
    with pytest.raises(ConfigError, match="--jitter must be shorter"):
        match(many, many, 1.0)


def recording(times, units, *, v=None, n_units=2) -> Recording:
    given = spikes(times, units, n_units, 100.0)
    data = np.zeros((1000, n_units)) if v is None else v
    trace = Trace("e", "v", "mV", np.arange(n_units), 0.1, data)
    return Recording(100.0, 0.1, 0, "numba", {"e": given}, {"e.v": trace})


def test_what_differs_is_named_at_its_time() -> None:
    """Cell 0 comes a step earlier from 30 ms on, which is one move; cell 1 lacks a spike."""
    units = [0, 1, 0, 1, 0, 1]
    reference = recording([10, 20, 30, 40, 50, 60], units)
    other = recording([10, 20, 29.9, 45, 49.9, 60], units)
    found = deviation_of(reference, other, ["e"], 0.1)
    assert [(round(m.time_ms, 6), m.cell, m.kind) for m in found.moves] == [(29.9, 0, "moved")]
    assert [(d.time_ms, d.cell, d.kind) for d in found.lone] == [
        (40.0, 1, "missing"), (45.0, 1, "extra")
    ]  # fmt: skip
    assert (round(found.moved_ms, 6), found.diverged_ms, found.identical) == (29.9, 40.0, False)
    same = deviation_of(reference, reference, ["e"], 0.1)
    assert same.identical and same.moved_ms == same.diverged_ms == np.inf


def test_residuals_stop_where_they_are_told() -> None:
    v = np.zeros((1000, 2))
    v[500:, 1] = 3.0  # from 50 ms on
    found = deviation_of(recording([], []), recording([], [], v=v), ["e"], 0.1).traces["e.v"]
    assert (found.largest, found.typical) == (3.0, 1.5)  # half of the frames: between 0 and 3
    assert found.rms == pytest.approx(3 / np.sqrt(2))
    assert found.until(49.95).largest == 0.0
    assert found.until(50.0).largest == 3.0


# -- twins -------------------------------------------------------------------------------------


def test_a_twin_differs_by_no_more_than_a_rounding() -> None:
    rounding = Rounding("test", times=1e-3, weights=1e-4, others=1e-5)
    for make in (driven, learning):
        network = make()
        twin = twin_of(network, rounding, 1)
        seen = {"times": 0.0, "weights": 0.0, "others": 0.0}
        for old, new in zip(network.populations, twin.populations, strict=True):
            for name, value in {**old.model.parameters, **old.parameters}.items():
                kind = "times" if name in ("C", "tau") else "others"
                off = np.abs(np.asarray(new.parameters[name] / value) - 1).max()
                assert off <= getattr(rounding, kind) * (1 + 1e-9)
                if name == old.model.refractory:
                    assert off == 0  # counted in steps
                seen[kind] = max(seen[kind], off)
        for old, new in zip(network.projections, twin.projections, strict=True):
            assert (old.delay is new.delay, old.rule is new.rule) == (True, True)
            if isinstance(old.weight, Quantity) and not old.weight.ndim:
                seen["weights"] = max(seen["weights"], abs(new.weight / old.weight - 1))
        assert all(0.1 * getattr(rounding, k) < off for k, off in seen.items())
        assert seen["weights"] <= rounding.weights * (1 + 1e-9)
        again, other = twin_of(network, rounding, 1), twin_of(network, rounding, 2)
        for a, b, c in zip(twin.populations, again.populations, other.populations, strict=True):
            assert float(a.parameters["C"]) == float(b.parameters["C"]) != float(c.parameters["C"])


def test_roundings_follow_the_arithmetic_and_the_step() -> None:
    def of(text: str, dt_ms: float) -> Rounding:
        return rounding_of(named(text)[0], dt_ms, lambda: pytest.fail("nothing to be asked"))

    assert of("numba", 0.1).largest == 100 * 2.0**-24
    assert of("numba:precision=float64", 0.1).largest == 100 * 2.0**-53
    assert of("brian", 0.01).largest == 1000 * 2.0**-53
    assert of("brian", 5.0).largest == 16 * 2.0**-53
    assert coarser(of("brian", 0.1), of("numba", 0.1)).arithmetic == "float32"


# -- verdicts ----------------------------------------------------------------------------------


def judged(other: Recording, *, near: float = 1e-6, far_moves: int = 0) -> dict[str, bool]:
    """Verdicts on a run beside twins that differ by `near` mV and move `far_moves` spikes."""
    at = np.arange(10, 90, 2.0)
    units = np.arange(at.size) % 2
    ramp = np.linspace(-70, -50, 1000)[:, None].repeat(2, axis=1)
    reference = recording(at, units, v=ramp)
    moved = at.copy()
    moved[:far_moves] += 0.1
    twins = Twins(
        Rounding("float32", 1e-8, 1e-8, 1e-8), 1.0,
        [deviation_of(reference, recording(at, units, v=ramp + near), ["e"], 0.1)],
        [deviation_of(reference, recording(moved, units, v=ramp + near), ["e"], 0.1)],
    )  # fmt: skip
    mine = deviation_of(reference, other, ["e"], 0.1)
    checks = spike_checks(0, mine, twins, reference, rise_per_step(reference))
    return {c.name + (c.text.split(":")[1][:8] if c.name == "trace" else ""): c.passed
            for c in checks}  # fmt: skip


def test_each_condition_fails_on_what_it_is_for() -> None:
    at = np.arange(10, 90, 2.0)
    units = np.arange(at.size) % 2
    ramp = np.linspace(-70, -50, 1000)[:, None].repeat(2, axis=1)
    fine = judged(recording(at, units, v=ramp + 3e-6))
    assert len(fine) == 4 and all(fine.values())

    once = ramp.copy()
    once[700:705] += 1e-3  # for half a millisecond
    assert [k for k, ok in judged(recording(at, units, v=once)).items() if not ok] == [
        "trace largest"
    ]
    small = judged(recording(at, units, v=ramp + 5e-6))
    assert not small["trace typical"] and not small["trace largest"]
    for k in range(4):  # four moves of each cell, where twins have none
        at[10 + 4 * k : 12 + 4 * k] += 0.1
    moved = judged(recording(at, units, v=ramp))
    assert [k for k, ok in moved.items() if not ok] == ["steps"]
    assert judged(recording(at, units, v=ramp), far_moves=12)["steps"]
    at[5] += 0.5
    assert not judged(recording(at, units, v=ramp), far_moves=12)["divergence"]


# -- distributions -----------------------------------------------------------------------------


def runs(seed: int, rate: float, n: int = 8, *, common: float = 0.0) -> list[Spikes]:
    """Ten cells for a second, `n` times; `common` varies the rate from run to run."""
    rng = np.random.default_rng([seed, round(1000 * rate)])
    found = []
    for _ in range(n):
        count = rng.poisson(10 * rate * np.exp(common * rng.normal()))
        found.append(spikes(rng.uniform(0, 999, count), rng.integers(0, 10, count), 10))
    return found


def test_like_distributions_are_seldom_told_apart_though_cells_of_a_run_are_alike() -> None:
    """With p below 0.1 in a tenth of 60 cases at most: more than 14 come by chance once in 2,000.

    The rate differs from run to run by a third, which cells share: a test that took cells or
    intervals as independent observations would reject half of these.
    """
    limit = binom.isf(5e-4, 60, 0.1)
    low = {"rate of runs": 0, "rates of cells": 0, "intervals": 0}
    naive = 0
    for case in range(60):
        a, b = runs(case, 20, common=0.3), runs(1000 + case, 20, common=0.3)
        for test in compare_distributions("e", a, b, stream=str(case)):
            low[test.measure] += test.p < 0.1
        pooled = [np.concatenate([s.counts() for s in side]) for side in (a, b)]
        naive += ks_2samp(*pooled).pvalue < 0.1
    assert all(n <= limit for n in low.values()), low
    assert naive > limit  # the harder case was one


def test_unlike_distributions_are_told_apart() -> None:
    a, b = runs(1, 20), runs(2, 24)
    assert all(test.p < 0.01 for test in compare_distributions("e", a, b))
    # The same rates, but regular: intervals alone tell.
    regular = [spikes(np.sort(np.arange(200) * 5.0 % 1000), np.arange(200) % 10, 10)] * 8
    p = {test.measure: test.p for test in compare_distributions("e", runs(3, 20), regular)}
    assert p["intervals"] < 0.01
    rates, middle = compare_distributions("e", a[:1], b[:1])
    assert (rates.measure, middle.measure) == ("rates of cells", "intervals of cells")


def test_silence_is_compared_too() -> None:
    silent = [spikes([], n_units=10) for _ in range(8)]
    assert compare_distributions("e", silent, silent)[0].p == 1.0
    assert compare_distributions("e", silent, runs(1, 20))[0].p < 0.01


def test_corrections_and_seeds() -> None:
    assert holm([]) == []
    assert holm([0.5, 0.5]) == [1.0, 1.0]
    # 2/C(14,7) = 1/1716 is below 0.01/6; 2/C(12,6) = 1/462 is not.
    assert seeds_needed(6, 0.01) == 7
    assert seeds_needed(1, 0.05) == 4


# -- names -------------------------------------------------------------------------------------


def test_commas_divide_back_ends_and_their_options() -> None:
    found = named("numba, brian,numba:precision=float64,threads=2,norse")
    assert [one.label for one in found] == [
        "numba", "brian", "numba:precision=float64,threads=2", "norse"
    ]  # fmt: skip
    assert (found[2].options, found[2].threads) == ({"precision": "float64"}, 2)
    assert reference_of(found) == (found[1], "it is Brian2")
    assert reference_of(found[2:])[0] is found[2]
    assert reference_of(found, "norse")[0] is found[3]
    assert reference_of(named("numba,norse"))[1].startswith("the first; none")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("numba,nimba", "unknown back end `nimba`; did you mean `numba`"),
        ("numba:precison=float64", "has no option `precison`; did you mean `precision`"),
        ("numba:threads=two", "option `threads` must be a whole number, found `two`"),
        ("brian,numba,brian", "each may be named once, found `brian` twice"),
        ("numba:threads", "option `threads` needs a value"),
    ],
)
def test_a_wrong_name_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        named(text)


def test_a_reference_must_be_among_them() -> None:
    with pytest.raises(ConfigError, match="--reference must be one of --backends"):
        reference_of(named("numba,brian"), "norse")
    assert replace(named("numba")[0], label="a b/c").file == "a_b_c"
