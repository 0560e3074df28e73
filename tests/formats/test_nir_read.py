"""Graphs of other tools in Ember: the spikes that NIR's equations give by forward Euler."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neuro.errors import UnitError
from neuro.nir import NirError, Reading, Units, read, write_graph
from neuro.nir.graph import from_dict
from neuro.nir.maps import incoming
from neuro.nir.models import GRADED, PULSE, SAME_STEP
from neuro.nir.shapes import shapes_of
from neuro.signal import Signal
from neuro.units import ms, mV, pA, pF
from tests.formats._nir_networks import DT_MS, DT_S, chain, frames, neuron
from tests.formats._nir_tools import ember, plain, spikes_of, trains

STEPS = 400
N = 8


def graph_of(nodes: dict[str, nir.NIRNode], *edges: str) -> nir.NIRGraph:
    """Nodes and edges written as `a b c`: from a to b to c."""
    pairs = [pair for names in edges for pair in pairwise(names.split())]
    return nir.NIRGraph(nodes, pairs, type_check=False)


def parts(*kinds: str, seed: int = 1) -> dict[str, Any]:
    """An input of 8, an output, and neurons a, b, … of these kinds, 6 cells each."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, Any] = {"in": nir.Input(np.array([N])), "out": nir.Output(np.array([6]))}
    for name, kind in zip("abcd", kinds, strict=False):
        nodes[name] = neuron(kind, 6, rng)
    return nodes


def weights(seed: int, n_in: int = 6, mean: float = 0.4, sd: float = 0.6) -> nir.Linear:
    return nir.Linear(np.random.default_rng(seed).normal(mean, sd, (6, n_in)))


def layers(kind: str) -> nir.NIRGraph:
    return chain(kind, (N, 6, 5), mean=1.0 if kind == "LIF" else 0.4)


def graded(kind: str) -> nir.NIRGraph:
    """What does not spike hands on its voltage."""
    nodes = parts("I" if kind == "I" else "LI", "LIF") | {
        "w": weights(2, N),
        "u": weights(3, mean=0.2, sd=0.2),
    }
    if kind == "CubaLI":
        like = neuron("CubaLIF", 6, np.random.default_rng(4))
        keys = ("tau_mem", "tau_syn", "r", "v_leak", "w_in")
        nodes["a"] = nir.CubaLI(**{key: getattr(like, key) for key in keys})
    if kind == "I":  # which never forgets, so only a little may flow
        nodes["w"] = weights(2, N, 0.02, 0.1)
    return graph_of(nodes, "in w a u b out")


def in_between() -> nir.NIRGraph:
    """Nodes that stand between neurons, one after another, and neurons joined without weights."""
    nodes = parts("LIF", "LIF", "CubaLIF") | {
        "w": weights(2, N, 0.6), "scale": nir.Scale(np.linspace(0.5, 1.5, 6)),
        "late": nir.Delay(np.arange(6) * 3 * DT_S), "b2": nir.Affine(np.eye(6), np.full(6, 0.02)),
        "gate": nir.Threshold(np.full(6, 0.5)), "u": weights(5, mean=0.8),
        "one": nir.Scale(np.full(6, 6.0)), "flat": nir.Flatten(np.array([6]), 0, -1),
    }  # fmt: skip
    return graph_of(nodes, "in w scale late b2 a gate u b flat one c out")


def two_ways() -> nir.NIRGraph:
    """A short way and a long one meet, and a second input comes in."""
    nodes = parts("LIF", "LIF", "CubaLIF") | {
        "in2": nir.Input(np.array([N])), "w": weights(2, N, 0.6), "u": weights(3, mean=0.6),
        "skip": weights(4, N, 0.1), "s": weights(6, mean=0.5), "w2": weights(7, N, 0.2),
    }  # fmt: skip
    return graph_of(nodes, "in w a u b s c out", "in skip b", "in2 w2 c")


def delayed_loops() -> nir.NIRGraph:
    """Loops through Delay nodes, short and long; one has a constant input."""
    nodes = parts("LIF", "CubaLIF") | {
        "w": weights(2, N, 0.6), "u": weights(3), "back": weights(4, mean=-0.4),
        "own": nir.Affine(np.random.default_rng(5).normal(0, 0.5, (6, 6)), np.full(6, 0.03)),
        "slow": nir.Delay(np.full(6, 9 * DT_S)), "quick": nir.Delay(np.full(6, 2 * DT_S)),
    }  # fmt: skip
    return graph_of(nodes, "in w a u b out", "b slow back a", "b quick own b")


def one_step_loop(kind: str) -> nir.NIRGraph:
    """A recurrent layer as tools write it: no Delay node."""
    nodes = parts(kind, "LIF") | {
        "w": weights(2, N, 0.6), "rec": weights(3, mean=-0.1), "u": weights(4, mean=1.2),
    }  # fmt: skip
    return graph_of(nodes, "in w a u b out", "a rec a")


GRAPHS = {
    "LIF": layers("LIF"), "IF": layers("IF"), "CubaLIF": layers("CubaLIF"),
    "graded LI": graded("LI"), "graded CubaLI": graded("CubaLI"), "graded I": graded("I"),
    "in between": in_between(), "two ways": two_ways(), "delayed loops": delayed_loops(),
    "loop of LIF": one_step_loop("LIF"), "loop of CubaLIF": one_step_loop("CubaLIF"),
}  # fmt: skip


def given(graph: nir.NIRGraph, n_steps: int = STEPS) -> dict[str, NDArray[np.float64]]:
    names = sorted(name for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    return {name: frames(n_steps, N, 0.05, seed) * 1.0 for seed, name in enumerate(names, 7)}


def compare(graph: nir.NIRGraph, reading: Reading, backend: str = "brian") -> None:
    """Every neuron that spikes does so in the same steps, and none is near-silent."""
    x = given(graph)
    ran = plain(graph, DT_S, x)
    assert ran.margin > 1e-9  # no spike hangs on the order of additions
    spiking = {n for n, node in graph.nodes.items() if hasattr(node, "v_threshold")}
    wanted = {name: spikes for name, spikes in trains(ran.outputs).items() if name in spiking}
    network = reading.network({name: spikes_of(frames > 0, DT_MS) for name, frames in x.items()})
    lags = {name: lag for name, lag in reading.lags.items() if name in spiking}
    found = ember(network, lags, STEPS, DT_MS, backend)
    for name in sorted(spiking):
        assert len(wanted[name]) > 20, f"{name} is near-silent"
        assert len(wanted[name]) < 0.5 * STEPS * 6, f"{name} hardly ever rests"
        same = found[name] == wanted[name]  # pytest would explain thousands of spikes for seconds
        assert same, name


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_gives_the_spikes_of_its_equations(name: str) -> None:
    reading = read(GRAPHS[name], dt_ms=DT_MS, units="plain", loops="one_step")
    compare(GRAPHS[name], reading)


def test_numba_gives_them_too(exact: None) -> None:
    graph = one_step_loop("CubaLIF")
    compare(graph, read(graph, dt_ms=DT_MS, units="plain", loops="one_step"), "numba")


def test_the_comparison_sees_another_step_and_another_lag() -> None:
    graph = layers("LIF")
    reading = read(graph, dt_ms=DT_MS, units="plain")
    reading.lags["n1"] += 1  # type: ignore[index]
    with pytest.raises(AssertionError, match="n1"):
        compare(graph, reading)
    twice = read(graph, dt_ms=DT_MS, units=Units(time=ms(2000)))
    with pytest.raises(AssertionError, match="n0"):
        compare(graph, twice)


def test_currents_flow_in_where_spikes_would() -> None:
    graph = layers("CubaLIF")
    rng = np.random.default_rng(0)
    current = np.abs(rng.normal(0, 0.15, (STEPS // 4, N))).repeat(4, axis=0)
    ran = plain(graph, DT_S, {"input": current})
    reading = read(graph, dt_ms=DT_MS, units="plain", currents=["input"])
    network = reading.network(currents={"input": Signal(current[::4], 4 * DT_MS)})
    found = ember(network, reading.lags, STEPS, DT_MS)
    wanted = trains(ran.outputs)
    assert ran.margin > 1e-9 and reading.lags == {"n0": 0, "n1": 2} and not reading.inputs
    for name in ("n0", "n1"):
        assert 20 < len(wanted[name]) < STEPS * 3 and found[name] == wanted[name]


def test_lags_are_no_longer_than_they_must_be() -> None:
    """Two steps a layer; the skip is delayed to meet the longer way; one-step loops act at once."""
    reading = read(two_ways(), dt_ms=DT_MS, units="plain")
    delays = {p.name: float(p.delay) for p in reading.projections}  # type: ignore[arg-type]
    assert reading.lags == {"a": 2, "b": 4, "c": 6}
    assert delays["in_to_b"] == pytest.approx(3 * DT_MS)
    assert delays["in2_to_c"] == pytest.approx(5 * DT_MS)
    loop = read(one_step_loop("LIF"), dt_ms=DT_MS, units="plain", loops="one_step")
    assert {p.synapse for p in loop.projections} == {PULSE, SAME_STEP}
    assert {p.synapse for p in read(graded("LI"), dt_ms=DT_MS, units="plain").projections} == {
        PULSE, GRADED,
    }  # fmt: skip


CONVOLUTIONS = [
    {"stride": 1, "padding": 1, "dilation": 1, "groups": 1},
    {"stride": 2, "padding": 0, "dilation": 2, "groups": 2},
    {"stride": 1, "padding": "same", "dilation": 1, "groups": 1},
    {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2), "groups": 4},
]


def map_of(node: nir.NIRNode, shape: tuple[int, ...]) -> tuple[Any, NDArray[np.float64]]:
    """The matrix and the constant of a node between an input and a neuron."""
    one = np.array(1.0)
    lif = nir.LIF(tau=one, r=one, v_leak=one, v_threshold=one, v_reset=one)
    nodes = {"in": nir.Input(np.array(shape)), "node": node, "flat": nir.Flatten(None, 0, -1),
             "lif": lif}  # fmt: skip
    graph = from_dict(graph_of(nodes, "in node flat lif").to_dict())
    found = incoming(graph, shapes_of(graph), DT_MS, 1000.0)["lif"]
    return found.matrices["in", 0], found.constants.get(0, np.zeros(1))


@pytest.mark.parametrize("settings", CONVOLUTIONS)
def test_a_convolution_is_pytorchs(settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((4, 9, 8), generator=generator, dtype=torch.float64)
    weight = torch.randn((8, 4 // settings["groups"], 3, 3), generator=generator, dtype=x.dtype)
    bias = torch.randn(8, generator=generator, dtype=x.dtype)
    wanted = torch.nn.functional.conv2d(x, weight, bias, **settings).numpy()
    node = nir.Conv2d(None, weight.numpy(), bias=bias.numpy(), **settings)
    matrix, constant = map_of(node, (4, 9, 8))
    np.testing.assert_allclose(matrix @ x.numpy().ravel() + constant, wanted.ravel(), atol=1e-12)


def test_pools_and_a_convolution_in_one_direction_are_pytorchs() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((3, 10, 8), generator=generator, dtype=torch.float64)
    size = {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 1)}
    wanted = torch.nn.functional.avg_pool2d(x, **size).numpy()
    given = {key: np.array(value) for key, value in size.items()}
    average, _ = map_of(nir.AvgPool2d(**given), x.shape)
    total, _ = map_of(nir.SumPool2d(**given), x.shape)
    np.testing.assert_allclose(average @ x.numpy().ravel(), wanted.ravel(), atol=1e-12)
    np.testing.assert_allclose(total @ x.numpy().ravel(), 6 * wanted.ravel(), atol=1e-12)

    line, weight = x[0], torch.randn((4, 5, 3), generator=generator, dtype=x.dtype)
    wanted = torch.nn.functional.conv1d(line, weight, stride=2, padding=1, groups=2).numpy()
    node = nir.Conv1d(None, weight.numpy(), 2, 1, 1, 2, np.zeros(4))
    matrix, _ = map_of(node, line.shape)
    np.testing.assert_allclose(matrix @ line.numpy().ravel(), wanted.ravel(), atol=1e-12)


def test_graphs_within_a_graph_are_dissolved() -> None:
    inner = one_step_loop("LIF")
    outer = graph_of(
        {"in": inner.nodes["in"], "net": inner, "out": inner.nodes["out"]}, "in net out"
    )
    flat = read(inner, dt_ms=DT_MS, units="plain", loops="one_step")
    nested = read(outer, dt_ms=DT_MS, units="plain", loops="one_step")
    assert nested.lags == {f"net_{name}": lag for name, lag in flat.lags.items()}
    assert nested.outputs == {"out": "net_b"} and nested.inputs == flat.inputs
    for one, other in zip(flat.projections, nested.projections, strict=True):
        assert np.array_equal(one.weight, other.weight) and one.synapse is other.synapse


def test_si_units_are_volts_amperes_and_ohms() -> None:
    one = np.ones(2)
    graph = graph_of(
        {
            "in": nir.Input(np.array([1])), "w": nir.Linear(np.array([[2e-10], [3e-10]])),
            "a": nir.LIF(tau=0.02 * one, r=1e8 * one, v_leak=-0.07 * one, v_threshold=-0.05 * one,
                         v_reset=-0.065 * one),
            "b": nir.IF(r=1 / 250e-12 * one, v_threshold=0.02 * one), "s": nir.Scale(1e-10 * one),
        }, "in w a s b",
    )  # fmt: skip
    a, b = read(graph, dt_ms=DT_MS, units="SI").populations
    wanted = {
        "tau": ms(20),
        "r": mV(0.1) / pA(1),
        "v_leak": mV(-70),
        "v_threshold": mV(-50),
        "v_reset": mV(-65),
    }
    assert a.parameters.keys() == wanted.keys()
    for key, value in a.parameters.items():
        assert value / wanted[key] == pytest.approx(1)
    assert float(b.parameters["r"] * pF(250)) == pytest.approx(1)  # mV / (pA ms): a capacitance
    (first, second) = read(graph, dt_ms=DT_MS, units="SI").projections
    np.testing.assert_allclose(first.weight / pA, [200, 300])
    np.testing.assert_allclose(second.weight / pA, [100, 100])


def test_a_file_may_note_its_units_and_step(tmp_path: Path) -> None:
    graph = layers("LIF")
    graph.metadata = {
        "units": {"time": "1 s", "voltage": "1 mV", "current": "1 nA"}, "dt": np.float64(DT_S),
    }  # fmt: skip
    write_graph(graph, tmp_path / "noted.nir")
    noted = read(tmp_path / "noted.nir")
    assert noted.dt_ms == DT_MS
    said = read(layers("LIF"), dt_ms=DT_MS, units=Units(current=pA(1000)))
    for one, other in zip(noted.populations, said.populations, strict=True):
        for key, value in one.parameters.items():
            assert np.all(value == other.parameters[key])
    with pytest.raises(NirError, match=r"meant for a time step of 0\.1 ms, found 1 ms"):
        read(graph, dt_ms=1.0)
    with pytest.raises(NirError, match="says that its units are"):
        read(graph, units="SI")
    graph.metadata["units"]["time"] = "1 mV"
    with pytest.raises(NirError, match=r"units/time.*is voltage") as error:
        read(graph)
    assert not isinstance(error.value, UnitError)


def test_outputs_and_notes_say_what_is_there() -> None:
    nodes = parts("LIF") | {"w": weights(2, N), "sum": weights(3)}
    reading = read(graph_of(nodes, "in w a sum out"), dt_ms=DT_MS, units="plain")
    assert reading.outputs == {"out": "a"}
    assert "weighted sum of the spikes of `a`" in reading.notes[0]
    nodes["a"].v_leak[:] = 5.0
    tonic = read(graph_of(nodes, "in w a out"), dt_ms=DT_MS, units="plain")
    assert "fires without input" in tonic.notes[0]
