"""A network through a file and back, bit for bit; a graph through Ember and back, to rounding."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro import Network, Population, Projection, Source, Spikes, simulate
from neuro.build import build
from neuro.model import SynapseModel
from neuro.models import LEAKY_INTEGRATOR, LIF
from neuro.nir import lags_of, read, to_nir, write_graph
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import coherent, ms, mV, pA
from neuro.wiring import Listed
from tests.backends._plain import plain_kernels
from tests.formats._nir_networks import DT_MS, chain, frames, loops, two_layers
from tests.formats._nir_tools import spikes_of

SILENT = Spikes([], [], n_units=3, t_stop_ms=1)
numbers = st.floats(-500, 500).filter(lambda x: abs(x) > 1e-6)


def through(network: Network, **options: Any) -> tuple[nir.NIRGraph, Any]:
    graph = to_nir(network, **options)
    with tempfile.TemporaryDirectory() as folder:
        path = write_graph(graph, Path(folder) / "net.nir")
        return graph, read(path)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Up to three populations of up to four cells, joined and driven in any way."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_populations = draw(st.integers(1, 3))
    populations = []
    for k in range(n_populations):
        n = draw(st.integers(1, 4))
        model = draw(st.sampled_from([LIF, LIF, LEAKY_INTEGRATOR]))
        values: dict[str, Any] = {"C": rng.uniform(100, 400, n)}
        if model is LIF:
            values |= {"t_ref": 0.0, "V_th": rng.uniform(-60, -50, n)}
        if draw(st.booleans()):
            values["I_ext"] = float(rng.uniform(-100, 300))
        initial = {"v": rng.uniform(-80, -60, n)} if draw(st.booleans()) else {}
        populations.append(Population(f"p{k}", model, n, values, initial))
    spiking = [p.name for p in populations if p.model is LIF]
    sizes = {"s": 3, **{p.name: p.n for p in populations}}
    projections = []
    for k in range(draw(st.integers(0, 4))):
        source = draw(st.sampled_from(["s", *spiking]))
        target = draw(st.sampled_from([p.name for p in populations]))
        n = draw(st.integers(1, 5))
        synapse = draw(st.sampled_from([EXPONENTIAL_CURRENT, EXPONENTIAL_CURRENT, DELTA]))
        taus = {"tau": ms(draw(st.sampled_from([2.0, 5.0])))} if synapse is not DELTA else {}
        pairs = rng.permutation(sizes[source] * sizes[target])[:n]
        rule = Listed(*np.divmod(pairs, sizes[target]))
        weight = np.array(draw(st.lists(numbers, min_size=pairs.size, max_size=pairs.size)))
        steps = np.array(draw(st.lists(st.integers(1, 30), min_size=pairs.size,
                                       max_size=pairs.size)))  # fmt: skip
        projections.append(
            Projection(f"q{k}", source, target, synapse, rule, weight, steps * DT_MS, taus)
        )
    return Network("drawn", tuple(populations), (Source("s", SILENT),), tuple(projections))


@settings(max_examples=25)
@given(networks())
def test_a_network_comes_back_bit_for_bit(network: Network) -> None:
    graph, reading = through(network, without=["coincidences"])
    assert reading.own and not reading.notes
    assert reading.lags == lags_of(graph)
    again = reading.network(dict.fromkeys(reading.inputs, SILENT))
    one, other = build(network, seed=0, dt_ms=DT_MS), build(again, seed=5, dt_ms=DT_MS)
    for before, after in zip(one.populations, other.populations, strict=True):
        assert before.name == after.name and before.population.model is after.population.model
        for given_, found in (
            (before.parameters, after.parameters),
            (before.initial, after.initial),
        ):
            assert set(given_) == set(found)
            assert all(np.array_equal(given_[key], found[key]) for key in given_)
    for before, after in zip(one.projections, other.projections, strict=True):
        assert before.projection.synapse is after.projection.synapse
        for name in ("source", "target", "weight", "delay_steps"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name


@pytest.mark.parametrize("synapse", [DELTA, EXPONENTIAL_CURRENT], ids=lambda s: s.name)
@pytest.mark.parametrize("n_others", [0, 1])
@pytest.mark.parametrize("n_sources", [0, 1])
@pytest.mark.parametrize(
    "pairs", [["aa"], ["ab", "ba"], ["ab", "ba", "bc"], ["ab", "bb"], ["aa", "bb"]]
)
def test_a_loop_that_nothing_enters_has_an_input(
    pairs: list[str], n_sources: int, n_others: int, synapse: SynapseModel
) -> None:
    """NIR infers shapes from Inputs onwards, so each part of the graph must have one."""
    names = sorted(set("".join(pairs))) + ["z"] * n_others
    network = Network(
        "loop",
        tuple(Population(name, LIF, 2, {"t_ref": 0.0}) for name in names),
        (Source("s", SILENT),) * n_sources,
        tuple(Projection(p, p[0], p[1], synapse, Listed([0], [1]), 1.0, DT_MS) for p in pairs),
    )
    graph, reading = through(network, without=["coincidences"])
    assert reading.own and {p.name for p in reading.populations} == set(names)
    edges, reached = set(graph.edges), set(graph.inputs)
    for _ in graph.nodes:
        reached |= {target for source, target in edges if source in reached}
    assert reached == set(graph.nodes)


def test_what_comes_back_spikes_the_same_bit_for_bit() -> None:
    x = frames(500)
    network = loops(spikes_of(x, DT_MS))
    _, reading = through(network)
    again = reading.network({"ear": spikes_of(x, DT_MS)})
    with plain_kernels():
        first, second = (
            simulate(net, duration_ms=50, seed=0, dt_ms=DT_MS, options={"precision": "float64"})
            for net in (network, again)
        )
    for name in "abcd":
        assert len(first.spikes[name]) > 5, f"{name} is near-silent"
        assert first.spikes[name] == second.spikes[name]


def test_a_changed_file_is_read_from_its_nodes(tmp_path: Path) -> None:
    """What Ember noted must not hide what somebody trained since."""
    graph = to_nir(two_layers(SILENT_20))
    graph.nodes["a_to_b"].weight[0, 0] += 1.0
    nir.write(tmp_path / "trained.nir", graph)
    reading = read(tmp_path / "trained.nir")
    assert not reading.own and "no longer those that Ember wrote" in reading.notes[0]
    weight = next(p for p in reading.projections if p.name == "a_to_b").weight
    assert graph.nodes["a_to_b"].weight[0, 0] in coherent(weight)
    assert read(to_nir(two_layers(SILENT_20))).own


SILENT_20 = Spikes([], [], n_units=20, t_stop_ms=1)


@pytest.mark.parametrize("part", ["format", "model", "parameters", "weights"])
def test_damaged_notes_are_not_believed(part: str) -> None:
    graph = to_nir(two_layers(SILENT_20))
    noted = graph.metadata["ember"]
    match part:
        case "format":
            noted["format"] = 99
        case "model":
            noted["populations"]["a"]["model"] = "__import__('os')"
        case "parameters":
            noted["populations"]["a"]["parameters"]["g_L"] = 20.0
        case "weights":
            graph.nodes["a_to_b"].metadata["projections"]["a_to_b"][:] *= 2
    reading = read(graph)
    assert not reading.own and len(reading.notes) == 1
    plain = to_nir(two_layers(SILENT_20))
    del plain.metadata["ember"]
    for one, other in zip(reading.projections, read(plain).projections, strict=True):
        assert np.array_equal(one.weight, other.weight)


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["LIF", "IF", "CubaLIF"]),
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    seed=st.integers(0, 2**32),
    leak=st.floats(-1, 0.5),
    reset=st.floats(-1, 0.5),
)
def test_a_graph_comes_back_to_rounding(
    kind: str, sizes: list[int], seed: int, leak: float, reset: float
) -> None:
    """One multiplication by a unit and one division: each field to within two units of 2**-52."""
    graph = chain(kind, tuple(sizes), seed)
    for node in graph.nodes.values():
        if hasattr(node, "v_reset"):
            node.v_reset = node.v_reset + reset
        if hasattr(node, "v_leak"):
            node.v_leak = node.v_leak + leak
    reading = read(graph, dt_ms=DT_MS, units="plain")
    network = reading.network({"input": Spikes([], [], n_units=sizes[0], t_stop_ms=1)})
    again = to_nir(network)
    assert lags_of(again) == reading.lags
    kinds = {name: type(node).__name__ for name, node in again.nodes.items()}
    for name, node in graph.nodes.items():
        if name.startswith("n"):
            assert kinds[name] == kind
            for key in vars(node):
                if key in ("tau", "tau_mem", "tau_syn", "r", "w_in") or key.startswith("v_"):
                    np.testing.assert_allclose(
                        getattr(again.nodes[name], key), getattr(node, key), rtol=2**-51, atol=0
                    )
    for layer in range(len(sizes) - 1):
        source = "input" if layer == 0 else f"n{layer - 1}"
        there = again.nodes[f"{source}_to_n{layer}"]
        before = graph.nodes[f"w{layer}"]
        np.testing.assert_allclose(there.weight, before.weight, rtol=2**-51)
        if isinstance(before, nir.Affine):
            np.testing.assert_allclose(there.bias, before.bias, rtol=2**-51)


def test_the_round_trip_of_a_graph_sees_a_wrong_unit() -> None:
    graph = chain("LIF")
    reading = read(graph, dt_ms=DT_MS, units="plain")
    network = reading.network({"input": Spikes([], [], n_units=8, t_stop_ms=1)})
    again = to_nir(network)
    tau_ms = coherent(reading.populations[0].parameters["tau"])
    assert not np.allclose(tau_ms, graph.nodes["n0"].tau)  # a tau in ms is no tau in s
    np.testing.assert_allclose(again.nodes["n0"].tau * 1000, tau_ms)


def test_a_cell_that_fires_by_itself_does_not_lag() -> None:
    """Euler's method on the file's nodes, by hand: the spikes are Ember's, at the same steps."""
    cells = Population("c", LIF, 1, {"t_ref": ms(0), "E_L": mV(-45), "I_ext": pA(0)})
    spikes = Spikes([20.0], [0], n_units=1, t_stop_ms=60)
    network = Network(
        "restless",
        (cells,),
        (Source("s", spikes),),
        (Projection("p", "s", "c", EXPONENTIAL_CURRENT, Listed([0], [0]), pA(900), ms(1)),),
    )
    with plain_kernels():
        run = simulate(network, duration_ms=60, dt_ms=0.1, options={"precision": "float64"})
    graph = to_nir(network, dt_ms=0.1)
    assert lags_of(graph) == {"c": 0}
    of = {type(node).__name__: node for node in graph.nodes.values()}
    value = {
        (kind, name): float(np.ravel(given)[0])
        for kind, node in of.items()
        for name, given in vars(node).items()
        if isinstance(given, np.ndarray)
    }
    dt = 1e-4
    arrival = 200 + round(value["Delay", "delay"] / dt)
    v = current = 0.0
    found = []
    for step in range(600):
        sent = value["Linear", "weight"] * (step == arrival)
        current += dt / value["CubaLIF", "tau_syn"] * (value["CubaLIF", "w_in"] * sent - current)
        towards = value["CubaLIF", "v_leak"] + value["CubaLIF", "r"] * current
        v += dt / value["CubaLIF", "tau_mem"] * (towards - v)
        if v > value["CubaLIF", "v_threshold"]:
            found.append(step)
            v = value["CubaLIF", "v_reset"]
    assert len(found) >= 3
    assert found == np.rint(run.spikes["c"].times_ms / 0.1).astype(int).tolist()
