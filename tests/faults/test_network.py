"""Networks that cannot be run: each refused in one line, before anything compiles."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuro import (
    Background,
    Drive,
    Network,
    NeuronModel,
    Normal,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    SynapseModel,
    prepare,
    simulate,
)
from neuro.errors import (
    EmberError,
    EquationError,
    NetworkError,
    SignalError,
    SimulationError,
    UnitError,
)
from neuro.models import LIF, POISSON
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT, STDP_ADDITIVE
from neuro.units import Hz, Quantity, ms, mV, nM, nS, pA, parse_quantity
from neuro.wiring import AllToAll, OneToOne
from tests.backends._plain import plain_kernels

CELL = Population("cell", LIF, 3)
TIMES = Source("s", Spikes([1.0, 2.0], [0, 1], n_units=3, t_stop_ms=10))


def joined(**changes: object) -> Network:
    settings = {
        "name": "p", "source": "s", "target": "cell", "synapse": EXPONENTIAL_CURRENT,
        "rule": OneToOne(), "weight": pA(10), "delay": ms(1),
    } | changes  # fmt: skip
    return Network("n", (CELL,), (TIMES,), (Projection(**settings),))


def populated(**parameters: object) -> Network:
    return Network("n", (Population("cell", LIF, 3, parameters),))


@pytest.mark.parametrize(
    ("network", "error", "said"),
    [
        (lambda: joined(delay=ms(0.05)), NetworkError, "at least one step of 0.1 ms"),
        (lambda: joined(delay=Normal(ms(-1), ms(0.1), low=-2)), NetworkError, "at least one step"),
        (lambda: joined(weight=nS(1)), UnitError, "`weight`: expected a current with its unit"),
        (lambda: joined(source="z"), NetworkError, "source must be one of cell, s"),
        (lambda: joined(parameters={"tauu": ms(1)}), NetworkError, "has no parameter `tauu`"),
        (lambda: populated(g_l=nS(1)), NetworkError, "did you mean `g_L`"),
        (lambda: populated(g_L=pA(1)), UnitError, "`g_L`: expected a conductance with its unit"),
        (lambda: populated(g_L=np.ones(2)), NetworkError, r"one value or 3, found shape \(2,\)"),
        (lambda: populated(g_L=float("nan")), NetworkError, "must be finite"),
        (lambda: Network("n", (CELL, CELL)), NetworkError, "found `cell` 2 times"),
        (lambda: Network("n", (Population("c", LIF, 0),)), NetworkError, "`n` must be a whole"),
        (
            lambda: Network(
                "n", (Population("cell", POISSON, 3),), (TIMES,),
                (Projection("p", "s", "cell", EXPONENTIAL_CURRENT, OneToOne(), pA(1), ms(1)),),
            ),
            NetworkError, "has no `I` in its equations",
        ),
        (
            lambda: Network(
                "n", (Population("cell", POISSON, 3),), (TIMES,),
                (Projection("p", "s", "cell", DELTA, OneToOne(), mV(1), ms(1)),),
            ),
            EquationError, "`v` is no state variable",
        ),
        (
            lambda: Network("n", (CELL,), drives=(Drive("cell", "x", np.ones(3), 1.0),)),
            NetworkError, "input must be one of",
        ),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_is_refused(network, error: type[EmberError], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        prepare(network())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", None, 5])
@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("populations", lambda name: Population(name, LIF, 1)),
        ("sources", lambda name: Source(name, TIMES.spikes)),
        ("projections", lambda name: replace(joined().projections[0], name=name)),
        ("backgrounds", lambda name: Background(name, "cell", DELTA, Hz(1), mV(1))),
        ("transmitters", lambda name: Transmitter(name)),
        ("receptors", lambda name: Receptor(name, "x", nM(5))),
    ],
)
def test_each_part_of_a_network_has_a_name(kind: str, part: Any, name: object) -> None:
    parts = {"populations": (CELL,), "sources": (TIMES,), "transmitters": (Transmitter("x"),)}
    parts |= {kind: (*parts.get(kind, ()), part(name))}
    with pytest.raises(NetworkError, match=f"at least one character, found {name!r}$"):
        Network("n", **parts)


def test_run_settings_are_checked() -> None:
    network = populated()
    for settings, said in (
        ({"duration_ms": 10.05}, "duration must be a whole number of time steps"),
        ({"duration_ms": 10, "dt_ms": 0}, "dt must be finite and above 0"),
        ({"duration_ms": 10, "backend": "nest"}, "unknown back end `nest`"),
        ({"duration_ms": 10, "threads": 0}, "threads must be a whole number in"),
        ({"duration_ms": 10, "options": {"codegen": "numpy"}}, "has no option `codegen`"),
        ({"duration_ms": 10, "record": [Record("cell", "u")]}, "no variable `u`"),
        ({"duration_ms": 10, "record": [Record("cell", "v", 1.0, (3,))]}, r"lie in 0\.\.2"),
        ({"duration_ms": 10, "record": [Record("cel", "v")]}, "did you mean `cell`"),
    ):
        with pytest.raises(EmberError, match=said):
            simulate(network, **settings)


def test_two_spikes_of_a_unit_in_one_step_are_refused() -> None:
    source = Source("s", Spikes([1.01, 1.04], [0, 0], n_units=3, t_stop_ms=10))
    network = Network("n", (CELL,), (source,))
    with pytest.raises(SignalError, match="unit 0 twice at 1 ms"):
        prepare(network)


def test_spikes_before_the_run_do_not_silence_those_within_it(backend: str) -> None:
    spikes = Spikes([-3.0, 2.0], [0, 0], n_units=3, t_start_ms=-5, t_stop_ms=10)
    network = replace(joined(weight=pA(10)), sources=(Source("s", spikes),))
    run = simulate(
        network, duration_ms=10, backend=backend, record=[Record("cell", "p.I_syn", 0.1)]
    )
    assert run.traces["cell.p.I_syn"].data[:, 0].max() == pytest.approx(10)
    assert list(run.spikes["s"].times_ms) == [2.0]


def test_a_synapse_that_saturates_runs_on_every_back_end(backend: str) -> None:
    """What a spike adds depends on what is there; see test_engine for what is refused."""
    saturating = SynapseModel(
        "saturating", "ds/dt = -s/tau : 1\nI_syn = s*I_max : amp", "I_syn", "s += w*(1 - s)",
        weight=Quantity(0.5), parameters={"tau": ms(5), "I_max": pA(100)},
    )  # fmt: skip
    network = joined(synapse=saturating, weight=Quantity(0.5))
    run = simulate(network, duration_ms=10, backend=backend, record=[Record("cell", "p.s", 0.1)])
    assert run.traces["cell.p.s"].data.max() == pytest.approx(0.5, abs=0.02)


def test_a_run_that_diverges_names_the_cell(backend: str) -> None:
    per = parse_quantity("1 /ms/mV")
    explosive = NeuronModel(
        "explosive", "dv/dt = k*v**2 : volt", parameters={"k": per}, initial={"v": mV(1)}
    )
    network = Network("n", (Population("boom", explosive, 2, initial={"v": np.array([0.0, 1.0])}),))
    with pytest.raises(SimulationError, match="population `boom`: `v` of cell 1 became"):
        simulate(network, duration_ms=1000, backend=backend)


def test_coinciding_time_constants_are_exact_as_their_neighbours_are(exact: None) -> None:
    """The closed form is 0/0 there; what is run is its limit, 1e-6 of which is 1e-6 away."""
    tau = float(LIF.parameters["C"]) / float(LIF.parameters["g_L"])
    record = [Record("cell", "v", 0.1)]
    same, near = (
        simulate(joined(parameters={"tau": ms(t)}), duration_ms=20, record=record)
        .traces["cell.v"]
        .data
        for t in (tau, tau * (1 + 1e-6))
    )
    assert np.ptp(same) > 1e-3
    np.testing.assert_allclose(same, near, atol=1e-5 * np.ptp(same))


def test_a_damaged_cache_is_rebuilt_and_an_unwritable_one_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import neuro.equations.compiler as compiler

    network = Network("n", (Population("cell", LIF, 2, {"I_ext": pA(500)}),))
    whole = simulate(network, duration_ms=50).spikes["cell"]
    assert len(whole) > 0
    monkeypatch.setenv("EMBER_CACHE", str(tmp_path / "cache"))
    compiler._memory.clear()
    prepare(network)
    (step,) = (tmp_path / "cache").glob("step-*")
    whole_text = step.read_text("utf-8")
    step.write_text(whole_text.replace("+", "*", 1), encoding="utf-8")
    assert step.read_text("utf-8") != whole_text
    compiler._memory.clear()
    assert simulate(network, duration_ms=50).spikes["cell"] == whole
    assert step.read_text("utf-8") == whole_text
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("EMBER_CACHE", str(tmp_path / "file" / "below"))  # cannot be made
    compiler._memory.clear()
    assert simulate(network, duration_ms=50).spikes["cell"] == whole
    assert os.environ["EMBER_CACHE"]


def test_recurrent_all_to_all_leaves_itself_out() -> None:
    network = Network(
        "n", (CELL,), projections=(
            Projection("p", "cell", "cell", EXPONENTIAL_CURRENT, AllToAll(), pA(1), ms(1)),
        ),
    )  # fmt: skip
    (projection,) = prepare(network).projections
    assert not (projection.source == projection.target).any()
    assert projection.source.size == 6


@pytest.mark.parametrize("backend", ["numba", "brian", "norse", "lava"])
def test_a_run_of_no_steps_is_empty(backend: str) -> None:
    cells = replace(CELL, parameters={"t_ref": ms(0.1)})  # lava has no refractory period
    network = replace(joined(synapse=DELTA, weight=mV(1)), populations=(cells,))
    with plain_kernels():
        run = simulate(network, duration_ms=0, backend=backend, record=[Record("cell", "v")])
    assert run.duration_ms == 0
    assert {name: len(spikes) for name, spikes in run.spikes.items()} == {"s": 0, "cell": 0}
    assert run.traces["cell.v"].data.shape == (0, 3)


NOISE = Background("noise", "cell", DELTA, 10 * Hz, 1 * mV)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Network("n", CELL),
            "Network: `populations` must be a list or tuple, each a Population, found the "
            "Population `cell`",
        ),
        (
            lambda: Network("n", (TIMES,)),
            "Network: `populations` must be a list or tuple, each a Population, found the "
            "Source `s` in it",
        ),
        (
            lambda: Network("n", (CELL,), drives=(NOISE,)),
            "Network: `drives` must be a list or tuple, each a Drive, found the Background "
            "`noise` in it",
        ),
        (
            lambda: Network("n", (CELL,), backgrounds=NOISE),
            "Network: `backgrounds` must be a list or tuple, each a Background, found the "
            "Background `noise`",
        ),
        (
            lambda: Network("n", {"cell": CELL}),
            "Network: `populations` must be a list or tuple, each a Population, found {'cell'",
        ),
        (
            lambda: Network((CELL,)),
            "Network: `name` must be a text of at least one character, found (Population(",
        ),
        (
            lambda: prepare(Network("n", (CELL,)), record=Record("cell", "v")),
            "record must be a list or tuple, each a Record, found Record(population='cell'",
        ),
        (
            lambda: simulate(Network("n", (CELL,)), duration_ms=1, record=["cell.v"]),
            "record must be a list or tuple, each a Record, found 'cell.v' in it",
        ),
        (lambda: prepare(CELL), "what is simulated must be a Network, found Population("),
        (
            lambda: Population("p", "lif", 3),
            "Population: `model` must be a NeuronModel, found 'lif'",
        ),
        (
            lambda: Population("p", DELTA, 3),
            "Population: `model` must be a NeuronModel, found the SynapseModel `delta`",
        ),
        (
            lambda: Population("p", LIF, 3, [1]),
            "Population: `parameters` must be a Mapping, found [1]",
        ),
        (
            lambda: Projection("p", "s", "cell", LIF, AllToAll(), 1 * mV, 1 * ms),
            "Projection: `synapse` must be a SynapseModel, found the NeuronModel `lif`",
        ),
        (lambda: Source("s", [1.0]), "Source: `spikes` must be a Spikes, found [1.0]"),
    ],
)
def test_a_part_of_another_kind_is_one_line(make: Any, words: str) -> None:
    with pytest.raises(NetworkError) as refused:
        make()
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)


def test_any_sequence_of_parts_will_do() -> None:
    network = Network("n", [CELL], iter([TIMES]))
    assert (network.populations, network.sources) == ((CELL,), (TIMES,))


def test_a_target_that_names_two_things_is_refused() -> None:
    network = joined(name="cell")
    effects = (Effect("r", "cell", "tau", 4.0),)
    with pytest.raises(NetworkError, match="`cell` names a population and a projection"):
        replace(
            network,
            transmitters=(Transmitter("na"),),
            receptors=(Receptor("r", "na", nM(1)),),
            effects=effects,
        )


@pytest.mark.parametrize(
    ("initial", "parameters", "said"),
    [
        ({"a.I_syn": pA(1), "b.I_syn": pA(5)}, {}, "`a.I_syn` and `b.I_syn` are one state"),
        ({"b.I_syn": pA(5), "a.I_syn": np.array([5.0, 5.0, 4.0])}, {}, "are one state"),
        ({}, {"a.tau": ms(1), "b.tau": ms(50)}, "are one parameter, .* found 1 ms and 50 ms"),
        ({"a.I_syn": Normal(pA(1), pA(2)), "b.I_syn": pA(1)}, {}, "are one state"),
    ],
)
def test_equal_synapses_share_one_value(
    initial: dict[str, Any], parameters: dict[str, Any], said: str
) -> None:
    """One state of the target stands for both, so the last of two values would win."""
    (one,) = joined().projections
    pair = (replace(one, name="a"), replace(one, name="b"))
    same = Population(
        "cell",
        LIF,
        3,
        {"b.tau": ms(9), "a.tau": "9 ms"},
        {"a.I_syn": pA(5), "b.I_syn": np.full(3, 5.0)},
    )
    prepare(Network("n", (same,), (TIMES,), pair))
    with pytest.raises(NetworkError, match=said):
        prepare(Network("n", (Population("cell", LIF, 3, parameters, initial),), (TIMES,), pair))


def test_two_records_under_one_name_are_refused() -> None:
    """A dot may stand in a name, and `a.ff` has a variable as the projection `ff` of `a` has."""
    cells = NeuronModel("c", "dv/dt = I/pA*mV/(9*ms) : volt\nI_syn = v*pA/mV : amp", "", "")
    network = Network(
        "n",
        (Population("a.ff", cells, 1), Population("a", LIF, 3)),
        (TIMES,),
        (Projection("ff", "s", "a", EXPONENTIAL_CURRENT, OneToOne(), pA(10)),),
    )
    records = [Record("a.ff", "I_syn"), Record("a", "ff.I_syn")]
    for record in records:
        prepare(network, record=[record])
    with pytest.raises(NetworkError, match="stands twice"):
        prepare(network, record=records)


def test_bounds_of_clip_that_cross_are_refused() -> None:
    below = replace(STDP_ADDITIVE, parameters={**STDP_ADDITIVE.parameters, "w_max": nS(-1)})
    network = joined(synapse=below, weight=nS(-0.5))
    with pytest.raises(
        NetworkError, match=r"`clip` must not .* `0 \* w_max` = -?0 and `w_max` = -1"
    ):
        prepare(network)
    held = NeuronModel(
        "held",
        "dv/dt = clip(I/pA, low, high)*mV/second : volt",
        "",
        "",
        parameters={"low": Quantity(2.0), "high": Quantity(3.0)},
    )
    prepare(Network("n", (Population("cell", held, 3, {"low": np.array([1.0, 3.0, 2.0])}),)))
    with pytest.raises(NetworkError, match="found `low` = 4 and `high` = 3"):
        prepare(Network("n", (Population("cell", held, 3, {"low": np.array([1.0, 4.0, 2.0])}),)))


@pytest.mark.parametrize("bad", [[[1, 2, 3]], [1, 2], [], [[1], [2], [3]], pA([1, 2])])
@pytest.mark.parametrize("kind", ["parameters", "initial"])
def test_values_of_another_shape_are_refused_where_a_population_is_made(
    kind: str, bad: Any
) -> None:
    with pytest.raises(NetworkError, match="`I_ext` needs one value or 3, found shape"):
        Population("c", LIF, 3, **{kind: {"I_ext": bad}})
    assert Population("c", LIF, 3, **{kind: {"I_ext": [1, 2, 3]}}).n == 3
