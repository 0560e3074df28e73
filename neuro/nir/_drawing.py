"""The graph as it is drawn: Input nodes, neurons, filters, weights, delays, constants, Outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.nir._names import free_name
from neuro.nir._nodes import Cell, Way
from neuro.nir.graph import Graph, from_dict

__all__ = ["Bundle", "Drawing"]

Array = NDArray[np.float64]


class Bundle(NamedTuple):
    """The edges of one projection that have one delay; `target` and `cells` in the same order.

    `left` is the part of the delay that lags do not make up for, in steps.
    """

    projection: str
    source: str
    target: str
    port: int
    way: Way
    sending: NDArray[np.int64]
    receiving: NDArray[np.int64]
    weight: Array
    shape: tuple[int, int]
    delay_steps: int
    left: int = 0

    def dense(self) -> Array:
        """`(n_target, n_source)` weights in Ember's unit."""
        found = np.zeros(self.shape)
        np.add.at(found, (self.receiving, self.sending), self.weight)
        return found


class Drawing:
    """Nodes with their metadata, and edges, under names that files can hold."""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, kind: str, /, **values: Any) -> str:
        """Add a node; the name it got."""
        name = free_name(name, self.nodes)
        self.nodes[name] = (kind, values, {})
        return name

    def join(self, *names: str) -> None:
        """Add edges from each node to the next."""
        self.edges.extend(pairwise(names))

    def neurons(self, cells: Mapping[str, Cell]) -> dict[tuple[str, int], str]:
        """Add all neurons; per population and port, the node at which weights end.

        That is the neuron, or a current before it that decays by itself.
        """
        for name, cell in cells.items():
            self.add(name, cell.kind, **cell.values)
        entries: dict[tuple[str, int], str] = {}
        for name, cell in cells.items():
            for number, way in cell.ways.items():
                entries[name, number] = name
                if way.filter is not None:
                    held = self.add(f"{name}_synapse_{number + 1}", "LI", **way.filter)
                    entries[name, number] = held
                    self.join(held, name)
        return entries

    def weights(
        self, bundles: Sequence[Bundle], entries: Mapping[tuple[str, int], str], dt_s: float
    ) -> dict[str, str]:
        """Add the Linear and Delay nodes; per population, a Linear that ends on the neuron itself.

        Parallel projections of one delay share a Linear, since readers that follow a graph node by
        node take a second way to a neuron for a loop (nirtorch 2.6, `graph_utils.py`).
        """
        together: dict[tuple[str, str, int, int], list[Bundle]] = {}
        for bundle in bundles:
            key = bundle.source, bundle.target, bundle.port, bundle.left
            together.setdefault(key, []).append(bundle)
        direct: dict[str, str] = {}
        for (source, target, port, left), members in together.items():
            several = sum(key[:3] == (source, target, port) for key in together) > 1
            name = members[0].projection + (f"_{left}" if several else "")
            raw = {member.projection: member.dense() for member in members}
            scale = members[0].way.scale[:, None]
            linear = self.add(name, "Linear", weight=sum(raw.values()) * scale)
            noted = {"projections": raw, "delay_steps": members[0].delay_steps}
            self.nodes[linear][2].update(noted)
            path = [source, linear, entries[target, port]]
            if left:
                held = self.add(f"{name}_delay", "Delay",
                                delay=np.full(members[0].shape[1], left * dt_s))  # fmt: skip
                path.insert(1, held)
            self.join(*path)
            if entries[target, port] == target:
                direct.setdefault(target, linear)
        return direct

    def constants(
        self, cells: Mapping[str, Cell], direct: Mapping[str, str], inputs: Sequence[str]
    ) -> None:
        """Let constant currents flow, as the bias of an Affine node."""
        for name, cell in cells.items():
            if cell.bias is None:
                continue
            if name in direct:
                _, values, noted = self.nodes[direct[name]]
                self.nodes[direct[name]] = ("Affine", {**values, "bias": cell.bias}, noted)
                continue
            door = inputs[0] if inputs else "input"
            if door not in self.nodes:
                self.add(door, "Input", shape=np.array([1]))
            n_in = int(self.nodes[door][1]["shape"][0])
            none = np.zeros((cell.bias.size, n_in))
            constant = self.add(f"{name}_constant", "Affine", weight=none, bias=cell.bias)
            self.join(door, constant, name)

    def doors(self, sizes: Mapping[str, int]) -> None:
        """Add an Input for each population that no Input reaches, since NIR begins with Inputs.

        A population that only hears itself, or a loop that nothing else enters, needs one too.
        """
        reached: set[str] = set()
        for name, (kind, _, _) in self.nodes.items():
            if kind == "Input":
                self._reach(name, reached)
        for name, n in sizes.items():
            if name not in reached:
                door = self.add(f"input_{name}", "Input", shape=np.array([n]))
                self.join(door, name)
                self._reach(name, reached)

    def _reach(self, start: str, reached: set[str]) -> None:
        """Put `start` and every node behind it into `reached`."""
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += [target for source, target in self.edges if source == name]

    def graph(self, metadata: Mapping[str, Any]) -> Graph:
        """What was drawn, as a graph that is read."""
        nodes = {
            name: {"type": kind, "metadata": noted, **values}
            for name, (kind, values, noted) in self.nodes.items()
        }
        return from_dict({"nodes": nodes, "edges": self.edges, "metadata": dict(metadata)})

    def outputs(self, names: Sequence[str], sizes: Mapping[str, int]) -> None:
        """Add an Output for each of these populations."""
        for name in names:
            output = self.add("output" if len(names) == 1 else f"output_{name}", "Output",
                              shape=np.array([sizes[name]]))  # fmt: skip
            self.join(name, output)
