"""Other tools on a NIR graph: Norse, snnTorch, and a plain reading of NIR's equations in NumPy."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import nir
import numpy as np
from numpy.typing import NDArray

from neuro import Network, Spikes, simulate

Trains = dict[str, set[tuple[int, int]]]
"""Per node, `(step, unit)` of each spike."""


class Ran(NamedTuple):
    """What the plain tool gives: outputs `(n_steps, n)` of each node, and how near to threshold
    a membrane ever came, relative to the largest voltage."""

    outputs: dict[str, NDArray[np.float64]]
    margin: float


def spikes_of(frames: NDArray[np.bool_], dt_ms: float) -> Spikes:
    """Spikes of `(n_steps, n)` frames."""
    steps, units = np.nonzero(frames)
    n_steps, n = frames.shape
    return Spikes(steps * dt_ms, units, n_units=n, t_stop_ms=n_steps * dt_ms)


def trains(outputs: Mapping[str, NDArray[np.float64]]) -> Trains:
    """The spikes in frames of zeros and ones."""
    return {name: set(zip(*map(list, np.nonzero(z)), strict=True)) for name, z in outputs.items()}


def ember(
    network: Network, lags: Mapping[str, int], n_steps: int, dt_ms: float, backend: str = "brian",
    seed: int = 0,
) -> Trains:  # fmt: skip
    """Ember's spikes in the steps of the other tool, of `n_steps` of them."""
    behind = max(lags.values())
    recording = simulate(
        network, duration_ms=(n_steps + behind) * dt_ms, dt_ms=dt_ms, seed=seed, backend=backend
    )
    found: Trains = {}
    for name, lag in lags.items():
        spikes = recording.spikes[name]
        steps = np.rint(spikes.times_ms / dt_ms).astype(int) - lag
        keep = (steps >= 0) & (steps < n_steps)
        found[name] = set(zip(steps[keep].tolist(), spikes.units[keep].tolist(), strict=True))
    return found


def plain(graph: nir.NIRGraph, dt_s: float, given: Mapping[str, NDArray[np.float64]]) -> Ran:
    """Run a graph by forward Euler, node by node: what arrives in a step is held for it.

    A Delay of d steps says what it heard d steps before; a loop without one hears the last step.
    """
    n_steps = len(next(iter(given.values())))
    order = _order(graph)
    place = {name: k for k, name in enumerate(order)}
    before = {name: [s for s, t in graph.edges if t == name] for name in graph.nodes}
    size = {name: _size(node) for name, node in graph.nodes.items()}
    out = {name: np.zeros((n_steps, size[name])) for name in graph.nodes}
    v = {name: np.zeros(size[name]) + getattr(node, "v_leak", 0.0)
         for name, node in graph.nodes.items()}  # fmt: skip
    i = {name: np.zeros(size[name]) for name in graph.nodes}
    margin = np.inf
    for k in range(n_steps):
        for name in order:
            node = graph.nodes[name]
            if isinstance(node, nir.Input):
                out[name][k] = given[name][k]
                continue
            if isinstance(node, nir.Delay):
                for unit, ago in enumerate(np.rint(node.delay / dt_s).astype(int)):
                    if ago <= k:
                        out[name][k, unit] = sum(out[s][k - ago, unit] for s in before[name])
                continue
            late = {s: int(place[s] >= place[name]) for s in before[name]}
            x = sum(out[s][k - late[s]] for s in before[name] if late[s] <= k)
            match node:
                case nir.Linear():
                    out[name][k] = node.weight @ (x + np.zeros(node.weight.shape[1]))
                case nir.Affine():
                    out[name][k] = node.weight @ (x + np.zeros(node.weight.shape[1])) + node.bias
                case nir.Scale():
                    out[name][k] = node.scale * x
                case nir.Output() | nir.Flatten():
                    out[name][k] = x
                case nir.Threshold():
                    out[name][k] = x > node.threshold
                case _:
                    tau = getattr(node, "tau", None)
                    if isinstance(node, (nir.CubaLIF, nir.CubaLI)):
                        i[name] = i[name] + dt_s / node.tau_syn * (node.w_in * x - i[name])
                        x, tau = i[name], node.tau_mem
                    slope = (
                        node.r * x if tau is None else (node.v_leak - v[name] + node.r * x) / tau
                    )
                    v[name] = v[name] + dt_s * slope
                    out[name][k] = v[name]
                    if hasattr(node, "v_threshold"):
                        z = v[name] > node.v_threshold
                        largest = max(np.abs(v[name]).max(), np.abs(node.v_threshold).max())
                        margin = min(margin, np.abs(v[name] - node.v_threshold).min() / largest)
                        v[name] = np.where(z, node.v_reset, v[name])
                        out[name][k] = z
    return Ran(out, float(margin))


def rounding(graph: nir.NIRGraph, dt_s: float) -> float:
    """How far single precision can carry a membrane from the truth, relative to its largest value.

    A step rounds the membrane once, by at most 2**-24 of it; what it adds is dt / tau of that, and
    all its roundings together count as a second. A membrane sums what the steps of the last time
    constant left.
    """
    taus = [np.max(getattr(node, key)) for node in graph.nodes.values()
            for key in ("tau", "tau_mem", "tau_syn") if hasattr(node, key)]  # fmt: skip
    return float(2 * 2.0**-24 * max(taus) / dt_s)


def _size(node: nir.NIRNode) -> int:
    return int(np.prod(next(iter(node.output_type.values()))))


def _order(graph: nir.NIRGraph) -> list[str]:
    """Each node after all it hears now, but for what closes a loop; a Delay hears the past."""
    before = {name: sorted(s for s, t in graph.edges if t == name) for name in graph.nodes}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Delay) and (node.delay > 0).all():
            before[name] = []
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done or name in above:
            return
        for source in before[name]:
            visit(source, (*above, name))
        done.append(name)

    for name in sorted(graph.nodes):
        visit(name, ())
    return done


def norse(path: str, dt_s: float, x: NDArray[np.float64]) -> Trains:
    """What Norse's own reader makes of a file, driven with `(n_steps, n)`; all its nodes."""
    import norse.torch
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = norse.torch.from_nir(nir.read(path), dt=dt_s)
        state, frames = None, list[dict[str, NDArray[np.float64]]]()
        for frame in torch.from_numpy(x.astype(np.float32)):
            _, state = net(frame, state)
            frames.append({name: z.detach().numpy() > 0 for name, z in state.cache.items()})
    return trains({name: np.array([f[name] for f in frames]) for name in frames[0]})


def snntorch(path: str, x: NDArray[np.float64]) -> set[tuple[int, int]]:
    """What snnTorch's own reader makes of a file: the spikes of its output. Its step is 0.1 ms."""
    import torch
    from snntorch.import_nir import import_from_nir

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        net = import_from_nir(nir.read(path))
    state, frames = None, []
    for frame in torch.from_numpy(x.astype(np.float32)):
        z, state = net(frame[None], state)
        frames.append(z.detach().numpy()[0] > 0)
    return trains({"out": np.array(frames)})["out"]
