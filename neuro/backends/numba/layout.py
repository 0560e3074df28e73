"""Lay a built network out in the flat arrays that the printed kernel walks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.build import Built, BuiltProjection, steps_of
from neuro.modulation import Transmitter
from neuro.network import participants

__all__ = ["Edges", "Layout", "Modulators", "lay_out"]


@dataclass(frozen=True, eq=False)
class Edges:
    """One projection's edges, sorted by (block, source, delay, target)."""

    pointer: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.float64]
    delays: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Modulators:
    """Transmitters, receptors and effects as numbers; see `kernel.factors_of`."""

    decay: NDArray[np.float64]
    per_spike: NDArray[np.float64]  # rise of the concentration for one spike of one cell
    release_steps: NDArray[np.int64]
    receptors: NDArray[np.float64]
    effects: NDArray[np.float64]
    factor_keys: tuple[str, ...]  # `target.parameter`


@dataclass(frozen=True, eq=False)
class Layout:
    """What does not depend on the programs: blocks, edges, rings, modulators."""

    n_blocks: int
    bounds: Mapping[str, NDArray[np.int64]]
    edges: tuple[Edges, ...]
    depth: Mapping[str, int]
    modulators: Modulators


def lay_out(built: Built, n_blocks: int) -> Layout:
    """Split every population into `n_blocks` blocks of cells, and its incoming edges with it."""
    network = built.network
    bounds = {
        p.name: np.linspace(0, p.n, n_blocks + 1).round().astype(np.int64)
        for p in built.populations
    }
    depth = {item.name: 1 for item in participants(network)}
    for projection in built.projections:
        longest = int(projection.delay_steps.max(initial=0))
        name = projection.projection.source
        depth[name] = max(depth[name], longest + 1)
    modulators = _modulators(built)
    for transmitter, steps in zip(network.transmitters, modulators.release_steps, strict=True):
        if transmitter.released_by:
            name = transmitter.released_by
            depth[name] = max(depth[name], int(steps) + 1)
    sizes = {item.name: item.n for item in participants(network)}
    edges = tuple(
        _edges(p, sizes[p.projection.source], bounds[p.projection.target])
        for p in built.projections
    )
    return Layout(n_blocks, bounds, edges, depth, modulators)


def _edges(projection: BuiltProjection, n_sources: int, bounds: NDArray[np.int64]) -> Edges:
    delays, which = np.unique(projection.delay_steps, return_inverse=True)
    block = np.searchsorted(bounds, projection.target, side="right") - 1
    n_blocks = bounds.size - 1
    bucket = (block * n_sources + projection.source) * max(delays.size, 1) + which
    order = np.argsort(bucket, kind="stable")  # edges come sorted by target within a bucket
    counts = np.bincount(bucket, minlength=n_blocks * n_sources * max(delays.size, 1))
    pointer = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=pointer[1:])
    return Edges(
        pointer,
        projection.target[order].astype(np.int32),
        projection.weight[order],
        delays.astype(np.int64),
    )


def _modulators(built: Built) -> Modulators:
    network = built.network
    dt_ms = built.dt_ms
    receptors = {r.name: k for k, r in enumerate(network.receptors)}
    transmitters = {t.name: k for k, t in enumerate(network.transmitters)}
    keys: dict[str, int] = {}
    effects = []
    for effect in network.effects:
        factor = keys.setdefault(f"{effect.target}.{effect.parameter}", len(keys))
        effects.append((factor, receptors[effect.receptor], effect.at_saturation - 1.0))
    return Modulators(
        decay=np.array([np.exp(-dt_ms / float(t.uptake)) for t in network.transmitters]),
        per_spike=np.array([_per_spike(built, t) for t in network.transmitters]),
        release_steps=np.array(
            [release_steps(t, dt_ms) for t in network.transmitters], dtype=np.int64
        ),
        receptors=np.array(
            [(transmitters[r.transmitter], float(r.ec50), r.hill) for r in network.receptors]
        ).reshape(-1, 3),
        effects=np.array(effects, dtype=np.float64).reshape(-1, 3),
        factor_keys=tuple(keys),
    )


def _per_spike(built: Built, transmitter: Transmitter) -> float:
    if not transmitter.released_by:
        return 0.0
    n = built.network.population(transmitter.released_by).n
    return float(transmitter.per_spike) / n


def release_steps(transmitter: Transmitter, dt_ms: float) -> int:
    """Steps from a spike to the rise of the concentration; at least one, as for synapses."""
    return max(1, steps_of(float(transmitter.delay), dt_ms, f"delay of `{transmitter.name}`"))
