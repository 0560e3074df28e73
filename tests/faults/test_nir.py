"""NIR files that are damaged, foreign or hostile, and networks that NIR has no words for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neuro import (
    Background,
    Drive,
    Network,
    NeuronModel,
    Population,
    Projection,
    Source,
    Spikes,
    SynapseModel,
    Uniform,
)
from neuro.errors import EmberError
from neuro.model import variant
from neuro.models import ADEX, GIF, IZHIKEVICH, LIF, POISSON, QUADRATIC_IF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.nir import NirError, NirUnsupported, read, read_graph, to_nir, write_graph
from neuro.nir.graph import from_dict
from neuro.synapses import (
    ALPHA_CURRENT,
    DELTA,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    GAP_JUNCTION,
    STDP_ADDITIVE,
)
from neuro.units import CURRENT, Hz, ms, mV, nM, pA
from neuro.wiring import AllToAll
from tests.formats._nir_networks import chain

N = 3
ONE = np.ones(N)


def refused(action: Callable[[], object], *words: str) -> str:
    """The message, which is one line and has these words."""
    with pytest.raises(EmberError) as error:
        action()
    text = str(error.value)
    assert "\n" not in text and len(text) < 600
    for word in words:
        assert word in text, text
    return text


# What NIR cannot say.

CELL = Population("cell", LIF, N, {"t_ref": ms(0)})
SPIKES = Source("s", Spikes([1.0], [0], n_units=N, t_stop_ms=10))


def joined(synapse: SynapseModel = EXPONENTIAL_CURRENT, **changes: Any) -> Network:
    projection = Projection("p", "s", "cell", synapse, AllToAll(), synapse.weight, ms(1))
    network = Network("net", (CELL,), (SPIKES,), (projection,))
    return replace(network, **changes)


def cells(model: NeuronModel, **parameters: Any) -> Network:
    return Network("net", (Population("cell", model, N, parameters),))


def modulated() -> Network:
    return joined(
        transmitters=(Transmitter("na", "cell", nM(10), ms(100)),),
        receptors=(Receptor("beta", "na", nM(50), 1.5),),
        effects=(Effect("beta", "cell", "g_L", 1.3),),
    )


NOISY = replace(LIF, equations=f"{LIF.equations}\n".replace("+ I", "+ I + 9*pA*xi*second**0.5"))
WAVE = replace(LIF, equations=LIF.equations.replace("+ I)", "+ I + I_w)"), inputs={"I_w": CURRENT})
SUBTRACTS = variant(LIF, name="lif", source="a test", reset="v -= 20*mV")
VARYING = replace(
    LIF,
    equations=LIF.equations + "\ndtheta/dt = -theta/(10*ms) : volt",
    threshold="v > V_th + theta",
    reset="v = V_r; theta += 2*mV",
)
CANNOT: dict[str, tuple[Network, str]] = {
    "AdEx": (cells(ADEX), "`w` of model `adex`"),
    "Izhikevich": (cells(IZHIKEVICH), "`u` of model `izhikevich`"),
    "quadratic": (cells(QUADRATIC_IF), "a membrane that is not linear (population `cell`, model"),
    "chance": (cells(GIF), "chance (population `cell`, model `gif`)"),
    "poisson": (cells(POISSON), "chance (population `cell`, model `poisson`)"),
    "noise": (cells(NOISY, t_ref=ms(0)), "noise (population `cell`)"),
    "refractory": (cells(LIF), "a refractory period (population `cell`: 2 ms) (`without` ref"),
    "conductance": (joined(EXPONENTIAL_CONDUCTANCE), "conductances (synapse `exponential_cond"),
    "alpha": (joined(ALPHA_CURRENT), "synapses of several variables (`alpha_current`"),
    "delta": (joined(DELTA), "delta synapses, whose arrivals a reset wipes out"),
    "plastic": (joined(STDP_ADDITIVE), "synapses with a state of their own (projection `p`"),
    "short-term": (joined(DEPRESSING_CURRENT), "synapses with a state of their own (projection"),
    "gap junction": (
        Network("net", (CELL,), (), (Projection("p", "cell", "cell", GAP_JUNCTION, AllToAll(),
                                                GAP_JUNCTION.weight, ms(1)),)),
        "synapses with a state of their own (projection `p`: `gap_junction`)",
    ),
    "modulation": (modulated(), "modulation (transmitter `na`) (`without` modulation writes"),
    "background": (
        joined(backgrounds=(Background("bg", "cell", EXPONENTIAL_CURRENT, Hz(10), pA(10)),)),
        "a Poisson background (`bg`)",
    ),
    "drive": (
        replace(cells(WAVE, t_ref=ms(0)), drives=(Drive("cell", "I_w", np.ones(3), 1.0),)),
        "currents over time (drive of population `cell`)",
    ),
    "reset": (cells(SUBTRACTS, t_ref=ms(0)), "the reset `v -= 20*mV`"),
    "threshold": (cells(VARYING, t_ref=ms(0)), "a threshold that varies"),
    "delays": (
        replace(joined(), projections=(replace(joined().projections[0],
                                               delay=Uniform(ms(1), ms(20)), weight=pA(1)),),
                sources=(Source("s", Spikes([], [], n_units=300, t_stop_ms=1)),)),
        "different delays (projection `p`; up to 64 become Delay nodes)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT)
def test_what_nir_cannot_say_is_refused_by_name(name: str) -> None:
    network, words = CANNOT[name]
    text = refused(lambda: to_nir(network), "NIR cannot say what network `net` has", words)
    with pytest.raises(NirUnsupported) as error:
        to_nir(network)
    assert error.value.reasons and error.value.reasons[0] in text


def test_everything_is_named_at_once_and_nothing_written(tmp_path: Path) -> None:
    network = replace(modulated(), populations=(replace(CELL, parameters={}),))
    text = refused(lambda: to_nir(network), "modulation", "a refractory period")
    assert "`without` modulation and refractory" in text
    assert to_nir(network, without=["modulation", "refractory"]).nodes
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_what_nir_can_say_is_not_refused() -> None:
    assert to_nir(joined()).nodes.keys() == {"s", "cell", "p", "output"}


def test_other_mistakes_of_a_writer(tmp_path: Path) -> None:
    graph = to_nir(joined())
    refused(lambda: to_nir(joined(), without=["noise"]), "must be refractory", "`noise`")
    refused(lambda: to_nir(joined(), outputs=["cel"]), "no population `cel`", "`cell`?")
    odd = replace(joined(), populations=(replace(CELL, name="a/b"),), projections=())
    refused(lambda: to_nir(odd), "no `/`", "`a/b`")
    path = write_graph(graph, tmp_path / "net.nir")
    before = path.read_bytes()
    refused(lambda: write_graph(graph, path), "cannot write", "is there already")
    assert path.read_bytes() == before
    refused(lambda: write_graph(graph, tmp_path / "no" / "net.nir"), "there is no such file or")
    assert [p.name for p in tmp_path.iterdir()] == ["net.nir"]


def test_without_the_package_files_are_read_and_none_are_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    assert read(path).own
    refused(lambda: to_nir(joined()), "pip install 'ember-neuro[nir]'")


# Files.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file, which tests then spoil."""
    return write_graph(to_nir(joined()), tmp_path / "net.nir")


def test_a_good_file_is_read(path: Path) -> None:
    assert read(path).own


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no such file"), (b"", "the file is empty"),
     (b"hello, world", "not an HDF5 file"),
     (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "truncated or damaged")],
)  # fmt: skip
def test_what_is_no_file_of_this_kind(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    if content is not None:
        path.write_bytes(content)
    refused(lambda: read(path), f"cannot read `{path}`", words)


def test_a_truncated_file_and_a_foreign_one(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(lambda: read(path), "truncated or damaged")
    with h5py.File(path, "w") as file:
        file["spikes/times"] = np.ones(3)
    refused(lambda: read(path), "holds no NIR graph")


def test_bytes_that_flipped_never_become_another_error(path: Path) -> None:
    """Whatever breaks, it is one line that names the file; or the file is still whole."""
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    said = []
    for _ in range(60):
        spoiled = bytearray(whole)
        for place in rng.integers(8, len(whole), 12):
            spoiled[place] = int(rng.integers(256))
        path.write_bytes(bytes(spoiled))
        try:
            read(path, dt_ms=0.1)
        except NirError as error:
            said.append(str(error))
    assert len(said) > 10
    assert all("\n" not in text and str(path) in text for text in said)


def spoil(path: Path, change: Callable[[h5py.File], object]) -> None:
    with h5py.File(path, "a") as file:
        change(file)


def test_nothing_outside_the_file_is_opened(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["weight"] = np.ones((N, N))
    (tmp_path / "raw").write_bytes(bytes(8 * N * N))

    def external(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        file["node/nodes/p/weight"] = h5py.ExternalLink(str(other), "weight")

    def soft(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        file["node/nodes/p/weight"] = h5py.SoftLink("/node/nodes/p/weight")

    def raw(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        file.create_dataset("node/nodes/p/weight", (N, N), "f8",
                            external=[(str(tmp_path / "raw"), 0, 8 * N * N)])  # fmt: skip

    def virtual(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        layout = h5py.VirtualLayout((N, N), "f8")
        layout[:] = h5py.VirtualSource(str(other), "weight", (N, N))
        file["node/nodes/p"].create_virtual_dataset("weight", layout)

    whole = path.read_bytes()
    for change, words in (
        (external, "found a link"), (soft, "found a link"), (raw, "reference to another"),
        (virtual, "reference to another"),
    ):  # fmt: skip
        path.write_bytes(whole)
        spoil(path, change)
        refused(lambda: read(path), "node/nodes/p/weight", "lie in the file itself", words)


def test_sizes_are_asked_before_they_are_taken(path: Path) -> None:
    """A few bytes may say that they are a petabyte."""

    def huge(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        file.create_dataset("node/nodes/p/weight", (10**8, 10**7), "f8", chunks=(1024, 1024))

    spoil(path, huge)
    refused(lambda: read(path), "node/nodes/p/weight", "cannot lie in a file of this size")

    kernel = np.ones((64, 64, 33, 33))
    cell = nir.IF(np.array(1.0), np.array(1.0))
    for side, words in ((200, "node `c` (Conv2d)"), (40_000, "values needs about")):
        convolution = nir.Conv2d((side, side), kernel, 1, "same", 1, 1, np.zeros(64))
        nodes = {"in": nir.Input(np.array([64, side, side])), "c": convolution, "a": cell}
        graph = nir.NIRGraph(nodes, [("in", "c"), ("c", "a")], type_check=False)
        refused(lambda: read(graph, dt_ms=0.1, units="plain"), words, "of memory")  # noqa: B023


def test_groups_that_hold_themselves_end(path: Path) -> None:
    spoil(path, lambda file: file["node/nodes/p"].__setitem__("again", file["node/nodes"]))
    refused(lambda: read(path), "must be a group of its own")


@pytest.mark.parametrize(
    ("value", "words"),
    [(np.array([object()], h5py.special_dtype(ref=h5py.Reference)), "numbers or text"),
     (np.array([1j]), "numbers or text"), (h5py.Empty("f8"), "found none"), ("heavy", "numbers")],
)  # fmt: skip
def test_arrays_hold_numbers(value: Any, words: str, path: Path) -> None:
    def put(file: h5py.File) -> None:
        del file["node/nodes/p/weight"]
        if isinstance(value, np.ndarray) and value.dtype == object:
            value[0] = file["node"].ref
            file.create_dataset("node/nodes/p/weight", data=value, dtype=h5py.ref_dtype)
        else:
            file["node/nodes/p/weight"] = value

    spoil(path, put)
    refused(lambda: read(path), words)


# Graphs.


def graph(**changes: Any) -> dict[str, Any]:
    """A good graph as the dictionary that a file holds, with some nodes changed or added."""
    found = chain("LIF", (N, N)).to_dict()
    for name, change in changes.items():
        found["nodes"][name] = {**found["nodes"].get(name, {}), **change}
    return found


def lif(**changes: Any) -> dict[str, Any]:
    base = {"type": "LIF", "tau": 0.01 * ONE, "r": ONE, "v_leak": 0 * ONE, "v_threshold": ONE}
    return {**base, **changes}


def edges(given: dict[str, Any], *more: tuple[str, str]) -> dict[str, Any]:
    return {**given, "edges": [*given["edges"], *more]}


EYE = {"type": "Linear", "weight": np.eye(N)}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": (graph(n0={"type": "LIFF"}), "node `n0` is of the unknown type `LIFF`; did"),
    "no type": (graph(x={"weight": ONE}), "node `x` must say its `type`"),
    "a field is missing": (graph(n0={"tau": None}), "node `n0` (LIF) lacks the field `tau`"),
    "not finite": (graph(n0={"tau": np.nan * ONE}), "`tau` must be finite"),
    "text": (graph(n0={"tau": "long"}), "`tau` must hold numbers"),
    "shapes": (graph(n0={"tau": np.ones(2)}), "node `n0` (LIF): its parameters must be of one"),
    "sizes": (graph(w0={"weight": np.ones((4, N)), "bias": np.ones(4)}), "must agree in size"),
    "three dimensions": (graph(w0={"weight": np.ones((1, N, N))}), "two dimensions, found 3"),
    "bias": (graph(w0={"bias": np.ones(4)}), "`bias` must have 3 values"),
    "an edge to nowhere": (edges(graph(), ("n0", "n9")), "leads to `n9`, which is no node"),
    "nobody knows how many": (
        edges(graph(lone=lif(**{k: np.array(1.0) for k in ("tau", "r", "v_leak", "v_threshold")})),
              ("lone", "lone")),
        "how many cells it has cannot be told",
    ),
    "no neurons": (
        {"nodes": {"in": {"type": "Input", "shape": [N]}, "w": EYE}, "edges": [("in", "w")]},
        "no neurons",
    ),
    "no nodes": ({"nodes": {}, "edges": []}, "1 to 10,000 nodes"),
    "a loop": (edges(graph(back=EYE), ("n0", "back"), ("back", "n0")),
               "a loop must have a Delay node, found none in n0 -> n0; say loops: one_step"),
    "a loop of weights": (edges(graph(u=EYE, w=EYE), ("u", "w"), ("w", "u"), ("w", "n0")),
                          "linear nodes must not form a loop, found u and w"),
    "a delay between steps": (
        edges(graph(d={"type": "Delay", "delay": 0.00015 * ONE}), ("n0", "d")),
        "whole number of steps of 0.1 ms, found 0.15 ms",
    ),
    "a delay back in time": (
        edges(graph(d={"type": "Delay", "delay": -0.001 * ONE}), ("n0", "d")), "not be negative",
    ),
    "no time": (graph(n0={"tau": 0 * ONE}), "`tau` must be positive"),
    "too fast": (graph(n0={"tau": 1e-5 * ONE}), "at least the step of 0.1 ms, found 0.01 ms; if"),
    "kernel": (
        edges(graph(c={"type": "SumPool2d", "kernel_size": [9, 9], "stride": [1, 1],
                       "padding": [0, 0]}, i={"type": "Input", "shape": [1, 5, 5]}), ("i", "c")),
        "its kernel (9, 9) is larger than its input 1 × 5 × 5",
    ),
    "padding": (
        edges(graph(c={"type": "Conv1d", "weight": np.ones((1, 1, 3)), "bias": [0.0], "stride": 1,
                       "padding": "around", "dilation": 1, "groups": 1},
                    i={"type": "Input", "shape": [1, 5]}), ("i", "c")),
        "`padding` must be same, valid or numbers",
    ),
    "groups": (
        edges(graph(c={"type": "Conv1d", "weight": np.ones((1, 2, 3)), "bias": [0.0], "stride": 1,
                       "padding": 0, "dilation": 1, "groups": 1},
                    i={"type": "Input", "shape": [1, 5]}), ("i", "c")),
        "does not fit an input of 1 channels",
    ),
    "doors": (
        edges(graph(inner={"type": "NIRGraph", "nodes": {"a": lif()}, "edges": []}),
              ("w0", "inner")),
        "graph `inner` within the graph needs one Input node, found 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_graph_is_refused_by_name(name: str) -> None:
    given, words = WRONG[name]
    refused(lambda: read(from_dict(given), dt_ms=0.1, units="plain"), words)


def test_a_good_graph_is_not_refused() -> None:
    reading = read(from_dict(graph()), dt_ms=0.1, units="plain")
    assert [p.n for p in reading.populations] == [N]


def test_a_loop_that_is_too_fast_for_ember() -> None:
    """One step around two neurons: Ember needs one for each."""
    given = edges(graph(a=lif(), u=EYE, back=EYE, d={"type": "Delay", "delay": 1e-4 * ONE}),
                  ("n0", "u"), ("u", "a"), ("a", "d"), ("d", "back"), ("back", "n0"))  # fmt: skip
    words = "at least one step for each neuron node"
    refused(lambda: read(from_dict(given), dt_ms=0.1, units="plain"), words, "`n0`", "`a`")
    given["nodes"]["d"]["delay"] = 2e-4 * ONE
    assert read(from_dict(given), dt_ms=0.1, units="plain").populations


def test_what_a_reader_must_say(path: Path) -> None:
    given = from_dict(graph())
    refused(lambda: read(given, units="plain"), "does not say what time step", "give dt")
    refused(lambda: read(given, dt_ms=0.1), "does not say what its numbers stand for", "plain")
    refused(
        lambda: read(given, dt_ms=0.1, units="Si units"), "must be plain, SI, norse", "found `Si"
    )
    refused(lambda: read(given, dt_ms=0.0, units="plain"), "time step must be positive")
    refused(lambda: read(given, dt_ms=0.1, units="plain", currents=["inputs"]), "`input`?")
    spoil(path, lambda file: file["node/metadata"].__delitem__("units"))
    refused(lambda: read(path), f"cannot read `{path}`: it does not say what its numbers")
    reading = read(given, dt_ms=0.1, units="plain")
    refused(lambda: reading.network(), "input `input` needs spikes of 3 units, found none")
    two = Spikes([], [], n_units=2, t_stop_ms=1)
    refused(lambda: reading.network({"input": two}), "of 3 units, found 2")
    refused(lambda: reading.network({"inp": two}), "no such input; did you mean `input`?")


def test_a_graph_that_was_read_can_be_looked_at(path: Path) -> None:
    assert read_graph(path).of_kind("Linear") == ["p"]
    assert mV(20) == read(path).populations[0].model.parameters["V_th"] + mV(70)


@pytest.mark.parametrize("shape", [[[3, 2]], [2.5], [-3], [1e12]])
def test_the_shape_of_an_input_is_whole_numbers(shape: list[Any]) -> None:
    cell = nir.IF(np.ones(3), np.ones(3))
    graph = nir.NIRGraph({"in": nir.Input(np.array([3])), "a": cell}, [("in", "a")])
    data = graph.to_dict()
    data["nodes"]["in"]["shape"] = np.array(shape)
    with pytest.raises(NirError, match="`shape` must be whole numbers"):
        from_dict(data).nodes["in"].shape  # noqa: B018
