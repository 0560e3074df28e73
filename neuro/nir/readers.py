"""What the readers of other tools make of a graph: what they refuse, and what they get wrong.

Read off their sources, and held by tests that run them: Norse 1.1.0 (`utils/import_nir.py`, run by
nirtorch 2.6's `GraphExecutor`) and snnTorch 1.0.0 (`import_nir.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuro.nir.graph import NEURONS, Graph, Node

__all__ = ["READERS", "norse_problems", "snntorch_problems"]

_NORSE = {
    "Input", "Output", "Identity", "Affine", "Linear", "Conv2d", "Flatten", "SumPool2d", "IF",
    "LIF", "CubaLIF",
}  # fmt: skip
_SNNTORCH = {
    "Input", "Output", "Affine", "Linear", "Conv2d", "Flatten", "AvgPool2d", "LIF", "CubaLIF",
}  # fmt: skip
_SNNTORCH_DT_S = 1e-4


def norse_problems(graph: Graph, dt_ms: float) -> list[str]:
    """Why `norse.torch.from_nir(graph, dt=dt_ms / 1000)` would not give the graph's spikes."""
    found = _unknown(graph, _NORSE) + _many_inputs(graph) + _too_fast(graph, dt_ms)
    for name in graph.of_kind("IF", "LIF", "CubaLIF"):
        node = graph.nodes[name]
        if np.any(_given(node, "v_reset")):
            found.append(f"it ignores `v_reset` of `{name}` and resets to 0")
        if node.kind == "LIF" and np.any(_given(node, "r") != 1):
            found.append(f"it ignores `r` of `{name}`")
        if node.kind == "IF" and not np.allclose(_given(node, "r") * dt_ms, 1000.0, rtol=1e-6):
            found.append(f"it takes `r` of `{name}` for 1 / dt")
        if node.kind == "CubaLIF" and np.any(_given(node, "v_leak")):
            found.append(f"the synaptic current of `{name}` decays to `v_leak`")
    return found + _run_too_early(graph)


def snntorch_problems(graph: Graph, dt_ms: float) -> list[str]:
    """Why `snntorch.import_nir.import_from_nir(graph)` would not give the graph's spikes."""
    found = _unknown(graph, _SNNTORCH) + _many_inputs(graph) + _too_fast(graph, dt_ms)
    if abs(dt_ms / 1000.0 - _SNNTORCH_DT_S) > 1e-9 * _SNNTORCH_DT_S:
        found.append(f"it has a fixed step of 0.1 ms, the graph is for {dt_ms:g} ms")
    for name in graph.of_kind("LIF", "CubaLIF"):
        node = graph.nodes[name]
        for key in ("v_leak", "v_reset"):
            if np.any(_given(node, key)):
                found.append(f"it has no `{key}`, and that of `{name}` is not 0")
        tau = _given(node, "tau" if node.kind == "LIF" else "tau_mem")
        scale = _given(node, "r") / tau
        if node.kind == "CubaLIF":
            if not np.allclose(_given(node, "r") * _SNNTORCH_DT_S, tau):
                found.append(f"it needs `r` of `{name}` to be tau_mem / dt")
            scale = _given(node, "w_in", 1.0) / _given(node, "tau_syn")
        for what, value in (("v_threshold", _given(node, "v_threshold")), ("gains", scale)):
            if np.ptp(value) > 1e-6 * np.abs(value).max():
                found.append(f"it needs one `{what}` for all cells of `{name}`")
    if _loop(graph):
        found.append("it runs no loops but its own")
    return found


READERS: dict[str, Callable[[Graph, float], list[str]]] = {
    "Norse 1.1": norse_problems,
    "snnTorch 1.0": snntorch_problems,
}
"""By tool: the problems it has with a graph and a step in ms; none means that it reads it right."""


def _given(node: Node, key: str, default: float = 0.0) -> np.ndarray:
    return node.array(key) if key in node.values else np.full(node.shape, default)


def _unknown(graph: Graph, known: set[str]) -> list[str]:
    odd = sorted({node.kind for node in graph.nodes.values()} - known)
    return [f"it knows no {kind}" for kind in odd]


def _many_inputs(graph: Graph) -> list[str]:
    n = len(graph.of_kind("Input"))
    return [] if n == 1 else [f"it takes one Input, the graph has {n}"]


def _too_fast(graph: Graph, dt_ms: float) -> list[str]:
    """As in files of Norse's export, whose time constants are multiplied by dt."""
    for name in graph.of_kind("LI", "LIF", "CubaLI", "CubaLIF"):
        for key in ("tau", "tau_mem", "tau_syn"):
            tau = _given(graph.nodes[name], key, np.inf)
            if np.any(tau * 1000.0 < dt_ms * (1 - 1e-6)):
                return [f"`{key}` of `{name}` is shorter than the step"]
    return []


def _run_too_early(graph: Graph) -> list[str]:
    """nirtorch runs nodes depth first; one that runs before what it hears gets the last step's."""
    after: dict[str, list[str]] = {}
    for source, target in graph.edges:
        after.setdefault(source, []).append(target)
    order: dict[str, int] = {}
    left = graph.of_kind("Input")[:1]
    while left:
        name = left.pop()
        if name not in order:
            order[name] = len(order)
            left.extend(reversed(after.get(name, [])))
    late = [(s, t) for s, t in graph.edges if order.get(s, -1) > order.get(t, -1)]
    return [f"it runs `{t}` before `{s}`, from which `{t}` hears" for s, t in late[:1]]


def _loop(graph: Graph) -> bool:
    from graphlib import CycleError, TopologicalSorter

    before: dict[str, set[str]] = {name: set() for name in graph.nodes}
    for source, target in graph.edges:
        before[target].add(source)
    try:
        TopologicalSorter(before).prepare()
    except CycleError:
        return any(graph.nodes[name].kind in NEURONS for name in graph.nodes)
    return False
