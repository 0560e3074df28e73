"""Linear nodes as sparse matrices: Linear, Affine, Scale, convolutions, pools, Flatten.

All that lies between two neurons is one matrix for each delay, so that whatever a file strings
together becomes weighted, delayed synapses. Images are counted channel by channel, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SimulationError
from neuro.memory import require_memory
from neuro.nir.errors import NirError
from neuro.nir.graph import NEURONS, Graph, Node
from neuro.nir.shapes import Shape, Shapes, window

__all__ = ["Incoming", "incoming"]

Matrix = Any
"""A scipy CSR matrix, `(n_out, n_in)`."""

_ENTRY_BYTES = 40  # of a matrix entry while matrices are multiplied, measured with scipy


@dataclass(eq=False)
class Incoming:
    """What arrives at a node: matrices from each origin and delay, and constants from each delay.

    Delays are whole steps; origins are neurons and inputs of the graph.
    """

    matrices: dict[tuple[str, int], Matrix] = field(default_factory=dict)
    constants: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, other: Incoming) -> None:
        """Take in what comes from a further node; signals that meet are summed."""
        for key, matrix in other.matrices.items():
            self.matrices[key] = self.matrices[key] + matrix if key in self.matrices else matrix
        for delay, constant in other.constants.items():
            self.constants[delay] = self.constants.get(delay, 0.0) + constant


def incoming(graph: Graph, shapes: Shapes, dt_ms: float, time_ms: float) -> dict[str, Incoming]:
    """What arrives at each neuron and output, through all linear nodes before it.

    Args:
        time_ms: One of the file's units of time, for Delay nodes.

    Raises:
        NirError: if linear nodes form a loop, a delay is no whole number of steps, or the
            matrices would not fit into memory.
    """
    sent: dict[str, Incoming] = {}
    arriving: dict[str, Incoming] = {}
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        before[target].append(source)
    for name in _order(graph, before):
        node, (taken, given) = graph.nodes[name], shapes[name]
        total = Incoming()
        for source in sorted(before[name]):
            if _starts(graph.nodes[source]):
                total.add(Incoming({(source, 0): _identity(math.prod(taken))}))
            else:
                total.add(sent[source])
        if node.kind in NEURONS or node.kind == "Output":
            arriving[name] = total
        else:
            try:
                sent[name] = _sent(node, taken, given, total, dt_ms, time_ms)
            except NirError as error:
                raise NirError(f"node `{name}` ({node.kind}): {error}") from None
    return arriving


def _starts(node: Node) -> bool:
    return node.kind in NEURONS or node.kind == "Input"


def _order(graph: Graph, before: Mapping[str, list[str]]) -> list[str]:
    """Linear nodes each after what it hears, then the others; inputs are left out."""
    ends = [n for n, node in graph.nodes.items() if node.kind in NEURONS or node.kind == "Output"]
    linear = {n for n, node in graph.nodes.items() if not _starts(node) and node.kind != "Output"}
    waiting = {n: sum(source in linear for source in before[n]) for n in linear}
    after: dict[str, list[str]] = {n: [] for n in linear}
    for n in linear:
        for source in before[n]:
            if source in linear:
                after[source].append(n)
    ready, done = sorted(n for n in linear if not waiting[n]), list[str]()
    while ready:
        name = ready.pop()
        done.append(name)
        for n in after[name]:
            waiting[n] -= 1
            if not waiting[n]:
                ready.append(n)
    if left := sorted(linear - set(done)):
        raise NirError(f"linear nodes must not form a loop, found {' and '.join(left[:4])}")
    return done + ends


def _sent(
    node: Node, taken: Shape, given: Shape, total: Incoming, dt_ms: float, time_ms: float
) -> Incoming:
    if node.kind == "Delay":
        return _delayed(total, _steps(node, math.prod(given), dt_ms, time_ms))
    matrix = _matrix(node, taken, given)
    if matrix is None:
        return total
    found = Incoming(
        {key: _product(matrix, other) for key, other in total.matrices.items()},
        {delay: matrix @ constant for delay, constant in total.constants.items()},
    )
    if "bias" in node.values:
        bias = np.repeat(node.array("bias"), math.prod(given[1:]))
        found.add(Incoming(constants={0: bias}))
    return found


def _steps(node: Node, n: int, dt_ms: float, time_ms: float) -> NDArray[np.int64]:
    delay_ms = np.broadcast_to(node.array("delay").ravel() * time_ms, (n,))
    if (delay_ms < 0).any():
        raise NirError(f"a delay must not be negative, found {delay_ms.min():g} ms")
    steps = np.rint(delay_ms / dt_ms)
    odd = np.abs(steps * dt_ms - delay_ms) > 1e-6 * dt_ms + 1e-15 * delay_ms
    if odd.any():
        raise NirError(
            f"a delay must be a whole number of steps of {dt_ms:g} ms, found "
            f"{delay_ms[odd][0]:g} ms; read the file with another dt"
        )
    return steps.astype(np.int64)


def _delayed(total: Incoming, steps: NDArray[np.int64]) -> Incoming:
    """Rows are split by how long they are held back."""
    from scipy.sparse import diags_array

    found = Incoming()
    for d in np.unique(steps):
        rows = (steps == d).astype(np.float64)
        keep = diags_array(rows).tocsr()
        for (origin, delay), matrix in total.matrices.items():
            part = keep @ matrix
            part.eliminate_zeros()
            found.add(Incoming({(origin, delay + int(d)): part}))
        for delay, constant in total.constants.items():
            found.add(Incoming(constants={delay + int(d): rows * constant}))
    return found


def _identity(n: int) -> Matrix:
    from scipy.sparse import eye_array

    return eye_array(n, format="csr")


def _product(left: Matrix, right: Matrix) -> Matrix:
    """`left @ right`, unless what comes out would not fit."""
    entries = float(np.diff(right.indptr)[left.indices].sum()) if left.nnz else 0.0
    _require(min(entries, float(left.shape[0]) * right.shape[1]))
    return (left @ right).tocsr()


def _require(entries: float) -> None:
    try:
        require_memory(entries * _ENTRY_BYTES, "its matrix")
    except SimulationError as error:
        raise NirError(str(error)) from None


def _matrix(node: Node, taken: Shape, given: Shape) -> Matrix | None:
    """The node's matrix; None where it hands on what it gets."""
    from scipy.sparse import csr_array, diags_array

    if node.kind in ("Linear", "Affine"):
        return csr_array(node.array("weight"))
    if node.kind == "Scale":
        scale = np.broadcast_to(node.array("scale").ravel(), (math.prod(given),))
        return diags_array(scale).tocsr()
    if node.kind in ("Conv1d", "Conv2d"):
        weight = node.array("weight")
        groups = int(node.array("groups").ravel()[0])
        return _slid(node, taken, given, weight, groups)
    if node.kind in ("SumPool2d", "AvgPool2d"):
        kernel = window(node, taken)[0]
        one = np.ones((taken[0], 1, *kernel))
        if node.kind == "AvgPool2d":
            one /= math.prod(kernel)
        return _slid(node, taken, given, one, taken[0])
    return None


def _slid(
    node: Node, taken: Shape, given: Shape, weight: NDArray[np.float64], groups: int
) -> Matrix:
    """The matrix of a kernel that is slid over its input, `weight` being (out, in / groups, …).

    As PyTorch has it: a cross-correlation, with zeros around the input.
    """
    from scipy.sparse import coo_array

    kernel, stride, dilation, before, out = window(node, taken)
    n_out, n_in = weight.shape[:2]
    _require(float(weight.size) * math.prod(out))
    # Along each direction: (out, kernel) -> where in the input, and whether it is inside.
    places = [
        np.arange(o)[:, None] * s + np.arange(k)[None, :] * d - p
        for o, k, s, d, p in zip(out, kernel, stride, dilation, before, strict=True)
    ]
    position = np.zeros((1, 1), np.int64)
    inside = np.ones((1, 1), bool)
    for place, size in zip(places, taken[1:], strict=True):
        within = (place >= 0) & (place < size)
        rows = position.shape[0] * place.shape[0]
        position = (
            position[:, None, :, None] * size + place[None, :, None, :]
        ).reshape(rows, -1)  # fmt: skip
        inside = (inside[:, None, :, None] & within[None, :, None, :]).reshape(rows, -1)
    pixels, taps = position.shape
    area = math.prod(taken[1:])
    channel = np.arange(n_out) // (n_out // groups) * n_in  # the first input channel of each output
    shape = (n_out, n_in, pixels, taps)
    row = np.broadcast_to(
        (np.arange(n_out)[:, None] * pixels + np.arange(pixels)[None, :])[:, None, :, None], shape
    )
    column = (channel[:, None] + np.arange(n_in)[None, :])[:, :, None, None] * area + position
    values = np.broadcast_to(weight.reshape(n_out, n_in, 1, taps), shape)
    keep = np.broadcast_to(inside, shape)
    whole = (math.prod(given), math.prod(taken))
    return coo_array((values[keep], (row[keep], column[keep])), shape=whole).tocsr()
