"""A NIR graph as inert, checked data: what a file says, before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import nearest
from neuro.nir.errors import NirError

__all__ = ["FIELDS", "NEURONS", "Graph", "Node", "from_dict"]

Value = NDArray[np.float64] | str

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Input": (("shape",), ()),
    "Output": (("shape",), ()),
    "Identity": ((), ()),
    "Affine": (("weight", "bias"), ()),
    "Linear": (("weight",), ()),
    "Scale": (("scale",), ()),
    "Conv1d": (("weight", "bias", "stride", "padding", "dilation", "groups"), ("input_shape",)),
    "Conv2d": (("weight", "bias", "stride", "padding", "dilation", "groups"), ("input_shape",)),
    "SumPool2d": (("kernel_size", "stride", "padding"), ()),
    "AvgPool2d": (("kernel_size", "stride", "padding"), ()),
    "Flatten": (("start_dim", "end_dim"), ("input_type",)),
    "Delay": (("delay",), ()),
    "Threshold": (("threshold",), ()),
    "I": (("r",), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "LI": (("tau", "r", "v_leak"), ()),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "CubaLI": (("tau_mem", "tau_syn", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_mem", "tau_syn", "r", "v_leak", "v_threshold"), ("w_in", "v_reset")),
}
"""Fields that a node of each type must have, and may have (Pedersen et al. 2024)."""

NEURONS = ("Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")
"""Types with a state or a threshold; each becomes a population. All others are linear maps."""

_DEEPEST = 16
_MOST_NODES, _MOST_EDGES = 10_000, 100_000  # far above any graph seen; engineering choice


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its type and the values of its fields, in the file's own units."""

    kind: str
    values: Mapping[str, Value]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def array(self, name: str) -> NDArray[np.float64]:
        """A field that holds numbers."""
        value = self.values[name]
        if isinstance(value, str):
            raise NirError(f"`{name}` must hold numbers, found `{value}`")
        return value

    @property
    def shape(self) -> tuple[int, ...]:
        """What the parameters of a neuron, or the shape of an input, say of its size."""
        if self.kind in ("Input", "Output"):
            given = np.atleast_1d(self.array("shape"))
            if given.ndim != 1 or (given % 1).any() or not ((given >= 0) & (given < 2**31)).all():
                raise NirError(f"`shape` must be whole numbers, found {given.tolist()!r:.60}")
            return tuple(int(n) for n in given)
        own = [v.shape for name, v in self.values.items() if not isinstance(v, str)]
        try:
            return tuple(np.broadcast_shapes(*own))
        except ValueError:
            raise NirError(f"its parameters must be of one shape, found {sorted(own)}") from None


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, edges between them, and what the writer noted beside them."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[str]:
        """Names of the nodes of these types, sorted."""
        return sorted(name for name, node in self.nodes.items() if node.kind in kinds)

    def before(self, name: str) -> list[str]:
        """Nodes with an edge to `name`, sorted."""
        return sorted(source for source, target in self.edges if target == name)

    def after(self, name: str) -> list[str]:
        """Nodes with an edge from `name`, sorted."""
        return sorted(target for source, target in self.edges if source == name)


def from_dict(data: Mapping[str, Any]) -> Graph:
    """The graph that `NIRGraph.to_dict` or the group `node` of a file describes.

    Graphs within the graph are dissolved: their nodes are named `outer.inner`.

    Raises:
        NirError: if a node is of an unknown type or lacks a field, a value is not finite, or an
            edge leads nowhere.
    """
    if _text(data.get("type", "NIRGraph")) != "NIRGraph":
        raise NirError(f"the top must be a NIRGraph, found `{_text(data['type'])}`")
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    _take_in(data, "", nodes, edges, 0)
    if not 1 <= len(nodes) <= _MOST_NODES or len(edges) > _MOST_EDGES:
        raise NirError(
            f"a graph may have 1 to {_MOST_NODES:,} nodes and up to {_MOST_EDGES:,} edges, found "
            f"{len(nodes):,} and {len(edges):,}"
        )
    metadata = data.get("metadata")
    return Graph(nodes, tuple(dict.fromkeys(edges)), metadata if isinstance(metadata, dict) else {})


def _take_in(
    data: Mapping[str, Any], prefix: str, nodes: dict[str, Node], edges: list[tuple[str, str]],
    depth: int,
) -> None:  # fmt: skip
    if depth > _DEEPEST:
        raise NirError(f"graphs may lie up to {_DEEPEST} deep in one another, found more")
    inner = data.get("nodes")
    if not isinstance(inner, Mapping):
        raise NirError(f"a graph needs `nodes`, `{prefix or 'the file'}` has none")
    doors: dict[str, tuple[list[str], list[str]]] = {}
    for name, given in inner.items():
        if not isinstance(given, Mapping) or "type" not in given:
            raise NirError(f"node `{prefix}{name}` must say its `type`, found none")
        kind = _text(given["type"])
        if kind == "NIRGraph":
            _take_in(given, f"{prefix}{name}.", nodes, edges, depth + 1)
            within = given["nodes"]
            doors[name] = (_doors(within, "Input"), _doors(within, "Output"))
        else:
            nodes[f"{prefix}{name}"] = _node(f"{prefix}{name}", kind, given, bool(prefix))
    for source, target in _pairs(data.get("edges", ())):
        for end in (source, target):
            if end not in inner:
                raise NirError(
                    f"an edge of `{prefix or 'the graph'}` leads to `{end}`, which is no node"
                    f"{nearest(end, inner)}"
                )
        edges.append(
            (_door(prefix, source, doors, 1), _door(prefix, target, doors, 0)),
        )


def _doors(within: Mapping[str, Any], kind: str) -> list[str]:
    return [name for name, given in within.items() if _text(given.get("type", "")) == kind]


def _door(
    prefix: str, name: str, doors: Mapping[str, tuple[list[str], list[str]]], side: int
) -> str:
    if name not in doors:
        return prefix + name
    found = doors[name][side]
    if len(found) != 1:
        kind = ("Input", "Output")[side]
        raise NirError(
            f"graph `{prefix}{name}` within the graph needs one {kind} node, found {len(found)}"
        )
    return f"{prefix}{name}.{found[0]}"


def _node(name: str, kind: str, given: Mapping[str, Any], inside: bool) -> Node:
    if kind not in FIELDS or kind == "Identity":
        raise NirError(
            f"node `{name}` is of the unknown type `{kind}`{nearest(kind, FIELDS)} (Ember reads "
            f"{', '.join(k for k in FIELDS if k != 'Identity')})"
        )
    metadata = given.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if inside and kind in ("Input", "Output"):  # a door of an inner graph hands on what it gets
        return Node("Identity", {}, metadata)
    needed, optional = FIELDS[kind]
    missing = [key for key in needed if given.get(key) is None]
    if missing:
        raise NirError(f"node `{name}` ({kind}) lacks the field `{missing[0]}`")
    known = {key for key in (*needed, *optional) if given.get(key) is not None}
    return Node(kind, {key: _value(name, key, given[key]) for key in sorted(known)}, metadata)


def _value(name: str, key: str, value: Any) -> Value:
    if isinstance(value, (str, bytes)):
        return _text(value)
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NirError(f"node `{name}`: `{key}` must hold numbers, found {value!r:.60}") from None
    if not np.isfinite(array).all():
        raise NirError(f"node `{name}`: `{key}` must be finite, found NaN or infinity")
    array.flags.writeable = False
    return array


def _pairs(edges: Any) -> Iterator[tuple[str, str]]:
    for edge in edges:
        if len(edge) != 2:
            raise NirError(f"an edge must join two nodes, found {len(edge)} names")
        yield _text(edge[0]), _text(edge[1])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
