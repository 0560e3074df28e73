"""Ranges that Python objects check as configs do: what is outside is refused by class and field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pint
import pytest

from neuro.brian2_import import brian2
from neuro.errors import EmberError
from neuro.model import NeuronModel
from neuro.models import LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import (
    Background,
    Drive,
    Network,
    Normal,
    Population,
    Projection,
    Record,
    Source,
    Uniform,
)
from neuro.signal import Signal
from neuro.simulate import prepare, simulate
from neuro.spikes import Spikes
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import Hz, Quantity, ms, mV, nM, pA, read
from neuro.units.dimension import LENGTH
from neuro.wiring import (
    AllToAll,
    FixedInDegree,
    FixedTotal,
    Listed,
    NearestCF,
    OneToOne,
    Pairwise,
    Site,
    generator,
)

NAN, INF = float("nan"), float("inf")
CELLS = Population("cells", LIF, 3)
MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])
UNMASKED = np.ma.masked_array([1.0, 2.0, 3.0])
SITE = Site("s", 3, {})


def run(**settings: Any) -> Any:
    return simulate(Network("n", (CELLS,)), **({"duration_ms": 0.1} | settings))


def driven(values: Any) -> Network:
    model = NeuronModel("w", "dv/dt = x/pF : volt", inputs={"x": pA.dimension})
    cells = Population("cells", model, 3)
    return Network("n", (cells,), drives=(Drive("cells", "x", values, 1),))


def near(cf_hz: Any) -> Any:
    site = Site("nerve", 3, {"cf_hz": cf_hz})
    return NearestCF(1).edges(site, site, False, generator(0, "p"))


def spikes(times: Any, units: Any, n: Any = 3) -> Spikes:
    return Spikes(times, units, n_units=n, t_stop_ms=10)


def schedule(*points: Any) -> Transmitter:
    return Transmitter("t", schedule=points)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: schedule((ms(2), nM(1)), (ms(1), nM(2))), "Transmitter: `schedule` must have times"),
    (lambda: schedule((ms(1), nM(1)), (ms(1), nM(2))), "increase, found 1 ms and then 1 ms"),
    (lambda: schedule((ms(-1), nM(1))), "Transmitter: `schedule` must hold finite times"),
    (lambda: schedule((ms(1), nM(-1))), "found -1 at 1 ms"),
    (lambda: schedule((ms(1), nM(INF))), "found inf at 1 ms"),
    (lambda: Transmitter("t", schedule=5), "Transmitter: `schedule`: expected a list"),
    (lambda: Transmitter("t", baseline=nM(-1)), "Transmitter: `baseline` must be finite and at"),
    (lambda: Transmitter("t", per_spike=nM(-1)), "Transmitter: `per_spike` must be finite and at"),
    (lambda: Transmitter("t", uptake=ms(0)), "Transmitter: `uptake` must be finite and above 0"),
    (lambda: Transmitter("t", uptake="-3 ms"), "`uptake` must be finite and above 0, found -3 ms"),
    (lambda: Transmitter("t", delay=ms(-1)), "Transmitter: `delay` must be finite and at least 0"),
    (lambda: Receptor("r", "t", nM(5), 0), "Receptor: `hill` must be finite and above 0"),
    (lambda: Receptor("r", "t", nM(5), -1.0), "Receptor: `hill`"),
    (lambda: Receptor("r", "t", nM(5), NAN), "Receptor: `hill` must be a finite number"),
    (lambda: Receptor("r", "t", nM(5), "2"), "Receptor: `hill` must be a finite number"),
    (lambda: Receptor("r", "t", nM(5), ms(2)), "number without a unit, found 2 ms"),
    (lambda: Receptor("r", "t", nM(0)), "Receptor: `ec50` must be finite and above 0, found 0 nM"),
    (lambda: Receptor("r", "t", nM(-2)), "Receptor: `ec50`"),
    (lambda: Effect("r", "c", "g_L", NAN), "Effect: `at_saturation` must be a finite number"),
    (lambda: Effect("r", "c", "g_L", -0.5), "Effect: `at_saturation` must be finite and at least"),
    (lambda: Effect("r", "c", "g_L", "2"), "Effect: `at_saturation`"),
    (lambda: Effect("r", "c", "g_L", True), "Effect: `at_saturation`"),
    (lambda: FixedTotal(2.5), "FixedTotal: `n` must be a whole number of at least 0, found 2.5"),
    (lambda: FixedTotal(-1), "FixedTotal: `n`"),
    (lambda: FixedTotal(True), "FixedTotal: `n`"),
    (lambda: FixedInDegree(1.5), "FixedInDegree: `n`"),
    (lambda: FixedInDegree(-1), "FixedInDegree: `n`"),
    (lambda: FixedInDegree(1, multapses="no"), "FixedInDegree: `multapses` must be True or False"),
    (lambda: NearestCF(1.0), "NearestCF: `fan_in`"),
    (lambda: AllToAll("no"), "AllToAll: `autapses` must be True or False, found 'no'"),
    (lambda: Pairwise("5 %"), "Pairwise: `probability` must be a finite number"),
    (lambda: Pairwise(NAN), "Pairwise: `probability` must be a finite number"),
    (lambda: Pairwise(1.5), "Pairwise: `probability` must lie in 0..1, found 1.5"),
    (lambda: Pairwise(-0.1), "Pairwise: `probability` must lie in 0..1"),
    (lambda: Uniform(mV(2), mV(1)), "Uniform: `low` must be at most `high`, found 2 mV and 1 mV"),
    (lambda: Uniform(mV(0), INF), "Uniform: `high` must be finite"),
    (lambda: Normal(mV(1), mV(-1)), "Normal: `sd` must be finite and at least 0, found -1 mV"),
    (lambda: Normal(mV(1), mV(INF)), "Normal: `sd`"),
    (lambda: Normal(mV(INF), mV(1)), "Normal: `mean` must be finite"),
    (lambda: Normal(mV(1), mV(1), low=2, high=1), "Normal: `low` must be at most `high`"),
    (lambda: Normal(mV(1), mV(1), low=Quantity(NAN, mV.dimension)), "Normal: `low` must be at"),
    (lambda: Record("c", "v", cells=(0.5,)), "Record: `cells`: a cell's number must be a whole"),
    (lambda: Record("c", "v", cells=(-1,)), "Record: `cells`"),
    (lambda: Record("c", "v", cells=(True,)), "Record: `cells`"),
    (lambda: Record("c", "v", cells=np.array([True, False])), "Record: `cells`"),
    (lambda: Record("c", "v", cells=np.array([-1])), "Record: `cells`"),
    (lambda: Record("c", "v", cells=2), "Record: `cells` must be a list of whole numbers, found 2"),
    (lambda: Record("c", "v", cells="12"), "Record: `cells` must be a list of whole numbers"),
    (lambda: run(seed=1.5), "seed must be a whole number in 0..9223372036854775807, found 1.5"),
    (lambda: run(seed="a"), "seed must be a whole number"),
    (lambda: run(seed=ms(3)), "`seed`: expected a number without a unit"),
    (lambda: run(seed=NAN), "seed must be a whole number"),
    (lambda: run(seed=-1), "seed must be a whole number"),
    (lambda: run(seed=2**63), "seed must be a whole number"),
    (lambda: run(seed=10**5000), "seed must be .*, found a whole number of thousands of digits"),
    (lambda: run(threads=1.5), "threads must be a whole number in 1..1024, found 1.5"),
    (lambda: run(threads=0), "threads must be a whole number in 1..1024"),
    (lambda: run(threads=100000), "threads must be a whole number in 1..1024"),
    (lambda: Population("c", LIF, 2.0), "Population: `n` must be a whole number of at least 1"),
    (lambda: Population("c", LIF, True), "Population: `n`"),
    (lambda: Population("c", LIF, "2"), "Population: `n`"),
    (lambda: Population("c", LIF, 0), "Population: `n`"),
    (lambda: prepare(Network("n", (Population("c", LIF, 10**12),))), "`c` needs about .* of mem"),
    (
        lambda: Background("b", "c", EXPONENTIAL_CURRENT, Hz(1), pA(1), 1.5),
        "Background: `n` must be a whole number of at least 1, found 1.5",
    ),
    (lambda: Population("c", LIF, 3, coordinates={"x_m": [1.0]}), "`x_m` needs 3 numbers"),
    (lambda: Population("c", LIF, 3, coordinates={"x_m": 1.0}), "`x_m` needs 3 numbers"),
    (lambda: Population("c", LIF, 3, coordinates={"x": [1, 2, NAN]}), "`coordinates`: `x` must be"),
    (lambda: Population("c", LIF, 3, coordinates={"x": "abc"}), "Population: `coordinates`: `x`"),
    (lambda: Population("c", LIF, 3, coordinates={"x_m": [ms(1)] * 3}), "`x_m`: expected a length"),
    (
        lambda: Population("c", LIF, 3, coordinates={"x_m": MASKED}),
        "`x_m`: expected values without",
    ),
    (lambda: Population("c", LIF, 3, coordinates={"x": MASKED}), "1 masked of 3"),
    (lambda: Source("s", spikes([], []), {"cf_hz": [1, 2]}), "Source: `coordinates`: `cf_hz`"),
    (lambda: near("abc"), "`cf_hz` of nerve: expected a frequency"),
    (lambda: near([1.0, 0.0, 3.0]), "3 frequencies above 0 as `cf_hz` of nerve"),
    (lambda: near([1.0, 2.0]), "3 frequencies above 0"),
    (lambda: driven(np.zeros(0)), r"needs values of \(n_frames,\) or .* found \(0,\)"),
    (lambda: driven(np.zeros((2, 0))), r"needs values of .* found \(2, 0\)"),
    (lambda: driven([]), r"needs values of .* found \(0,\)"),
    (lambda: driven(np.zeros((1, 1, 3))), r"found \(1, 1, 3\)"),
    (lambda: driven(1.0), r"needs values of .* found \(\)"),
    (lambda: driven(np.array([1.0, NAN])), "must be finite, found NaN"),
    (lambda: driven(MASKED), "1 masked of 3"),
    (lambda: read(MASKED * mV), "1 masked of 3"),
    (lambda: mV(MASKED), "1 masked of 3"),
    (lambda: read(MASKED * pint.UnitRegistry().mV), "1 masked of 3"),
    (lambda: Population("c", LIF, 3, {"g_L": MASKED}), "`g_L`: expected values without a mask"),
    (lambda: Population("c", LIF, 3, {"g_L": [1.0, np.ma.masked, 2.0]}), "1 masked of 1"),
    (
        lambda: Projection("p", "a", "b", EXPONENTIAL_CURRENT, OneToOne(), MASKED, ms(1)),
        "`weight`: expected values without a mask",
    ),
    (
        lambda: Projection("p", "a", "b", EXPONENTIAL_CURRENT, OneToOne(), pA(1), MASKED),
        "`delay`: expected values without a mask",
    ),
    (lambda: Signal(MASKED, 1.0), "expected values without a mask"),
    (lambda: spikes(MASKED, [0, 1, 2]), "`times_ms`: expected values without a mask"),
    (lambda: spikes([1, 2, 3], np.ma.masked_array([0, 1, 2], [0, 0, 1])), "1 masked of 3"),
    (lambda: spikes([1], [0], "2"), "n_units must be a whole number"),
    (
        lambda: Listed(np.ma.masked_array([0, 1], [0, 1]), [0, 1]).edges(SITE, SITE, True, None),
        "1 masked of 2",
    ),
]  # each: what is made, and a part of the refusal


@pytest.mark.parametrize(("make", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_out_of_range_is_refused_in_one_line(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(EmberError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


ACCEPTED: list[tuple[Callable[[], Any], Any]] = [
    (lambda: schedule((ms(0), nM(0)), ("1 ms", "2 nM")).baseline_at([0.5, 9.0]), [1.0, 2.0]),
    (lambda: Transmitter("t", delay=ms(0), baseline="0 nM").baseline_at(1.0), 0.0),
    (lambda: Receptor("r", "t", nM(2), np.int64(2)).occupancy([0.0, 2.0]), [0.0, 0.5]),
    (lambda: Effect("r", "c", "g_L", 0).at_saturation, 0.0),
    (lambda: Pairwise(np.float32(0.5)).probability, 0.5),
    (lambda: [Pairwise(0).probability, Pairwise(1, autapses=np.True_).probability], [0, 1]),
    (
        lambda: [FixedTotal(np.int64(3)).n, FixedInDegree(0).n, NearestCF(np.uint8(2)).fan_in],
        [3, 0, 2],
    ),
    (lambda: Uniform(mV(1), mV(1)).bounds, [1, 1]),
    (lambda: Normal(mV(1), mV(0), low=1, high=1).bounds, [1, 1]),
    (lambda: Record("c", "v", cells=np.array([2, 0])).cells, [2, 0]),
    (lambda: Record("c", "v", cells=[np.int64(2)]).cells, [2]),
    (lambda: prepare(Network("n", (CELLS,)), seed=np.int64(2**62)).seed, 2**62),
    (lambda: Population("c", LIF, np.int64(2)).n, 2),
    (lambda: Population("c", LIF, 2, coordinates={"x_m": [1, 2]}).coordinates["x_m"], [1, 2]),
    (
        lambda: Population("c", LIF, 2, coordinates={"cf_hz": ["1 kHz", Hz(5)]}).coordinates[
            "cf_hz"
        ],
        [1000, 5],
    ),
    (
        lambda: Source("s", spikes([], []), {"cf_hz": np.ones(3) * brian2().kHz}).coordinates[
            "cf_hz"
        ],
        [1000, 1000, 1000],
    ),
    (
        lambda: Population("c", LIF, 1, coordinates={"y_m": Quantity([3.0], LENGTH)}).coordinates[
            "y_m"
        ],
        [3],
    ),
    (lambda: near(np.array([100, 200, 400]) * brian2().Hz).source, [0, 1, 2]),
    (lambda: Signal(UNMASKED, 1.0).values, [1, 2, 3]),
    (lambda: spikes(UNMASKED, [0, 1, 2]).times_ms, [1, 2, 3]),
    (lambda: read(UNMASKED * mV).number, [1, 2, 3]),
    (lambda: mV(UNMASKED).number, [1, 2, 3]),
]


@pytest.mark.parametrize(("make", "value"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_what_lies_on_the_edge_of_a_range_is_taken(make: Callable[[], Any], value: Any) -> None:
    assert np.array_equal(make(), value)
