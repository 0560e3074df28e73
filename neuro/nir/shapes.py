"""The shape that every node of a graph hands on, told by the nodes themselves and their neighbours.

Frameworks write neuron parameters as scalars, leave convolutions without their input's shape, and
keep a batch dimension of 1 in front; all of that is settled here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from neuro.errors import SimulationError
from neuro.memory import require_memory
from neuro.nir.errors import NirError
from neuro.nir.graph import NEURONS, Graph, Node

__all__ = ["Shape", "Shapes", "shapes_of", "window"]

Shape = tuple[int, ...]
Shapes = Mapping[str, tuple[Shape, Shape]]
"""Per node, the shape of what it takes and of what it gives."""

_CELL_BYTES = 100  # of a value that goes into or out of a node: matrices' rows, parameters, state
_LONGEST = 10**9  # of one direction of a shape; engineering choice
_SPATIAL = {"Conv1d": 1, "Conv2d": 2, "SumPool2d": 2, "AvgPool2d": 2}


def shapes_of(graph: Graph) -> Shapes:
    """Shapes of all nodes.

    Raises:
        NirError: if two that are joined differ in size, or a size cannot be told.
    """
    taken: dict[str, Shape] = {}
    given: dict[str, Shape] = {}
    for name, node in graph.nodes.items():
        with _at(name, node):
            own = _own(node)
        if own:
            taken[name], given[name] = own
    changed = True
    while changed:
        changed = False
        for source, target in graph.edges:
            if source in given and target not in taken:
                node = graph.nodes[target]
                with _at(target, node):
                    taken[target] = _without_batch(node, given[source])
                    given[target] = _through(node, taken[target])
                changed = True
            elif target in taken and source not in given and _keeps(graph.nodes[source]):
                taken[source] = given[source] = taken[target]
                changed = True
    for name, node in graph.nodes.items():
        if name not in given:
            raise NirError(
                f"node `{name}` ({node.kind}): how many cells it has cannot be told; write its "
                f"parameters as arrays, or join it to a node that says"
            )
    _require_room(taken, given)
    for source, target in graph.edges:
        if math.prod(given[source]) != math.prod(taken[target]):
            raise NirError(
                f"nodes that are joined must agree in size, found `{source}` which gives "
                f"{_shown(given[source])} and `{target}` which takes {_shown(taken[target])}"
            )
    return {name: (taken[name], given[name]) for name in graph.nodes}


def _require_room(taken: Mapping[str, Shape], given: Mapping[str, Shape]) -> None:
    """A file can say any number of cells in a few bytes."""
    n = sum(float(math.prod(shape)) for shape in (*taken.values(), *given.values()))
    try:
        require_memory(n * _CELL_BYTES, f"a graph of {n:,.0f} values")
    except SimulationError as error:
        raise NirError(str(error)) from None


def window(node: Node, taken: Shape) -> tuple[Shape, Shape, Shape, Shape, Shape]:
    """Kernel, stride, dilation, padding before, and what comes out, one number a direction."""
    directions = _SPATIAL[node.kind]
    kernel = (
        node.array("weight").shape[2:]
        if node.kind.startswith("Conv")
        else _per_direction(node, "kernel_size", directions)
    )
    stride = _per_direction(node, "stride", directions)
    dilation = (
        _per_direction(node, "dilation", directions)
        if "dilation" in node.values
        else (1,) * directions
    )
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    padding = node.values["padding"]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise NirError(f"`padding` must be same, valid or numbers, found `{padding}`")
        if padding == "same" and any(s != 1 for s in stride):
            raise NirError("`padding` of same needs a stride of 1")
        around = tuple(s - 1 if padding == "same" else 0 for s in span)
        before = tuple(total // 2 for total in around)
    else:
        before = _per_direction(node, "padding", directions, least=0)
        around = tuple(2 * p for p in before)
    out = tuple(
        (n + pad - s) // step + 1
        for n, pad, s, step in zip(taken[-directions:], around, span, stride, strict=True)
    )
    if any(n < 1 for n in out):
        raise NirError(f"its kernel {kernel} is larger than its input {_shown(taken)}")
    return kernel, stride, dilation, before, out


def _own(node: Node) -> tuple[Shape, Shape] | None:
    """What a node says of itself."""
    if node.kind in ("Linear", "Affine"):
        weight = node.array("weight")
        if weight.ndim != 2:
            raise NirError(f"`weight` must have two dimensions, found {weight.ndim}")
        if node.kind == "Affine" and node.array("bias").shape != weight.shape[:1]:
            raise NirError(
                f"`bias` must have {weight.shape[0]} values, found {node.array('bias').shape}"
            )
        return (weight.shape[1],), (weight.shape[0],)
    if node.kind in _SPATIAL:
        said = node.values.get("input_shape")
        if said is None or isinstance(said, str):
            return None
        channels = node.array("weight").shape[1] * _whole(node, "groups")
        taken = (channels, *(int(n) for n in said.ravel()))
        return taken, _through(node, taken)
    if node.kind in ("Flatten", "Identity"):
        return None
    values = {"Scale": "scale", "Delay": "delay"}
    shape = node.array(values[node.kind]).shape if node.kind in values else node.shape
    if not all(1 <= n <= _LONGEST for n in shape):
        raise NirError(f"its shape must be of 1 to {_LONGEST:,}, found {_shown(shape)}")
    if node.kind in ("Input", "Output"):
        return shape, shape
    return None if math.prod(shape) == 1 else (shape, shape)  # one value may stand for all


def _keeps(node: Node) -> bool:
    return node.kind in (*NEURONS, "Delay", "Scale")


def _through(node: Node, taken: Shape) -> Shape:
    """The shape that comes out of a node for what goes in."""
    if node.kind in _SPATIAL:
        directions = _SPATIAL[node.kind]
        if len(taken) != directions + 1:
            raise NirError(
                f"it needs an input of {directions + 1} dimensions, found {_shown(taken)}"
            )
        out = window(node, taken)[-1]
        if not node.kind.startswith("Conv"):
            return (taken[0], *out)
        weight = node.array("weight")
        if weight.ndim != directions + 2:
            raise NirError(f"`weight` must have {directions + 2} dimensions, found {weight.ndim}")
        groups = _whole(node, "groups")
        if weight.shape[1] * groups != taken[0] or weight.shape[0] % groups:
            raise NirError(
                f"`weight` of shape {_shown(weight.shape)} in {groups} groups does not fit an "
                f"input of {taken[0]} channels"
            )
        return (weight.shape[0], *out)
    if node.kind == "Flatten":
        first, last = _whole(node, "start_dim", -99), _whole(node, "end_dim", -99)
        first, last = first % len(taken), last % len(taken)
        if first > last:
            raise NirError(f"`start_dim` must come before `end_dim`, found {first} and {last}")
        return (*taken[:first], math.prod(taken[first : last + 1]), *taken[last + 1 :])
    return taken


def _per_direction(node: Node, key: str, directions: int, least: int = 1) -> Shape:
    given = node.array(key).ravel()
    if given.size not in (1, directions) or (given % 1).any() or (given < least).any():
        raise NirError(
            f"`{key}` must be {directions} whole numbers of at least {least}, found "
            f"{given.tolist()}"
        )
    return tuple(int(n) for n in given) * (directions if given.size == 1 else 1)


def _whole(node: Node, key: str, least: int = 1) -> int:
    given = node.array(key)
    if given.size != 1 or given.ravel()[0] % 1 or given.ravel()[0] < least:
        raise NirError(f"`{key}` must be a whole number, found {given.tolist()}")
    return int(given.ravel()[0])


def _without_batch(node: Node, shape: Shape) -> Shape:
    """A batch of one, which frameworks leave in front of an image's shape, is none."""
    if node.kind in _SPATIAL and len(shape) == _SPATIAL[node.kind] + 2 and shape[0] == 1:
        return shape[1:]
    return shape


def _shown(shape: Shape) -> str:
    return " × ".join(map(str, shape)) or "one value"


@contextmanager
def _at(name: str, node: Node) -> Iterator[None]:
    """Say at which node something is wrong."""
    try:
        yield
    except NirError as error:
        raise NirError(f"node `{name}` ({node.kind}): {error}") from None
