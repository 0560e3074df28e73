"""Times to 1e6 s lie in their step, and what is rare happens as often as its probability says."""

from __future__ import annotations

from unittest import mock

import h5py
import numba
import numpy as np
import pytest
import torch
from scipy.stats import poisson

from neuro import Background, Network, NeuronModel, Population, Record, Source, Spikes, simulate
from neuro.backends.norse import cells as norse_cells
from neuro.backends.norse.backgrounds import Arrivals
from neuro.backends.numba.plan import RARE, ladder_of, rare_ladder
from neuro.backends.numba.random import TILE, philox, rare_input, seed_key, stream_of, uniform
from neuro.build import build
from neuro.models import LIF, POISSON
from neuro.modulation import Transmitter
from neuro.raw_run import RawRun
from neuro.recording import Course, Trace
from neuro.simulate import as_recording, prepare
from neuro.sink import MemorySink
from neuro.synapses import DELTA
from neuro.units import Hz, Quantity, ms, mV, nM
from sims.store.sonata import read_spikes, write_spikes
from tests.backends import _plain

LATE_MS = 1e9  # 1e6 s
CELLS, STEPS, DT_MS = 20_000, 20_000, 0.01


@numba.njit
def numbers(key, stream, n_cells):  # type: ignore[no-untyped-def]
    words, drawn = np.empty((n_cells, 4), np.uint64), np.empty(n_cells)
    for cell in range(n_cells):
        drawn[cell] = uniform(key, stream, cell, 5)
        words[cell] = philox(np.uint64(5), np.uint64(0), np.uint64(cell), np.uint64(stream), key)
    return words, drawn


def test_a_uniform_number_is_52_bits_of_the_words() -> None:
    """32 of the first word and 20 of the second; so a probability of 1e-9 is 4.5e6 of them."""
    words, drawn = numbers(seed_key(3), stream_of("x"), 500)
    expected = [(int(a) << 20 | int(b) >> 12) / 2**52 for a, b in words[:, :2]]
    assert drawn.tolist() == expected


@pytest.mark.parametrize("backend", ["numba", "norse"])
@pytest.mark.parametrize(
    ("threshold", "fire"),
    [("rand() < p", (0, 1)), ("rand() > 1 - p", (4, 5)), ("1 - rand() < p", (4, 5)),
     ("p > rand()", (0, 1)), ("rand() < rate*dt", (0, 1))],
)  # fmt: skip
def test_a_chance_of_1e_9_is_compared_in_double_precision(
    backend: str, threshold: str, fire: tuple[int, ...]
) -> None:
    """Numbers a tenth of p beside p, and beside 1 - p, fall on their side of it."""
    p = 1e-9
    given = np.array([0.0, 0.9 * p, 1.1 * p, 1 - 1.1 * p, 1 - 0.9 * p, 1 - 2.0**-52])
    known = {"p": Quantity(p), "rate": Hz(1e-5)}
    chance = NeuronModel(
        name="chance",
        equations="",
        threshold=threshold,
        reset="",
        parameters={name: known[name] for name in known if name in threshold},
        source="a closed form",
    )
    network = Network("chance", (Population("cells", chance, given.size),))

    def one(key: object, stream: object, cell: int, step: object) -> float:
        return float(given[cell])

    with _plain.plain_kernels():
        plain = _plain._import("neuro.backends.numba.random")
        tensor = torch.from_numpy(given).expand(1, 1, -1)
        with (
            mock.patch.object(plain, "uniform", one),
            mock.patch.object(norse_cells, "uniform", return_value=tensor),
        ):
            found = simulate(network, duration_ms=0.1, dt_ms=0.1, backend=backend)
    assert found.spikes["cells"].units.tolist() == list(fire)


def test_cells_of_a_thousandth_of_a_hertz_fire_as_often_as_poisson_says() -> None:
    """A step of 0.01 ms has a chance of 1e-8: four spikes in 4e8 draws; 24 bits give 24.

    The seed is fixed; of all seeds two in a thousand have a count outside these bounds.
    """
    expected = CELLS * STEPS * DT_MS * 1e-6
    low, high = poisson.ppf([1e-3, 1 - 1e-3], expected)
    network = Network("rare", (Population("cells", POISSON, CELLS, {"rate": Hz(0.001)}),))
    found = simulate(network, duration_ms=STEPS * DT_MS, dt_ms=DT_MS, seed=1)
    assert low <= found.spikes["cells"].times_ms.size <= high < 12


@pytest.mark.parametrize("arrivals", [1e-12, 1e-9, 1e-6, 1e-3, 0.999 * RARE])
def test_rare_arrivals_have_their_mean(arrivals: float) -> None:
    """The mean is the sum of the chances of k arrivals and more; each is cut to 2^-64."""
    lowest, ladder = rare_ladder(arrivals)
    beyond = [(2**64 - 1 - int(step)) / 2**64 for step in ladder]
    assert lowest == 0
    assert abs(sum(beyond) - arrivals) <= 1e-15 * arrivals * len(ladder) + len(ladder) * 2.0**-64
    assert abs(beyond[0] + np.expm1(-arrivals)) <= 1e-15 * arrivals + 2.0**-64


def test_the_coarser_distribution_is_good_where_it_is_used() -> None:
    """From `RARE` on each step of 2^-32 is rounded by half: of a mean of 2^-6 at most 1e-7."""
    lowest, ladder = ladder_of(RARE)
    beyond = [(2**32 - 1 - int(step)) / 2**32 for step in ladder]
    assert abs(lowest + sum(beyond) - RARE) <= len(ladder) * 2.0**-33
    assert len(ladder) * 2.0**-33 <= 1e-7 * RARE


@numba.njit
def drawn_rarely(rows, steps, key, stream, ladder, words, free):  # type: ignore[no-untyped-def]
    for k in range(steps.size):
        rare_input(rows[k], 0, steps[k], key, stream, ladder, np.float32(1), words, free)


@pytest.mark.parametrize("rate", [Hz(100), Hz(1), Hz(0.001)])
def test_backgrounds_of_small_rates_arrive_as_often_as_they_should(rate: Quantity) -> None:
    """Within five standard errors, and on norse the same."""
    network = Network(
        "small", (Population("cells", LIF, 4096),),
        backgrounds=(Background("b", "cells", DELTA, rate=rate, weight=mV(1)),),
    )  # fmt: skip
    built = build(network, seed=4, dt_ms=0.1)
    [background] = built.backgrounds
    n_steps, n = 500, 4096
    rows = np.zeros((n_steps, n), np.float32)
    drawn_rarely(
        rows, np.arange(n_steps), seed_key(4), stream_of("background b"),
        rare_ladder(background.arrivals)[1], np.empty(TILE, np.uint32), np.zeros(0, np.uint8),
    )  # fmt: skip
    expected = n_steps * n * background.arrivals
    assert background.arrivals < RARE
    assert abs(rows.sum() - expected) <= 5 * np.sqrt(expected)
    theirs = Arrivals(background, n).draw(4, 0, n_steps, torch.float32)
    assert np.array_equal(theirs[:, 0].numpy(), rows)


@pytest.mark.parametrize("dt_ms", [0.1, 0.025, 0.01])
def test_late_spikes_of_a_source_come_in_their_step(dt_ms: float) -> None:
    first = round(LATE_MS / dt_ms)
    steps = first + np.array([0, 1, 2, 7, 12_345])
    spikes = Spikes(steps * dt_ms, np.zeros(5, int), n_units=1, t_stop_ms=LATE_MS + 2000)
    network = Network("late", (Population("cells", LIF, 1),), (Source("in", spikes),))
    [source] = build(network, seed=0, dt_ms=dt_ms).sources
    assert source.steps.tolist() == steps.tolist()


def test_late_spikes_and_samples_have_the_time_of_their_step() -> None:
    """The nearest double to the product; two neighbours differ by dt to 2e-7 ms."""
    network = Network("late", (Population("cells", LIF, 1),))
    built = prepare(network, dt_ms=0.1)
    sink = MemorySink(["cells"], 0)
    steps = 10**10 + np.arange(3)
    sink.spikes("cells", steps, np.zeros(3, np.int32))
    raw = RawRun(10**10 + 10, 0.0, 0.0, 0.0)
    times = as_recording(built, sink, raw, "numba", [], 1.0).spikes["cells"].times_ms
    assert times.tolist() == [step * 0.1 for step in steps.tolist()]
    assert np.abs(np.diff(times) - 0.1).max() <= 2 * np.spacing(LATE_MS)
    every_ms = 1e8
    trace = Trace("cells", "v", "mV", np.array([0]), every_ms, np.zeros((11, 1)))
    assert trace.times_ms[-1] == LATE_MS
    assert Course("x", "nM", every_ms, np.zeros(11)).times_ms[-1] == LATE_MS


def test_run_files_keep_late_times_bit_for_bit() -> None:
    times = (10**10 + np.arange(5)) * 0.1
    spikes = Spikes(times, np.zeros(5, int), n_units=1, t_stop_ms=LATE_MS + 10)
    with h5py.File("late", "w", driver="core", backing_store=False) as file:
        write_spikes(file, "cells", spikes)
        found = read_spikes(file["spikes"], "cells")
    assert found.times_ms.tolist() == times.tolist()
    assert found.t_stop_ms == LATE_MS + 10


def test_late_points_of_a_schedule_are_met_in_their_step() -> None:
    """A clamp that rises within one step after 1e6 s: 0 before, the whole from then on."""
    dt_ms, first = 0.01, 10**11
    edge = (first + 3) * dt_ms
    clamp = Transmitter("x", schedule=((ms(edge), nM(0)), (ms(edge + dt_ms), nM(8))))
    found = clamp.baseline_at((first + np.arange(6)) * dt_ms)
    assert found.tolist() == [0, 0, 0, 0, 8, 8]


def test_samples_of_a_long_run_are_taken_at_their_steps() -> None:
    """`every_ms` of 0.1 ms at a step of 0.025 ms is four steps, also where neither is exact."""
    network = Network("n", (Population("cells", LIF, 1),))
    with _plain.plain_kernels():
        found = simulate(network, duration_ms=30, dt_ms=0.025,
                         record=[Record("cells", "v", every_ms=0.1)])  # fmt: skip
    assert found.traces["cells.v"].data.shape == (300, 1)
    assert found.traces["cells.v"].times_ms[-1] == 299 * 0.1
