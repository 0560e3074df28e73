"""Files that Ember writes give Ember's spikes in Norse and in snnTorch."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import nir
import numpy as np
import pytest
from numpy.typing import NDArray

from neuro import Network
from neuro.nir import READERS, lags_of, read, read_graph, to_nir, write_graph
from neuro.synapses import DELTA
from neuro.units import ms, mV
from tests.formats._nir_networks import DT_MS, DT_S, alike, chain, frames, loops, two_layers
from tests.formats._nir_tools import (
    Trains,
    ember,
    norse,
    plain,
    rounding,
    snntorch,
    spikes_of,
    trains,
)

STEPS, SEED = 1000, 3


@cache
def layers() -> tuple[NDArray[np.bool_], Network, Trains]:
    """Two layers, what they hear, and Ember's spikes."""
    x = frames(STEPS)
    network = two_layers(spikes_of(x, DT_MS))
    return x, network, ember(network, lags_of(to_nir(network, seed=SEED)), STEPS, DT_MS, seed=SEED)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "net.nir")


def test_norse_runs_a_file_of_embers_to_the_same_spikes(path: str) -> None:
    x, network, ours = layers()
    graph = to_nir(network, seed=SEED)
    write_graph(graph, path)
    theirs = norse(path, DT_S, x)

    # No spike hangs on the tool's single precision, and no layer is near-silent.
    assert plain(graph, DT_S, {"ear": x * 1.0}).margin > rounding(graph, DT_S)
    assert len(ours["a"]) > 50 and len(ours["b"]) > 20
    assert READERS["Norse 1.1"](read_graph(path), DT_MS) == []
    for name in ("a", "b"):
        assert ours[name] == theirs[name], name


def test_a_plain_reading_of_a_file_gives_embers_spikes() -> None:
    """Loops, Delay nodes, filters, constants, starts away from rest: what no tool yet reads."""
    x = frames(STEPS)
    network = loops(spikes_of(x, DT_MS))
    graph = to_nir(network, seed=SEED)
    kinds = Counter(type(node).__name__ for node in graph.nodes.values())
    assert {"Delay", "LI", "IF", "Affine", "CubaLIF", "CubaLI"} <= kinds.keys()
    ran = plain(graph, DT_S, {"ear": x * 1.0})
    lags = {name: lag for name, lag in lags_of(graph).items() if name in "abcd"}
    ours = ember(network, lags, STEPS, DT_MS, seed=SEED)
    assert ran.margin > 1e-9  # no spike hangs on the order of additions
    wanted = trains({name: ran.outputs[name] for name in lags})
    assert min(len(spikes) for spikes in wanted.values()) > 8, {
        n: len(w) for n, w in wanted.items()
    }
    assert ours == wanted
    del graph.metadata["ember"]  # and so does a reading of its nodes in Ember
    reading = read(graph)
    again = reading.network({"ear": spikes_of(x, DT_MS)})
    assert ember(again, {name: reading.lags[name] for name in "abcd"}, STEPS, DT_MS) == wanted


def test_snntorch_runs_a_file_of_embers_to_the_same_spikes(path: str) -> None:
    x = frames(STEPS, seed=2)
    network = alike(spikes_of(x, DT_MS))
    graph = to_nir(network, seed=SEED)
    write_graph(graph, path)
    ours = ember(network, lags_of(graph), STEPS, DT_MS, seed=SEED)
    assert READERS["snnTorch 1.0"](read_graph(path), DT_MS) == []
    assert plain(graph, DT_S, {"ear": x * 1.0}).margin > rounding(graph, DT_S)
    assert len(ours["b"]) > 20
    assert snntorch(path, x) == ours["b"]


@pytest.mark.parametrize("wrong", ["one weight", "the true time constant"])
def test_the_comparison_with_snntorch_sees_what_is_wrong(wrong: str, path: str) -> None:
    x = frames(STEPS, seed=2)
    network = alike(spikes_of(x, DT_MS))
    graph = to_nir(network, seed=SEED)
    ours = ember(network, lags_of(graph), STEPS, DT_MS, seed=SEED)
    if wrong == "one weight":
        weight = graph.nodes["ear_to_a"].weight
        weight[np.unravel_index(weight.argmax(), weight.shape)] *= 1.2
    else:  # 0.2 % longer: what an exact integrator would need
        for cells in (graph.nodes["a"], graph.nodes["b"]):
            cells.tau_mem = -DT_S / np.log1p(-DT_S / cells.tau_mem)
            cells.r = cells.tau_mem / DT_S
    nir.write(path, graph)
    assert len(ours["b"]) > 20 and snntorch(path, x) != ours["b"]


def test_snntorch_resets_to_zero_whatever_a_file_says(path: str) -> None:
    x = frames(STEPS, share=0.04)
    graph = to_nir(alike(spikes_of(x, DT_MS)), seed=SEED)
    for name in "ab":
        graph.nodes[name].v_reset = graph.nodes[name].v_reset - 5.0
    nir.write(path, graph)
    assert any("`v_reset`" in said for said in READERS["snnTorch 1.0"](read_graph(path), DT_MS))
    wanted = trains(plain(graph, DT_S, {"ear": x * 1.0}).outputs)["b"]
    found = snntorch(path, x)
    assert len(wanted) > 50 and found != wanted

    for name in "ab":  # and that is all that it gets wrong
        graph.nodes[name].v_reset = 0.0 * graph.nodes[name].v_reset
    reset_to_0 = plain(graph, DT_S, {"ear": x * 1.0})
    assert reset_to_0.margin > rounding(graph, DT_S)
    assert found == trains(reset_to_0.outputs)["b"]


@pytest.mark.parametrize(
    ("said", "refusal", "dt_ms"),
    [
        ("one `v_threshold`", "v_thr must be same", DT_MS),
        ("no `v_leak`", "v_leak not supported", DT_MS),
        ("fixed step of 0.1 ms", "r not supported", 0.2),
    ],
)
def test_what_snntorch_refuses_is_said(said: str, refusal: str, dt_ms: float, path: str) -> None:
    graph = to_nir(alike(spikes_of(frames(10), dt_ms)), seed=SEED, dt_ms=dt_ms)
    cells = graph.nodes["a"]
    if "v_threshold" in said:
        cells.v_threshold = cells.v_threshold + np.linspace(0, 1, cells.v_threshold.size)
    if "v_leak" in said:
        cells.v_leak = cells.v_leak + 0.5
    nir.write(path, graph)
    assert [r for r in READERS["snnTorch 1.0"](read_graph(path), dt_ms) if said in r]
    with pytest.raises(AssertionError, match=refusal):
        snntorch(path, frames(10))


@pytest.mark.parametrize(
    "wrong", ["tau in ms", "one weight", "a step earlier", "the true time constant"]
)
def test_the_comparison_sees_what_is_wrong(wrong: str, path: str) -> None:
    """Known-bad files must fail it, or it would prove nothing."""
    x, network, ours = layers()
    graph = to_nir(network, seed=SEED)
    cells = graph.nodes["a"]
    match wrong:
        case "tau in ms":
            cells.tau_mem = cells.tau_mem * 1000
        case "one weight":
            graph.nodes["ear_to_a"].weight[np.nonzero(graph.nodes["ear_to_a"].weight)] *= 1.02
        case "a step earlier":
            ours = {name: {(step - 1, unit) for step, unit in ours[name]} for name in ours}
        case "the true time constant":  # 0.3 % longer: what an exact integrator would need
            cells.tau_mem = -DT_S / np.log1p(-DT_S / cells.tau_mem)
            cells.r = cells.tau_mem / DT_S * (1 + 0 * cells.r)
    nir.write(path, graph)
    theirs = norse(path, DT_S, x)
    assert len(ours["a"]) > 50 and ours["b"] != theirs["b"]


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("resets to 0", {"v_reset": np.full(6, -0.5)}),
        ("ignores `r`", {}),
        ("decays to `v_leak`", {"v_leak": np.full(6, 0.2)}),
    ],
)
def test_what_norse_gets_wrong_is_said_and_is_so(
    problem: str, changes: dict[str, np.ndarray], path: str
) -> None:
    kind = "CubaLIF" if "v_leak" in changes else "LIF"
    graph = chain(kind, (8, 6), **changes)
    if kind == "LIF" and changes:
        tau = graph.nodes["n0"].tau
        graph.nodes["n0"].r = np.ones(6)
        graph.nodes["w0"].weight *= (0.2 * tau / DT_S)[:, None]
    nir.write(path, graph)
    assert any(problem in said for said in READERS["Norse 1.1"](read_graph(path), DT_MS))
    x = frames(STEPS, 8, 0.05)
    wanted = trains(plain(graph, DT_S, {"input": x * 1.0}).outputs)["n0"]
    assert len(wanted) > 50 and norse(path, DT_S, x)["n0"] != wanted


def test_a_file_that_norse_takes_for_one_of_its_own_is_read_alike(path: str) -> None:
    """Foreign numbers, in Norse and in Ember: the convention is the tools', not Ember's."""
    graph = chain("CubaLIF", (8, 6, 5))
    nir.write(path, graph)
    x = frames(STEPS, 8, 0.05)
    reading = read(path, dt_ms=DT_MS, units="plain")
    ours = ember(reading.network({"input": spikes_of(x, DT_MS)}), reading.lags, STEPS, DT_MS)
    assert plain(graph, DT_S, {"input": x * 1.0}).margin > rounding(graph, DT_S)
    theirs = norse(path, DT_S, x)
    assert len(theirs["n0"]) > 50 and len(theirs["n1"]) > 50
    assert {name: theirs[name] for name in ("n0", "n1")} == ours


def test_delta_synapses_differ_where_an_arrival_meets_a_spike_and_only_there(path: str) -> None:
    """That is why `coincidences` must be left out on purpose."""
    x = np.zeros((STEPS, 20), bool)
    x[::60, 0] = x[7::60, 1] = True  # far apart: nothing arrives in the step of a spike
    apart = two_layers(spikes_of(x, DT_MS), synapse=DELTA, weight=mV(9))
    graph = to_nir(apart, seed=SEED, without=["coincidences"])
    write_graph(graph, path)
    ours = ember(apart, lags_of(graph), STEPS, DT_MS, seed=SEED)
    assert len(ours["a"]) > 20
    assert norse(path, DT_S, x)["a"] == ours["a"]

    x = frames(STEPS, share=0.05)
    crowded = two_layers(spikes_of(x, DT_MS), synapse=DELTA, weight=mV(2))
    write_graph(to_nir(crowded, seed=SEED, without=["coincidences"]), path, force=True)
    assert norse(path, DT_S, x)["a"] != ember(crowded, lags_of(graph), STEPS, DT_MS, seed=SEED)["a"]


def test_norse_needs_the_step_that_the_file_is_for(path: str) -> None:
    x, network, ours = layers()
    graph = to_nir(network, seed=SEED)
    write_graph(graph, path)
    assert float(graph.metadata["dt"]) == DT_S
    assert norse(path, 2 * DT_S, x)["a"] != ours["a"]


def test_lags_are_those_of_delays(path: str) -> None:
    """1 ms and 2 ms, each with the step in which Ember's spikes arrive."""
    graph = to_nir(two_layers(spikes_of(frames(10), DT_MS)), seed=SEED)
    assert lags_of(graph) == {"a": 11, "b": 32}
    assert not [name for name, node in graph.nodes.items() if isinstance(node, nir.Delay)]
    assert float(ms(1)) / DT_MS + 1 == lags_of(graph)["a"]
