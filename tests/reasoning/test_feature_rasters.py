"""Features of stored spikes and of rasters: by hand, the same on a grid, with true gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bridges.features.batch import SpikeBatch
from bridges.features.counts import counts, counts_of
from bridges.features.intervals import interval_counts, interval_counts_of
from bridges.features.latency import latency, latency_of
from bridges.features.phase import (
    oscillation_phase,
    phase_counts,
    phase_counts_of,
    phase_vectors,
    phase_vectors_of,
)
from bridges.features.surrogate import untimed
from bridges.features.synchrony import synchrony, synchrony_of
from bridges.features.traces import traces, traces_of
from bridges.features.windows import LearnedWindows
from neuro.errors import ConfigError, EmberError, SignalError
from neuro.spikes import Spikes
from neuro.wiring import generator

DT, BIN = 0.1, 2.0
TAUS = (0.7, 5.0)
EDGES = (0.3, 1.0, 2.5)
F64 = torch.float64


def spikes_at(*trains: list[float], stop: float = 10.0) -> Spikes:
    times = np.concatenate([np.array(train, dtype=float) for train in trains])
    units = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    return Spikes(times, units, n_units=len(trains), t_stop_ms=stop)


@st.composite
def on_grid(draw: st.DrawFn) -> Spikes:
    """A few units, each with one spike or none in a step, of 1 to 4 bins of 20 steps."""
    n_steps, n_units = 20 * draw(st.integers(1, 4)), draw(st.integers(1, 4))
    seed, rate = draw(st.integers(0, 2**16)), draw(st.sampled_from([0.0, 0.03, 0.3, 1.0]))
    steps, units = np.nonzero(generator(seed, "raster").random((n_steps, n_units)) < rate)
    return Spikes(steps * DT, units, n_units=n_units, t_stop_ms=n_steps * DT)


def phases_of(times_ms: object) -> np.ndarray:
    return oscillation_phase(np.asarray(times_ms), frequency_hz=310.0, start_rad=0.1)


STORED: dict[str, Callable[[Spikes], Tensor]] = {
    "counts": lambda s: counts(s, bin_ms=BIN),
    "latency": lambda s: latency(s, bin_ms=BIN),
    "intervals": lambda s: interval_counts(s, edges_ms=EDGES, bin_ms=BIN),
    "traces": lambda s: traces(s, tau_ms=TAUS, bin_ms=BIN),
    "synchrony": lambda s: synchrony(s, tau_ms=0.4, bin_ms=BIN),
    "phase_counts": lambda s: phase_counts(s, phases_of(s.times_ms), bin_ms=BIN),
    "phase_vectors": lambda s: phase_vectors(s, phases_of(s.times_ms), bin_ms=BIN),
}
RASTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "counts": lambda r: counts_of(r, bin_ms=BIN, dt_ms=DT),
    "latency": lambda r: latency_of(r, bin_ms=BIN, dt_ms=DT),
    "intervals": lambda r: interval_counts_of(r, edges_ms=EDGES, bin_ms=BIN, dt_ms=DT),
    "traces": lambda r: traces_of(r, tau_ms=TAUS, bin_ms=BIN, dt_ms=DT),
    "synchrony": lambda r: synchrony_of(r, tau_ms=0.4, bin_ms=BIN, dt_ms=DT),
    "phase_counts": lambda r: phase_counts_of(
        r, phases_of(np.arange(r.shape[0]) * DT), bin_ms=BIN, dt_ms=DT
    ),
    "phase_vectors": lambda r: phase_vectors_of(
        r, phases_of(np.arange(r.shape[0]) * DT), bin_ms=BIN, dt_ms=DT
    ),
}


@pytest.mark.parametrize("feature", STORED)
@given(spikes=on_grid())
@settings(max_examples=30, deadline=None)
def test_stored_and_raster_are_the_same_numbers(feature: str, spikes: Spikes) -> None:
    raster = SpikeBatch.of([spikes]).raster(dt_ms=DT, dtype=F64)
    assert raster.sum() == len(spikes)
    found = RASTERS[feature](raster)
    assert found.shape[1] == 1  # the batch
    # Stored features are float32 at the end: half a last place, of values that are below 100.
    torch.testing.assert_close(
        found[:, 0].float(), STORED[feature](spikes), rtol=2**-22, atol=1e-5
    )  # fmt: skip


@pytest.mark.parametrize("feature", RASTERS)
def test_gradients_of_rasters_are_those_of_finite_differences(feature: str) -> None:
    drawn = generator(3, feature).random((40, 2, 2))
    # Values within 0 and 1, where every feature is smooth; some exactly 0, as silent steps are.
    raster = torch.tensor(np.where(drawn > 0.5, 0.9 * drawn, 0.0), dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(RASTERS[feature], (raster,))


def test_latency_by_hand() -> None:
    spikes = spikes_at([0.5, 1.0, 6.5], [], [3.9999, 9.0])
    found = latency(spikes, bin_ms=2.0)
    assert found[:, 0].tolist() == pytest.approx([0.5, 2, 2, 0.5, 2])
    assert found[:, 1].tolist() == [2] * 5  # silent: as late as can be
    assert found[:, 2].tolist() == pytest.approx([2, 1.9999, 2, 2, 1.0])
    pooled = latency(spikes, bin_ms=10.0, channels=[0, 0, 1])
    assert pooled.tolist() == [[pytest.approx(0.5), pytest.approx(3.9999)]]


def test_intervals_by_hand() -> None:
    spikes = spikes_at([1.0, 2.0, 4.5, 9.0], [1.5, 2.5])
    found = interval_counts(spikes, edges_ms=[0, 1, 2, 4, 5], bin_ms=5.0)
    assert found[0].tolist() == [[0, 1, 1, 0], [0, 1, 0, 0]]  # 1.0 and 2.5; 1.0
    assert found[1].tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]  # 4.5 ends in the second bin
    pooled = interval_counts(spikes, edges_ms=[0, 5], bin_ms=10.0, channels=[0, 0])
    assert pooled.tolist() == [[[4]]]  # of units each by itself: none between 1.0 and 1.5


def test_the_last_class_of_intervals_may_be_open() -> None:
    spikes = spikes_at([1.0, 2.0, 4.5, 9.0], [1.5, 2.5])
    found = interval_counts(spikes, edges_ms=[0, 1, 2.5, np.inf], bin_ms=10.0)
    assert found.tolist() == [[[0, 1, 2], [0, 1, 0]]]
    assert torch.equal(found, interval_counts(spikes, edges_ms=[0, 1, 2.5, 1e12], bin_ms=10.0))
    raster = SpikeBatch.of([spikes]).raster(dt_ms=0.5)
    open_ended = interval_counts_of(raster, edges_ms=[0, 1, 2.5, np.inf], bin_ms=10.0, dt_ms=0.5)
    assert torch.equal(open_ended[:, 0], found)


def test_traces_by_hand() -> None:
    spikes = spikes_at([1.0, 4.0])
    found = traces(spikes, tau_ms=[2.0, 50.0], bin_ms=2.5)
    for end, row in zip([2.5, 5.0, 7.5, 10.0], found, strict=True):
        for tau, value in zip([2.0, 50.0], row[0], strict=True):
            by_hand = sum(np.exp((t - end) / tau) for t in (1.0, 4.0) if t < end)
            assert float(value) == pytest.approx(by_hand, rel=1e-6)


def test_synchrony_by_hand_and_against_all_pairs() -> None:
    together = spikes_at([1.0, 3.0], [1.0, 3.0], [2.0], [])
    found = synchrony(together, tau_ms=0.1, bin_ms=10.0)[0]
    assert float(found[0, 1]) == pytest.approx(1)
    assert float(found[0, 2]) < 1e-4  # ten time constants away
    assert found[3].abs().sum() == 0 and found[:, 3].abs().sum() == 0
    drawn = generator(1, "trains").uniform(0, 10, size=60)
    spikes = Spikes(drawn, np.arange(60) % 3, n_units=3, t_stop_ms=10.0)
    apart = np.exp(-np.abs(spikes.times_ms[:, None] - spikes.times_ms) / 0.8)
    member = (spikes.units[:, None] == np.arange(3)).astype(float)
    pairs = member.T @ apart @ member
    by_hand = pairs / np.sqrt(np.outer(pairs.diagonal(), pairs.diagonal()))
    np.testing.assert_allclose(synchrony(spikes, tau_ms=0.8, bin_ms=10.0)[0], by_hand, rtol=1e-5)


@pytest.mark.parametrize("start_ms", [-1000.0, -10.0, 5000.0])
def test_synchrony_does_not_depend_on_where_the_window_lies(start_ms: float) -> None:
    drawn, units = generator(2, "trains").uniform(0, 10, size=40), np.arange(40) % 3
    there, here = (
        synchrony(
            Spikes(at + drawn, units, n_units=3, t_start_ms=at, t_stop_ms=at + 10.0),
            tau_ms=0.5, bin_ms=5.0,
        )
        for at in (start_ms, 0.0)
    )  # fmt: skip
    assert 0.1 < float(here[0, 0, 1]) < 1
    torch.testing.assert_close(there, here, rtol=0, atol=1e-6)  # a few float32 roundings of 1


def test_synchrony_sees_what_counts_do_not() -> None:
    """Two channels share their spikes; moved within their bins they do not, with equal counts."""
    alike, chance = [], []
    for seed in range(8):
        times = np.sort(generator(seed, "shared").uniform(0, 1000, size=40))
        spikes = Spikes(np.tile(times, 2), np.repeat([0, 1], 40), n_units=2, t_stop_ms=1000.0)
        moved = untimed(spikes, bin_ms=100.0, seed=seed)
        assert torch.equal(counts(spikes, bin_ms=100.0), counts(moved, bin_ms=100.0))
        alike.append(float(synchrony(spikes, tau_ms=1.0, bin_ms=1000.0)[0, 0, 1]))
        chance.append(float(synchrony(moved, tau_ms=1.0, bin_ms=1000.0)[0, 0, 1]))
    assert min(alike) == pytest.approx(1)
    # By chance: each of 40 spikes meets 40 others over a second, within 2 tau: 40 * 2 / 1000.
    assert 0 < np.mean(chance) < 3 * 0.08


def test_windows_of_times_and_of_rasters_agree() -> None:
    items = [spikes_at([0.2, 7.7], [3.0]), spikes_at([], [0.0, 9.9]), spikes_at([], [])]
    batch = SpikeBatch.of(items)
    look = LearnedWindows(4, span_ms=3.3, hop_ms=2.0).double()
    stored, raster = look(batch), look.of_raster(batch.raster(dt_ms=DT, dtype=F64), dt_ms=DT)
    assert stored.shape == (3, 5, 2, 4) and float(stored.detach().sum()) > 0
    # Ages on the two sides differ by the rounding of times; a window's slope is below 10 per ms.
    torch.testing.assert_close(stored, raster.permute(1, 0, 2, 3), rtol=0, atol=1e-12)
    by_hand = look.weights(torch.tensor([1.8], dtype=F64))[0]  # 0.2 ms, seen at 2 ms …
    assert torch.allclose(stored[0, 0, 0], by_hand, atol=1e-12)
    assert stored[0, 1, 0].abs().sum() == 0  # … is 3.8 ms old at 4 ms, and the span 3.3 ms
    assert stored[2].abs().sum() == 0


@pytest.mark.parametrize("far", [0, 10**8, 10**9])
def test_a_raster_of_a_window_late_in_a_recording_keeps_every_spike(far: int) -> None:
    """Hours on, the rounding of a time is more than a billionth of a step; one spike a step."""
    times = (far + np.arange(1000)) * DT
    late = Spikes(
        times, np.zeros(1000, int), n_units=1, t_start_ms=times[0], t_stop_ms=(far + 1000) * DT
    )
    batch = SpikeBatch.of([late])
    assert batch.bins(DT).tolist() == list(range(1000))
    if far < 10**9:  # from there on the window itself is no whole number of steps to a millionth
        assert batch.raster(dt_ms=DT).sum() == 1000


def test_a_window_finds_the_age_that_tells_two_classes_apart() -> None:
    """One spike, 6 or 12 ms before the end: a broad window in between learns to see only one."""
    rng = generator(5, "ages")
    labels = rng.integers(0, 2, size=64)
    items = [
        spikes_at([20.0 - (6.0 if label else 12.0) + shift], stop=20.0)
        for label, shift in zip(labels, rng.normal(0, 0.3, size=64), strict=True)
    ]
    batch, wanted = SpikeBatch.of(items), torch.tensor(labels, dtype=torch.float32)

    def trained(learning_rate: float) -> float:
        look = LearnedWindows(1, span_ms=20.0, hop_ms=20.0)
        bias = torch.nn.Parameter(torch.tensor(-0.5))
        optimizer = torch.optim.Adam([*look.parameters(), bias], lr=learning_rate)
        for _ in range(150):
            logits = 8 * (look(batch).reshape(-1) + bias)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(((logits > 0) == (wanted > 0.5)).float().mean())

    assert trained(0.05) == 1.0
    assert trained(0.0) < 0.75  # the window as it starts does not tell them apart


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.uint8])
@pytest.mark.parametrize("feature", [*RASTERS, "windows"])
def test_a_raster_that_is_not_floating_point_is_refused(feature: str, kind: torch.dtype) -> None:
    """Weights between 0 and 1 would become 0 in it, and what comes out too."""
    raster = torch.zeros(40, 2, 2)
    raster[1::5] = 1
    look = LearnedWindows(1, span_ms=3.0, hop_ms=2.0)
    made = {**RASTERS, "windows": lambda r: look.of_raster(r, dt_ms=DT)}[feature]
    assert made(raster).abs().sum() > 0
    with pytest.raises(ConfigError, match=f"floating point type, found {kind}") as caught:
        made(raster.to(kind))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda s: traces(s, tau_ms=[0.0], bin_ms=2.0), "a time constant must be longer than 0 ms"),
        (lambda s: synchrony(s, tau_ms=-1.0, bin_ms=2.0), "found -1 ms"),
        (lambda s: interval_counts(s, edges_ms=[2, 1], bin_ms=2.0), "ascending"),
        (lambda s: latency(s, bin_ms=3.0), "a whole number of bins"),
        (lambda s: latency_of(torch.zeros(30, 1), bin_ms=2.0, dt_ms=0.1), "a whole number of bins"),
        (lambda s: counts_of(torch.zeros(40, 1), bin_ms=2.0, dt_ms=0.3), "whole number of time"),
        (lambda s: phase_vectors_of(torch.zeros(20, 1), [0.0], bin_ms=2.0, dt_ms=0.1), "20 steps"),
        (
            lambda s: interval_counts_of(
                torch.zeros(20, 1), edges_ms=[0, 0.25, np.inf], bin_ms=2.0, dt_ms=0.1
            ),
            "an edge of intervals must be a whole number",
        ),
        (lambda s: counts_of(torch.zeros(40, 1), bin_ms=np.inf, dt_ms=0.1), "found inf ms"),
        (lambda s: LearnedWindows(0, span_ms=1, hop_ms=1), "found 0 of"),
        (lambda s: LearnedWindows(1, span_ms=1, hop_ms=3)(SpikeBatch.of([s])), "whole number"),
        (lambda s: SpikeBatch.of([s, spikes_at([1.0], stop=5.0)]), "same units and duration"),
        (lambda s: SpikeBatch.of([]), "found none"),
    ],
)
def test_what_does_not_fit_is_refused(attempt: Callable[[Spikes], object], words: str) -> None:
    with pytest.raises(EmberError, match=words) as caught:
        attempt(spikes_at([1.0], [2.0]))
    assert isinstance(caught.value, ConfigError | SignalError)
    assert "\n" not in str(caught.value)
