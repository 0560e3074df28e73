"""What Ember notes beside the nodes, so that its own networks come back as they were.

Names of models and synapses that Ember knows, and numbers; never a line of equations, since a file
is untrusted. What is noted counts only if writing it again gives the very nodes of the file: a
network that was trained or edited in between is read from its nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuro.build import Built, BuiltPopulation
from neuro.errors import EmberError
from neuro.model import NeuronModel, SynapseModel
from neuro.models import MODELS
from neuro.network import Network, Population, Projection, Source, Value
from neuro.nir.errors import NirError
from neuro.nir.graph import Graph, Node
from neuro.nir.models import GRADED, PULSE, SAME_STEP, nir_models
from neuro.spikes import Spikes
from neuro.synapses import SYNAPSES
from neuro.timing import DELAY
from neuro.units import CURRENT, NUMBER, Quantity, ms, mV
from neuro.wiring import Listed

__all__ = ["FORMAT", "described", "restored"]

FORMAT = 1  # raise when what is noted changes

_METHODS = ("auto", "exact", "exponential_euler", "euler", "rk2", "rk4", "heun")


def described(built: Built, without: Collection[str]) -> dict[str, Any] | None:
    """What to note of a network; None if it has what only its user knows, or is not noted."""
    network = built.network
    if network.drives or network.backgrounds or network.transmitters:
        return None
    populations: dict[str, Any] = {}
    for at, population in enumerate(built.populations):
        model = population.population.model
        known = next((name for name, m in _models().items() if _same_neuron(m, model)), None)
        if known is None:
            return None
        populations[population.name] = {
            "at": at, "model": known, "called": model.name, "method": model.method,
            "n": population.n, "parameters": _own_parameters(population),
            "initial": population.initial["v"],
        }  # fmt: skip
    projections: dict[str, Any] = {}
    for at, projection in enumerate(network.projections):
        synapse = projection.synapse
        named = next((name for name, s in _synapses().items() if _same_synapse(s, synapse)), None)
        if named is None:
            return None
        values = {**synapse.parameters, **projection.parameters}
        projections[projection.name] = {
            "at": at, "source": projection.source, "target": projection.target,
            "synapse": named, "parameters": {name: float(value) for name, value in values.items()},
        }  # fmt: skip
    return {
        "format": FORMAT, "name": network.name, "without": " ".join(sorted(without)),
        "populations": populations, "projections": projections,
    }  # fmt: skip


def restored(graph: Graph, dt_ms: float) -> Network | None:
    """The network that Ember wrote, with silent sources; None if nothing is noted.

    Raises:
        NirError: if what is noted cannot be read, or does not give the nodes of the graph.
    """
    noted = graph.metadata.get("ember")
    if noted is None:
        return None
    try:
        if int(noted["format"]) != FORMAT:
            raise NirError(f"format {int(noted['format'])} is not known here")
        network = _network(graph, noted, dt_ms)
        from neuro.nir.write import drawn  # which notes what is read here

        without = str(noted["without"]).split()
        again, _ = drawn(network, dt_ms=dt_ms, seed=0, outputs=None, without=without)
        same = _same_graph(graph, again.graph({}))
    except (EmberError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise NirError(f"what Ember noted of the network cannot be read ({error})") from None
    if not same:
        raise NirError("the nodes are no longer those that Ember wrote")
    return network


def _models() -> dict[str, NeuronModel]:
    return {name: MODELS[name] for name in MODELS} | nir_models()


def _synapses() -> dict[str, SynapseModel]:
    own = {synapse.name: synapse for synapse in (PULSE, SAME_STEP, GRADED)}
    return {name: SYNAPSES[name] for name in SYNAPSES} | own


def _same_neuron(known: NeuronModel, model: NeuronModel) -> bool:
    """But for the name, the integrator and the values of parameters, which are noted."""
    texts = ("equations", "threshold", "reset", "refractory")
    return (
        all(_words(getattr(known, t)) == _words(getattr(model, t)) for t in texts)
        and {n: q.dimension for n, q in known.parameters.items()}
        == {n: q.dimension for n, q in model.parameters.items()}
        and known.inputs == model.inputs
    )


def _same_synapse(known: SynapseModel, synapse: SynapseModel) -> bool:
    texts = ("equations", "current", "on_pre", "edges", "on_post")
    return (
        all(_words(getattr(known, t)) == _words(getattr(synapse, t)) for t in texts)
        and set(known.parameters) == set(synapse.parameters)
        and known.weight.dimension == synapse.weight.dimension
    )


def _words(text: str) -> list[str]:
    return text.split()


def _own_parameters(population: BuiltPopulation) -> dict[str, Any]:
    """Without those of synapses, which projections note."""
    own = {*population.population.model.parameters, "I_ext"}
    return {name: value for name, value in population.parameters.items() if name in own}


def _network(graph: Graph, noted: Mapping[str, Any], dt_ms: float) -> Network:
    populations = sorted(noted.get("populations", {}).items(), key=lambda item: int(item[1]["at"]))
    projections = sorted(noted.get("projections", {}).items(), key=lambda item: int(item[1]["at"]))
    sources = [n for n in graph.of_kind("Input") if n in {p["source"] for _, p in projections}]
    return Network(
        name=str(noted["name"]),
        populations=tuple(_population(graph, name, given) for name, given in populations),
        sources=tuple(
            Source(name, Spikes([], [], n_units=graph.nodes[name].shape[0], t_stop_ms=0))
            for name in sources
        ),
        projections=tuple(_projection(graph, name, p, dt_ms) for name, p in projections),
    )


def _population(graph: Graph, name: str, given: Mapping[str, Any]) -> Population:
    n = int(given["n"])
    if graph.nodes[name].shape != (n,):
        raise NirError(f"population `{name}` has another size than its node")
    known = _models()[given["model"]]
    called, method = str(given["called"]), str(given["method"])
    if method not in _METHODS or not called.isidentifier():
        raise NirError(f"population `{name}` has a model that is not known here")
    same = called == known.name and method == known.method
    model = known if same else replace(known, name=called, method=method)
    dimensions = {"I_ext": CURRENT} | {n: q.dimension for n, q in model.parameters.items()}
    parameters: dict[str, Value] = {
        key: Quantity(np.array(value, np.float64), dimensions.get(key, NUMBER))
        for key, value in given.get("parameters", {}).items()
    }
    initial: dict[str, Value] = {"v": mV(np.array(given["initial"], np.float64))}
    return Population(name, model, n, parameters, initial)


def _projection(graph: Graph, name: str, given: Mapping[str, Any], dt_ms: float) -> Projection:
    synapse = _synapses()[given["synapse"]]
    parts = []
    for node_name in graph.of_kind("Linear", "Affine"):
        node = graph.nodes[node_name]
        raw = node.metadata.get("projections", {}).get(name)
        if raw is None:
            continue
        raw = np.array(raw, np.float64)
        if raw.shape != node.array("weight").shape:
            raise NirError(f"projection `{name}` has weights of another shape than its node")
        target, source = np.nonzero(raw)
        steps = max(int(node.metadata["delay_steps"]), 1)
        parts.append((source, target, raw[target, source], np.full(source.size, steps)))
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    source, target, weight, held = (np.concatenate(c) for c in zip(none, *parts, strict=True))
    delay: Value = ms(held * dt_ms if held.size else dt_ms)
    if held.size and (held == held[0]).all():
        delay = ms(held[0] * dt_ms)
    if not synapse.delivers:  # a file may give a delay that means nothing there
        delay = DELAY
    return Projection(
        name, str(given["source"]), str(given["target"]), synapse, Listed(source, target),
        Quantity(weight, synapse.weight.dimension), delay,
        {
            key: Quantity(float(value), synapse.parameters[key].dimension)
            for key, value in given.get("parameters", {}).items()
        },
    )  # fmt: skip


def _same_graph(one: Graph, other: Graph) -> bool:
    """But for outputs, which change nothing."""
    (nodes, edges), (others, other_edges) = _inside(one), _inside(other)
    if edges != other_edges or set(nodes) != set(others):
        return False
    for name, node in nodes.items():
        again = others[name]
        if node.kind != again.kind or set(node.values) != set(again.values):
            return False
        if not all(np.array_equal(node.values[key], again.values[key]) for key in node.values):
            return False
    return True


def _inside(graph: Graph) -> tuple[dict[str, Node], set[tuple[str, str]]]:
    nodes = {name: node for name, node in graph.nodes.items() if node.kind != "Output"}
    return nodes, {edge for edge in graph.edges if edge[1] in nodes}
