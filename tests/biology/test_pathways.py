"""What the cells and projections of the circuits are, measured by a current step and by one spike.

Numbers are typed here from the papers, or are what a circuit's own text promises; none is read from
the code. Kernels run as plain Python, since runs of a few milliseconds do not pay a compilation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from circuits import Circuit, Port
from circuits.auditory import spherical_bushy
from circuits.cortex import brunel, microcircuit, vogels_abbott
from circuits.limbic import amygdala, locus_coeruleus
from circuits.nociception import dorsal_horn
from neuro import Network, Population, Record, Recording, Source, Spikes, simulate
from neuro.network import Normal, Projection
from neuro.units import ms, mV, pA, pF
from neuro.wiring import Pairwise
from tests.backends._plain import plain_kernels

Array = NDArray[np.float64]
DT_MS, SPIKE_MS = 0.1, 1.0
HELD = {"C": pF(1e12), "V_th": mV(1e6), "V_cut": mV(1e6)}  # nothing moves or fires such a cell


def plainly(
    network: Network, duration_ms: float, *record: Record, dt_ms: float = DT_MS
) -> Recording:
    with plain_kernels():
        return simulate(
            network,
            duration_ms=duration_ms,
            dt_ms=dt_ms,
            record=record,
            options={"precision": "float64"},
        )


# ---------------------------------------------------------------- cells


def membrane(cell: Population, *, lasts_ms: float) -> tuple[float, float, float]:
    """Rest (mV), input resistance (GOhm) and time constant (ms) under a step of -1 pA.

    The time constant is that of the first step towards where the step ends.
    """
    given = {k: v for k, v in cell.parameters.items() if k != "I_ext"}
    if "V_th" in given:
        given["V_th"] = mV(1e6)
    alone = Population("cell", cell.model, 1, {**given, "I_ext": pA(-1)})
    run = plainly(Network("one", (alone,)), lasts_ms, Record("cell", "v", DT_MS))
    rest, first, *_, last = run.traces["cell.v"].data[:, 0]
    return rest, rest - last, -DT_MS / np.log1p(-(first - rest) / (last - rest))


def cell_of(circuit: Circuit, name: str) -> Population:
    return next(p for p in circuit.populations if p.name == name)


NERVE = Port("nerve", 300, {"cf_hz": np.geomspace(300, 3000, 300)})
PAIN = (Port("a_delta", 400), Port("c", 400))
HEARD = (Port("sound", 400), Port("pain", 400))


def test_membranes_are_those_of_the_papers() -> None:
    """Rest, resistance and time constant, each with the range or the figure of its source."""
    cells = {
        # Prescott & De Koninck 2002: 0.5-1 GOhm, 20-40 ms.
        "dorsal_horn_projection": (dorsal_horn(*PAIN), -65, (0.49, 1.01), (20, 40)),
        "dorsal_horn_inhibitory": (dorsal_horn(*PAIN), -65, (0.49, 1.01), (20, 40)),
        # Vlachos et al. 2011: 16.7 nS, 15 ms.
        "amygdala_excitatory": (amygdala(*HEARD), -70, (0.0595, 0.0603), (14.8, 15.2)),
        "central_amygdala": (amygdala(*HEARD), -70, (0.0595, 0.0603), (14.8, 15.2)),
        # Rest of a type II cell (Rothman & Manis 2003); 0.5 ms is the primary-like point model.
        "bushy": (spherical_bushy(NERVE, n_cells=4), -63.6, (0.0416, 0.0418), (0.45, 0.55)),
        # Williams et al. 1984: 100-300 MOhm, about 30 ms.
        "locus_coeruleus": (locus_coeruleus(Port("alarm", 9)), -60, (0.1, 0.3), (20, 40)),
        # Potjans & Diesmann 2014: 250 pF, 10 ms.
        "L5E": (microcircuit(scale=0.01), -65, (0.0399, 0.0401), (9.9, 10.1)),
        # Brette et al. 2007: 200 pF, 20 ms; with rest at -49 mV for CUBA.
        "excitatory": (vogels_abbott(n_cells=50), -49, (0.0995, 0.1005), (19.8, 20.2)),
        "inhibitory": (
            vogels_abbott(variant="coba", n_cells=50),
            -60,
            (0.0995, 0.1005),
            (19.8, 20.2),
        ),
    }
    for name, (circuit, rest, resistance, tau) in cells.items():
        lasts_ms = 1500.0 if name == "locus_coeruleus" else 12 * tau[1]
        found = membrane(cell_of(circuit, name), lasts_ms=round(lasts_ms, 1))
        assert found[0] == pytest.approx(rest, abs=1e-6), name
        assert resistance[0] < found[1] < resistance[1], (name, found)
        assert tau[0] < found[2] < tau[1], (name, found)


# ---------------------------------------------------------------- projections


@dataclass(frozen=True)
class Arrival:
    """What one spike of every source cell does to cells that are held at -60 mV.

    Attributes:
        delay_ms: From the spike to the step of arrival.
        tau_ms: Of the decay.
        reversal_mV: Where the current would be 0; NaN for a current.
        added: `(n_cells,)` conductance in nS, or current in pA.
    """

    delay_ms: float
    tau_ms: float
    reversal_mV: float
    added: Array

    @property
    def charge(self) -> float:
        """Mean of what is added to a cell, times its time constant."""
        return float(self.added.mean() * self.tau_ms)


def arrival(
    circuit: Circuit, pre: Port | Population, post: str, name: str = "", *, lasts_ms: float = 12.0
) -> Arrival:
    """Measure a projection, `pre_to_post` unless named, with as many edges as it has."""
    name = name or f"{pre.name}_to_{post}"
    projection = next(p for p in circuit.projections if p.name == name)
    target = cell_of(circuit, post)
    given = {k: v for k, v in HELD.items() if k in target.model.parameters}
    cells = replace(target, parameters={**target.parameters, **given}, initial={"v": mV(-60)})
    opens = "E_rev" in projection.synapse.parameters
    variable = f"{name}.{'g' if opens else 'I_syn'}"
    records = [Record(post, which, DT_MS) for which in (variable, f"{name}.I_syn", "v")]
    run = plainly(volley(cells, pre, projection), lasts_ms, *dict.fromkeys(records))
    trace = run.traces[f"{post}.{variable}"]
    course, first = trace.data, int(np.argmax(np.abs(trace.data).max(axis=1) > 0))
    assert first > 0, f"{name}: nothing arrives"
    later = first + 5
    reversal = np.nan
    if opens:
        cell = int(course[first].argmax())
        current = run.traces[f"{post}.{name}.I_syn"].data[first, cell]
        reversal = current / course[first, cell] + run.traces[f"{post}.v"].data[first, cell]
    return Arrival(
        delay_ms=trace.times_ms[first] - SPIKE_MS - DT_MS,
        tau_ms=(first - later) * DT_MS / np.log(course[later].mean() / course[first].mean()),
        reversal_mV=float(reversal),
        added=course[first],
    )


def volley(cells: Population, pre: Port | Population, *projections: Projection) -> Network:
    """Projections onto some cells, with a source of one spike a unit in the place of `pre`."""
    spikes = Spikes(np.full(pre.n, SPIKE_MS), np.arange(pre.n), n_units=pre.n, t_stop_ms=100)
    source = Source("before", spikes, pre.coordinates)
    return Network(
        "volley", (cells,), (source,), tuple(replace(p, source="before") for p in projections)
    )


def is_like(
    found: Arrival, *, delay_ms: float, tau_ms: float, reversal_mV: float | None = None
) -> None:
    assert found.delay_ms == pytest.approx(delay_ms, abs=1e-6), found
    assert found.tau_ms == pytest.approx(tau_ms, rel=0.006), found  # half a step, under Euler
    if reversal_mV is not None:
        assert found.reversal_mV == pytest.approx(reversal_mV, abs=1e-3), found


def quantum(found: Arrival) -> float:
    """What one synapse adds, where all are alike: the least difference between cells."""
    sums = np.unique(np.concatenate([[0.0], np.abs(found.added).round(9)]))
    return float(np.diff(sums).min())


def share(found: Arrival, n_pre: int) -> float:
    """Fraction of pairs that are joined, of cells whose synapses are all alike."""
    return float(np.abs(found.added).mean() / quantum(found) / n_pre)


def test_the_dorsal_horn_is_wired_with_the_numbers_of_medlock() -> None:
    """Medlock et al. 2022: 5 ms from Adelta and 10 ms from C fibres, a fifth of all pairs; AMPA
    decays with 5 ms, NK1 with 1-3 s, GABA with 20 ms towards -70 mV."""
    circuit = dorsal_horn(*PAIN, n_projection=40, n_inhibitory=40)
    a_delta, c = PAIN
    for post in ("dorsal_horn_projection", "dorsal_horn_inhibitory"):
        for pre, delay_ms in ((a_delta, 5.0), (c, 10.0)):
            found = arrival(circuit, pre, post)
            is_like(found, delay_ms=delay_ms, tau_ms=5.0, reversal_mV=0.0)
            assert 0.15 < share(found, pre.n) < 0.25
    slow = arrival(circuit, c, "dorsal_horn_projection", "c_nk1_to_dorsal_horn_projection")
    assert slow.delay_ms == pytest.approx(10) and 999 < slow.tau_ms < 3000
    assert 0.15 < share(slow, c.n) < 0.25
    inhibitory = cell_of(circuit, "dorsal_horn_inhibitory")
    local = arrival(circuit, inhibitory, "dorsal_horn_projection")
    is_like(local, delay_ms=1.0, tau_ms=20.0, reversal_mV=-70.0)
    assert 0.1 < share(local, 40) < 0.3


def test_the_amygdala_keeps_the_charges_of_vlachos() -> None:
    """K w e 0.326 ms a cell there, for 3400 and 600 cells, p and w of the paper; 2 ms of delay.

    Charges here are samples: a few percent of some thousand edges, 10 % among inhibitory cells.
    """
    circuit = amygdala(*HEARD)
    there = {  # source cells, probability, nS; reversal in mV
        ("excitatory", "excitatory"): (3400, 0.01, 1.25, 0.0),
        ("excitatory", "inhibitory"): (3400, 0.15, 1.25, 0.0),
        ("inhibitory", "excitatory"): (600, 0.15, 2.5, -80.0),
        ("inhibitory", "inhibitory"): (600, 0.10, 2.5, -80.0),
    }
    for (pre, post), (n, probability, weight, reversal_mV) in there.items():
        found = arrival(
            circuit, cell_of(circuit, f"amygdala_{pre}"), f"amygdala_{post}", lasts_ms=4
        )
        assert found.delay_ms == pytest.approx(2)
        assert found.reversal_mV == pytest.approx(reversal_mV, abs=1e-3)
        charge = n * probability * weight * np.e * 0.326
        assert found.charge == pytest.approx(charge, rel=0.25), (pre, post)
    # Feed-forward inhibition: sound reaches inhibitory cells as early, and more strongly.
    sound, pain = HEARD
    ahead, direct = (arrival(circuit, sound, f"amygdala_{k}") for k in ("inhibitory", "excitatory"))
    assert ahead.delay_ms == direct.delay_ms and ahead.charge > 3 * direct.charge
    assert (direct.added > 0).all() and np.ptp(direct.added) < 1e-9  # a fixed number each
    felt = arrival(circuit, pain, "central_amygdala", lasts_ms=25)
    is_like(felt, delay_ms=20.0, tau_ms=direct.tau_ms, reversal_mV=0.0)


def test_endbulbs_are_fast_few_and_large() -> None:
    """AMPA of 0.2-0.4 ms towards 0 mV (Gardner et al. 1999); 1-4 endbulbs (Ryugo & Sento 1991),
    of which one lifts the cell some 60 % of the way to threshold."""
    circuit = spherical_bushy(NERVE, n_cells=60)
    found = arrival(circuit, NERVE, "bushy")
    assert found.delay_ms == pytest.approx(0.5)
    assert 0.2 < found.tau_ms < 0.4
    assert found.reversal_mV == pytest.approx(0, abs=1e-3)
    assert 0.05 < found.added.std() / found.added.mean() < 0.15  # of three, each of 15 %
    single = spherical_bushy(NERVE, n_cells=40, endbulbs=1)
    alone = arrival(single, NERVE, "bushy")
    assert found.added.mean() == pytest.approx(3 * alone.added.mean(), rel=0.1)
    assert 0.1 < alone.added.std() / alone.added.mean() < 0.2
    network = volley(cell_of(single, "bushy"), NERVE, *single.projections)
    run = plainly(network, 3, Record("bushy", "v", 0.01), dt_ms=0.01)
    course = run.traces["bushy.v"].data
    lifted = (course.max(axis=0).mean() + 63.6) / (63.6 - 50)
    assert lifted == pytest.approx(0.6, abs=0.06)


def test_alarm_excites_the_locus_coeruleus_before_it_inhibits_itself() -> None:
    alarm = Port("central_amygdala", 60)
    circuit = locus_coeruleus(alarm)
    excited = arrival(circuit, alarm, "locus_coeruleus")
    is_like(excited, delay_ms=10.0, tau_ms=20.0, reversal_mV=0.0)
    cells = cell_of(circuit, "locus_coeruleus")
    braked = arrival(circuit, cells, cells.name, lasts_ms=55)
    is_like(braked, delay_ms=50.0, tau_ms=250.0, reversal_mV=-95.0)


def test_the_benchmark_networks_have_the_numbers_of_the_review() -> None:
    """Brette et al. 2007: 2 % of pairs, 5 and 10 ms; 16.2 and -90 pA, or 6 and 67 nS towards 0
    and -80 mV; a spike takes one step."""
    tau_ms = {"excitatory": 5.0, "inhibitory": 10.0}
    added = {
        "cuba": {"excitatory": (16.2, None), "inhibitory": (-90.0, None)},
        "coba": {"excitatory": (6.0, 0.0), "inhibitory": (67.0, -80.0)},
    }
    for variant, weights in added.items():
        circuit = vogels_abbott(variant=variant, n_cells=1000)  # type: ignore[arg-type]
        for pre, (weight, reversal_mV) in weights.items():
            cells = cell_of(circuit, pre)
            found = arrival(circuit, cells, "inhibitory")
            is_like(found, delay_ms=0.1, tau_ms=tau_ms[pre], reversal_mV=reversal_mV)
            assert quantum(found) == pytest.approx(abs(weight))
            assert found.added.mean() == pytest.approx(0.08 * cells.n * weight, rel=0.1)


def test_cells_of_cuba_fire_alone_at_the_interval_of_their_numbers() -> None:
    """From -60 mV towards -49 mV, past -50 mV, with 20 ms; 5 ms refractory: 5 + 20 ln 11."""
    cells = replace(cell_of(vogels_abbott(n_cells=10), "excitatory"), n=1)
    spikes = plainly(Network("one", (cells,)), 300).spikes["excitatory"]
    assert len(spikes) >= 4
    assert np.diff(spikes.times_ms) == pytest.approx(5 + 20 * np.log(11), abs=DT_MS)


def test_brunels_network_has_the_numbers_of_network_a() -> None:
    """0.1 mV and -g times that after 1.5 ms; 1000 and 250 inputs at full scale. A tenth has a
    tenth of them, larger by the root of ten."""
    circuit = brunel(g=5.0, scale=0.1)
    for pre, inputs, jump in (("excitatory", 100, 0.1), ("inhibitory", 25, -0.5)):
        source, target = cell_of(circuit, pre), cell_of(circuit, "excitatory")
        projection = next(p for p in circuit.projections if p.name == f"{pre}_to_excitatory")
        held = {"C": HELD["C"], "V_th": HELD["V_th"], "I_ext": pA(0)}
        cells = replace(
            target, n=20, parameters={**target.parameters, **held}, initial={"v": mV(0)}
        )
        network = volley(cells, source, projection)
        trace = plainly(network, 4, Record("excitatory", "v", DT_MS)).traces["excitatory.v"]
        first = int(np.argmax(np.abs(trace.data[:, 0]) > 1e-6))
        assert trace.times_ms[first] - SPIKE_MS - DT_MS == pytest.approx(1.5)
        assert trace.data[first] == pytest.approx(inputs * jump * np.sqrt(10), rel=1e-6)
    cell = cell_of(circuit, "excitatory").parameters
    assert float(cell["C"]) / float(cell["g_L"]) == pytest.approx(20)  # type: ignore[arg-type]
    named = [float(cell[k]) for k in ("E_L", "V_th", "V_r", "t_ref")]  # type: ignore[arg-type]
    assert named == pytest.approx([0, 20, 10, 2])


def test_synapses_of_the_microcircuit_spread_as_published() -> None:
    """Potjans & Diesmann 2014: 1.5 and 0.75 ms with half of it as deviation, weights with 10 %;
    a spike makes a potential of 0.15 mV, at every synapse of a mean excitatory weight."""
    circuit = microcircuit(scale=1.0)
    for projection in circuit.projections:
        excites = projection.source.endswith("E")
        weight, delay = projection.weight, projection.delay
        assert isinstance(weight, Normal) and isinstance(delay, Normal)
        assert float(delay.mean) == pytest.approx(1.5 if excites else 0.75)
        assert delay.sd / delay.mean == pytest.approx(0.5)
        assert weight.sd / abs(weight.mean) == pytest.approx(0.1)
        assert (weight.low, weight.high) == ((0, np.inf) if excites else (-np.inf, 0))
    assert all(float(b.rate) == pytest.approx(8e-3) for b in circuit.backgrounds)
    cells = replace(cell_of(circuit, "L4E"), n=1, initial={"v": mV(-65)})
    projection = next(p for p in circuit.projections if p.name == "L4I_to_L4E")
    one = replace(projection, rule=Pairwise(1.0), weight=pA(87.81), delay=ms(1))
    network = volley(cells, Port("L4I", 1), one)
    trace = plainly(network, 25, Record("L4E", "v", DT_MS)).traces["L4E.v"]
    assert trace.data.max() + 65 == pytest.approx(0.15, abs=1e-3)
    named = [float(cells.parameters.get(k, cells.model.parameters[k])) for k in ("V_r", "t_ref")]
    assert named == [-65, 2]
