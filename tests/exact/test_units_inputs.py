"""What people wrote at the boundary: each is right, or refused in one line that names it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import neo
import numpy as np
import pint
import pytest
import quantities as pq
import xarray

from circuits.cortex import vogels_abbott
from circuits.hippocampus import time_cells
from encoders.heat import heat_fibres
from neuro import (
    Background,
    Drive,
    Network,
    NeuronModel,
    Normal,
    Population,
    Projection,
    Record,
    Signal,
    Source,
    Spikes,
    SynapseModel,
    Uniform,
    prepare,
    simulate,
)
from neuro.brian2_import import brian2 as load_brian2
from neuro.errors import EmberError, SignalError, UnitError
from neuro.measures import psth, vector_strength
from neuro.models.lif import LIF
from neuro.models.poisson import POISSON
from neuro.modulation import Receptor, Transmitter
from neuro.synapses.exponential import EXPONENTIAL_CURRENT
from neuro.units import (
    CONCENTRATION,
    LENGTH,
    TEMPERATURE,
    TIME,
    Hz,
    Quantity,
    celsius,
    ms,
    mV,
    nM,
    nS,
    pA,
    parse_quantity,
    pF,
    read,
)
from neuro.wiring import Listed, OneToOne

brian2 = load_brian2()

UREG = pint.UnitRegistry()
LOCKED = Spikes(
    np.arange(500) * 2 + 1 + np.random.default_rng(3).normal(0, 0.05, 500), np.zeros(500, int),
    n_units=1, t_stop_ms=2000,
)  # fmt: skip


def cell(**more: Any) -> Population:
    return Population("cell", LIF, 3, **more)


def joined(**changed: Any) -> Projection:
    given = {"weight": pA(1), "delay": ms(1), **changed}
    return Projection("p", "cell", "cell", EXPONENTIAL_CURRENT, OneToOne(), **given)


def driven(**parameters: Any) -> float:
    """Rate of one cell at 600 pA."""
    network = Network("n", (Population("cell", LIF, 1, {"I_ext": pA(600), **parameters}),))
    return simulate(network, duration_ms=1000, backend="brian").spikes["cell"].rate_hz


# 11: `vector_strength(s, Hz(500))` was taken as .5 and gave 3e-6.


@pytest.mark.parametrize(
    "frequency",
    [500, Hz(500), "500 Hz", "0.5 kHz", "0.5/ms", 500 * brian2.Hz, 0.5 * brian2.kHz, 500 * UREG.Hz,
     500 * pq.Hz, 1 / (2 * brian2.ms), 1 / ms(2), np.float32(500), np.array(500.0)],
)  # fmt: skip
def test_11_vector_strength_takes_a_frequency_however_it_is_written(frequency: Any) -> None:
    phases = np.exp(2j * math.pi * LOCKED.times_ms / 2.0)
    assert vector_strength(LOCKED, frequency) == pytest.approx(abs(phases.mean()), abs=1e-12)
    assert 0.98 < vector_strength(LOCKED, frequency) < 0.995


NETWORK = Network("n", (cell(),))
REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("a delay in mV", lambda: joined(delay=mV(2)), "`delay`: expected a time .* found `2 mV`"),
    ("a delay in nM", lambda: joined(delay=nM(5)), "`delay`: expected a time .* found `5 nM`"),
    ("delays in mV", lambda: joined(delay=[mV(2), ms(1)]), "`delay`: expected a time"),
    ("drawn delays", lambda: joined(delay=Normal(mV(2), mV(1))), "`delay`: expected a time"),
    ("a weight in mV", lambda: joined(weight=mV(2)), "`weight`: expected a current"),
    ("drawn weights", lambda: joined(weight=Uniform(nS(1), nS(2))), "`weight`: expected a current"),
    ("uptake", lambda: Transmitter("na", uptake=mV(300)), "`uptake`: expected a time"),
    ("onset", lambda: heat_fibres(duration_ms=9, seed=0, onset=mV(50)), "`onset`: expected a time"),
    ("a bare onset", lambda: heat_fibres(duration_ms=9, seed=0, onset=50), "bare number 50"),
    ("duration", lambda: simulate(NETWORK, duration_ms=mV(10)), "`duration_ms`: expected a time"),
    ("dt", lambda: simulate(NETWORK, duration_ms=10, dt_ms=mV(0.1)), "`dt_ms`: expected a time"),
    ("dt of Brian2", lambda: prepare(NETWORK, dt_ms=brian2.mV), "`dt_ms`: expected a time"),
    ("a wrong text", lambda: prepare(NETWORK, dt_ms="600 pA"), "`dt_ms`: .* found `600 pA`"),
    ("text", lambda: cell(parameters={"t_ref": "600 pA"}), "`t_ref`: expected a time"),
    ("no unit", lambda: cell(parameters={"t_ref": "2"}), "`t_ref`: expected a time"),
    ("mV for I_ext", lambda: cell(parameters={"I_ext": [mV(1)] * 3}), "`I_ext`: expected a curre"),
    ("a bare rate", lambda: Population("p", POISSON, 1, {"rate": 20}), "`rate`: .* bare number 20"),
    ("bare rates", lambda: Population("p", POISSON, 2, {"rate": np.ones(2)}), "`rate`: .* bare"),
    ("mixed", lambda: cell(parameters={"E_L": [mV(-70), pA(5), mV(-60)]}), "`E_L`: .* `5 pA`"),
    ("a start", lambda: prepare(Network("n", (cell(initial={"v": pA(5)}),))), "initial `v` must"),
    ("a port", lambda: joined(parameters={"tau": mV(5)}), "`tau`: expected a time"),
    ("a background", lambda: Background("b", "cell", EXPONENTIAL_CURRENT, ms(8), pA(1)), "`rate`"),
    ("times", lambda: Spikes([1, 2] * brian2.mV, [0, 0], n_units=1, t_stop_ms=9), "`times_ms`"),
    ("a stop", lambda: Spikes([], [], n_units=1, t_stop_ms=mV(9)), "`t_stop_ms`"),
    ("every", lambda: Record("cell", "v", every_ms=mV(1)), "`every_ms`"),
    ("ec50", lambda: Receptor("r", "na", ms(1)), "`ec50`: expected a concentration"),
    ("levels", lambda: Receptor("r", "na", nM(1)).occupancy(mV([1, 2])), "expected a concentrat"),
    ("schedule", lambda: Transmitter("na", schedule=((nM(1), ms(1)),)), "`schedule`: expected a t"),
    ("a drawn spread", lambda: Normal(mV(1), pA(1)), "Normal: `sd`: expected a voltage"),
    ("a drawn bound", lambda: Uniform(mV(1), pA(2)), "Uniform: `high`: expected a voltage"),
    ("a drive", lambda: Network("n", (wave(),), drives=(Drive("wave", "x", mV([1, 2]), 1),)),
     "input `x`: expected a current"),
    ("a drive's dt", lambda: Drive("wave", "x", np.ones(2), mV(1)), "`dt_ms`: expected a time"),
    ("a signal", lambda: Signal(np.ones(3), pA(1)), "`dt_ms`: expected a time"),
    ("a bin", lambda: psth(LOCKED, bin_ms=Hz(3)), "`bin_ms`: expected a time"),
    ("a circuit", lambda: vogels_abbott(dt_ms=mV(0.1)), "vogels_abbott: `dt_ms`: expected a time"),
    ("a candela", lambda: prepare(NETWORK, dt_ms=UREG("5 cd")), "`dt_ms`: expected units of"),
    ("a difference", lambda: parse_quantity(UREG.Quantity(5, "delta_degC")), "difference"),
    ("a date", lambda: prepare(NETWORK, dt_ms=np.datetime64("2026-01-01")), "date"),
]  # fmt: skip


def wave() -> Population:
    model = NeuronModel(
        "w", "dv/dt = (x/g - v)/tau : volt", parameters={"g": nS(1), "tau": ms(1)},
        inputs={"x": pA.dimension},
    )  # fmt: skip
    return Population("wave", model, 1)


@pytest.mark.parametrize(
    ("make", "message"), [pytest.param(f, text, id=name) for name, f, text in REFUSED]
)
def test_11_a_wrong_dimension_is_refused_where_it_comes_in(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(EmberError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_11_sums_keep_the_dimension_or_are_refused() -> None:
    """`mV(-70) + pA(5)` was -65.0, and `-70*mV` a TypeError."""
    with pytest.raises(UnitError):
        mV(-70) + pA(5)
    assert -70 * mV == mV(-70)


def test_11_parameters_of_brian2_are_read_by_their_own_unit() -> None:
    """`2*brian2.ms` was .002 ms (142 Hz for 112), and `.6*brian2.nA` 0."""
    assert cell(parameters={"t_ref": 2 * brian2.ms}).parameters["t_ref"] == ms(2)
    assert cell(parameters={"I_ext": 0.6 * brian2.nA}).parameters["I_ext"] == pA(600)
    with_text = driven(t_ref="2 ms", I_ext="0.6 nA")
    assert driven(t_ref=2 * brian2.ms, I_ext=0.6 * brian2.nA) == with_text
    p = LIF.parameters
    rise = pA(600) / p["g_L"]
    interval = ms(2) - p["C"] / p["g_L"] * math.log(1 - (p["V_th"] - p["V_r"]) / rise)
    assert with_text == pytest.approx(float(1000 / (interval / ms)), abs=2)


def test_11_a_rate_of_brian2_is_in_hertz() -> None:
    """`20*brian2.Hz` was 405 Hz."""
    for rate in (20 * brian2.Hz, 20 * UREG.Hz, "20 Hz", Hz(20), [20 * brian2.Hz] * 500):
        population = Population("p", POISSON, 500, {"rate": rate})
        assert np.all(population.parameters["rate"] == Hz(20))
    found = simulate(Network("n", (population,)), duration_ms=2000, backend="brian")
    assert found.spikes["p"].rate_hz == pytest.approx(20, abs=5 * math.sqrt(20 / 500 / 2))


@pytest.mark.parametrize(
    "times",
    [[0.01, 0.02] * brian2.second, [10, 20], [0.01 * brian2.second, "20 ms"], [ms(10), ms(20)],
     np.array([ms(10), ms(20)]), [10, 20] * ms, UREG.Quantity([10, 20], "ms"), [0.01, 0.02] * pq.s,
     neo.SpikeTrain([0.01, 0.02] * pq.s, t_stop=1 * pq.s), ("10 ms", "0.02 s"),
     np.array([10, 20], "timedelta64[ms]"), np.array(["10 ms", "20 ms"]),
     [datetime.timedelta(milliseconds=10), datetime.timedelta(seconds=0.02)],
     xarray.DataArray([0.01, 0.02], attrs={"units": "s"})],
    ids=lambda times: type(times).__name__,
)  # fmt: skip
def test_11_spike_times_of_every_package_are_milliseconds(times: Any) -> None:
    """`Spikes([.01, .02]*brian2.second)` was .01 ms."""
    spikes = Spikes(times, [0, 0], n_units=1, t_stop_ms=0.1 * brian2.second)
    assert spikes.times_ms.tolist() == [10.0, 20.0]
    assert spikes.t_stop_ms == 100.0


def test_a_run_is_the_same_whatever_its_times_are_written_in() -> None:
    def run(**times: Any) -> Spikes:
        source = Source("s", Spikes([1, 2, 3], [0, 1, 2], n_units=3, t_stop_ms=20))
        edges = Projection("p", "s", "cell", EXPONENTIAL_CURRENT, OneToOne(), "20 nA", "1.5 ms")
        network = Network("n", (cell(),), (source,), (edges,))
        return simulate(network, backend="brian", **times).spikes["cell"]

    plain = run(duration_ms=20, dt_ms=0.1)
    assert len(plain) > 0
    assert run(duration_ms=ms(20), dt_ms="0.1 ms") == plain
    assert run(duration_ms=0.02 * brian2.second, dt_ms=0.1 * brian2.ms) == plain
    assert run(duration_ms=UREG("20 ms"), dt_ms=100 * UREG.us) == plain


def test_values_of_cells_and_edges_are_arrays_of_quantities() -> None:
    population = cell(parameters={"C": [200, 250, 300] * pF, "E_L": [mV(-70), "-65 mV", "-0.06 V"]})
    network = Network(
        "n", (population,),
        projections=(Projection("p", "cell", "cell", EXPONENTIAL_CURRENT, Listed([0, 1], [1, 2]),
                                [5, 6] * pA, [1, 2] * ms),),
    )  # fmt: skip
    built = prepare(network, backend="brian")
    assert built.populations[0].parameters["C"].tolist() == [200, 250, 300]  # type: ignore[union-attr]
    assert built.populations[0].parameters["E_L"].tolist() == [-70, -65, -60]  # type: ignore[union-attr]
    assert built.projections[0].weight.tolist() == [5, 6]
    assert built.projections[0].delay_steps.tolist() == [10, 20]


def test_models_take_quantities_of_other_packages() -> None:
    model = NeuronModel(
        "m", "dv/dt = (E - v)/tau : volt", parameters={"E": -70 * brian2.mV, "tau": "20 ms"},
        initial={"v": "E"},
    )  # fmt: skip
    assert model.parameters == {"E": mV(-70), "tau": ms(20)}
    assert model.initial == {"v": "E"}
    synapse = SynapseModel("s", "", "", "v += w", weight=1 * brian2.mV, parameters={"k": 2})
    assert synapse.weight == mV(1)
    assert synapse.parameters == {"k": Quantity(2)}


def test_a_drive_is_in_the_units_of_its_input() -> None:
    drive = Drive("wave", "x", [1, 2] * brian2.nA, 1)
    network = Network("n", (wave(),), drives=(drive,))
    assert network.drives[0].values.tolist() == [1000, 2000]
    bare = Drive("wave", "x", np.array([1000.0, 2000.0]), ms(1))
    assert Network("n", (wave(),), drives=(bare,)).drives[0].values.tolist() == [1000, 2000]


def test_a_schedule_and_a_hill_curve_take_quantities() -> None:
    transmitter = Transmitter("na", schedule=(("0 s", nM(0)), (1 * brian2.second, "1 uM")))
    assert transmitter.schedule == ((ms(0), nM(0)), (ms(1000), nM(1000)))
    assert transmitter.baseline_at([0.5] * brian2.second).tolist() == [500]
    receptor = Receptor("r", "na", ec50=0.1 * brian2.umolar)
    assert receptor.occupancy(nM([100, 0])).tolist() == [0.5, 0]
    assert receptor.occupancy([100, 0]).tolist() == [0.5, 0]


def test_circuits_are_gated_too() -> None:
    x = Signal(np.zeros(100), "10 ms")
    with pytest.raises(UnitError, match="time_cells: `peak_rate`: expected a frequency"):
        time_cells(x, x, peak_rate=ms(20))
    time_cells(x, x, peak_rate="20 Hz", earliest=0.3 * brian2.second)


@dataclass
class Named:
    """A quantity of a package nobody knows: a number beside the name of its unit."""

    value: Any
    unit: str


class Decomposed:
    """The part of an astropy unit that is read."""

    def __init__(self, scale: float, bases: list[str], powers: list[float]) -> None:
        self.scale, self.bases, self.powers = scale, bases, powers

    def decompose(self) -> Decomposed:
        return self


@dataclass
class Astropy:
    """Like `astropy.units.Quantity`: `value` in `unit`, which decomposes into SI bases."""

    value: Any
    _unit: Decomposed

    @property
    def unit(self) -> Decomposed:
        return self._unit


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        (Named(2, "ms"), ms(2)),
        (Named(np.array([1, 2]), "V"), [1000, 2000] * mV),
        (Named(36.5, "degC"), celsius(36.5)),
        (Named(5, "mV/ms"), mV(5) / ms(1)),
        (Astropy(2, Decomposed(1e-3, ["s"], [1])), ms(2)),
        (Astropy([1.0, 2.0], Decomposed(1e-3, ["kg", "m", "s", "A"], [1, 2, -3, -1])), [1, 2] * mV),
        (Astropy(300.15, Decomposed(1, ["K"], [1])), celsius(27)),
        (310.15 * brian2.kelvin, celsius(37)),
        (UREG.Quantity(37, "degC"), celsius(37)),
        (UREG.Quantity(98.6, "degF"), celsius(37)),
        (37 * pq.degC, celsius(37)),
        (2 * brian2.mmolar, nM(2e6)),
        (3 * brian2.cm, parse_quantity("3 cm", LENGTH)),
        (0.7 * brian2.ms, ms(0.7)),
        (UREG.Quantity([1, 2], "mV"), [1, 2] * mV),
        (datetime.timedelta(seconds=2), ms(2000)),
        (np.timedelta64(3, "us"), ms(0.003)),
        (UREG.Quantity(90, "degree"), Quantity(math.pi / 2)),
    ],
)  # fmt: skip
def test_quantities_of_other_packages_convert_by_their_own_units(
    foreign: Any, expected: Quantity
) -> None:
    found = read(foreign)
    assert found.dimension == expected.dimension
    assert np.allclose(found.number, expected.number, rtol=1e-14)


def test_dimensions_that_the_packages_spell_differently_are_one() -> None:
    assert read(1 * brian2.molar, CONCENTRATION) == read(1 * UREG.molar, CONCENTRATION)
    assert read("300.15 K", TEMPERATURE) == read(300.15 * brian2.kelvin, TEMPERATURE)
    assert read(1 * brian2.second, TIME) == read(1 * pq.s, TIME) == read("1 s", TIME)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0] * brian2.nA,
        [1 * brian2.nA, 2 * brian2.nA],
        mV([1, 2]),
        (mV(1), mV(2)),
        [1 + 2j, 1],
        ["1 nA", "2 nA"],
        np.array([1 + 0j, 2]),
    ],
)
def test_a_signal_takes_no_values_whose_unit_would_be_lost(values: object) -> None:
    with pytest.raises(SignalError, match=r"plain real numbers, in the unit .*`pA`"):
        Signal(values, 1.0, "pA")  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [[1, 2], (1.0, True), np.arange(3), np.float32([1, 2])])
def test_a_signal_takes_plain_numbers(values: object) -> None:
    assert Signal(values, 1.0, "pA").values.dtype == np.float64  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [Decimal(10), Fraction(10), np.float32(10), 10])
def test_any_real_number_is_one_where_the_name_has_the_unit(number: Any) -> None:
    cells = Network(populations=(Population("c", LIF, 1),))
    assert simulate(cells, duration_ms=number, every_ms=number).duration_ms == 10.0
    assert Record("c", "v", number).every_ms == 10.0
    assert Drive("c", "I", np.ones(3), dt_ms=number).dt_ms == 10.0
    spikes = Spikes([5.0, 15.0, 16.0], [0, 0, 0], n_units=1, t_stop_ms=2 * number)
    assert psth(spikes, bin_ms=number).rate_hz.tolist() == [100.0, 200.0]


@pytest.mark.parametrize(
    "bad",
    [
        [10.0],
        (10.0,),
        [ms(10)],
        np.array([10.0]),
        10**400,
        -(10**400),
        Decimal("1e400"),
        Decimal("1e-400"),
        Fraction(1, 10**400),
        Decimal("sNaN"),
        Decimal("NaN"),
    ],
)
def test_several_numbers_or_none_that_a_double_holds_are_refused_for_one(bad: Any) -> None:
    cells = Network(populations=(Population("c", LIF, 1),))
    spikes = Spikes([5.0], [0], n_units=1, t_stop_ms=20)
    for use in (
        lambda: simulate(cells, duration_ms=bad),
        lambda: simulate(cells, duration_ms=10, every_ms=bad),
        lambda: Record("c", "v", bad),
        lambda: Drive("c", "I", np.ones(3), dt_ms=bad),
        lambda: Spikes([5.0], [0], n_units=1, t_stop_ms=bad),
        lambda: spikes.between(bad, 20),
        lambda: vector_strength(spikes, bad),
    ):
        with pytest.raises(UnitError) as refused:
            use()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["1e-400 ms", "-1e-400 ms", "1e400 ms", "1e-400 dB", "5e-324 ns"])
def test_text_out_of_the_range_of_a_double_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match=f"found `{text}`"):
        parse_quantity(text)
    assert float(parse_quantity("0e-400 ms")) == 0.0
