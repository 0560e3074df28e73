"""In which order a network is stepped: groups of populations, each some steps at a time.

Populations that reach each other in a circle make one group; a group comes after those that feed
it. What arrives within a group was sent at least its shortest delay before, so that many steps
can be taken before spikes are exchanged, and a group without a circle takes all at once: the
products of spikes and weights are then a few large ones. Synapses that look at their cells in
every step (plastic ones, gap junctions) leave their group one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from neuro.build import Built
from neuro.edge_binding import scaled_by
from neuro.network import Network
from neuro.timing import release_steps

__all__ = ["Group", "groups_of", "targets_of"]


@dataclass(frozen=True)
class Group:
    """Populations that are stepped together.

    Attributes:
        populations: Their names.
        transmitters: Numbers of the transmitters whose course is computed with them.
        most: Steps that can be taken at once; 0 if any number.
        plastic: Names of the projections onto them whose synapses have a state of their own.
    """

    populations: tuple[str, ...]
    transmitters: tuple[int, ...]
    most: int
    plastic: tuple[str, ...]


def groups_of(built: Built, shortest: Mapping[str, int]) -> tuple[Group, ...]:
    """The groups of a network, each after those it depends on.

    Args:
        shortest: Each projection's shortest delay, in steps.
    """
    network = built.network
    names = [p.name for p in built.populations]
    nodes: list[str | int] = [*names, *range(len(network.transmitters))]
    number = {node: k for k, node in enumerate(nodes)}
    links = _links(built, shortest)
    pairs = [(number[a], number[b]) for a, b, _ in links]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(nodes), len(nodes)))
    _, label = connected_components(graph, connection="strong")
    plastic = {e: _target(built, e) for e in built.edges}
    found = []
    for members in _in_order(label, pairs):
        inside = {nodes[k] for k in members}
        # A transmitter's course is known before the steps in which it acts.
        delays = [delay for a, b, delay in links
                  if a in inside and b in inside and not isinstance(a, int)]  # fmt: skip
        ours = tuple(name for name, target in plastic.items() if target in inside)
        found.append(
            Group(
                tuple(name for name in names if name in inside),
                tuple(k for k in range(len(network.transmitters)) if k in inside),
                1 if ours else max(1, min(delays)) if delays else 0,
                ours,
            )
        )
    return tuple(found)


def _links(built: Built, shortest: Mapping[str, int]) -> list[tuple[str | int, str | int, int]]:
    """`(from, to, steps)`: what one participant does shows in the other so much later."""
    network = built.network
    cells = {p.name for p in built.populations}
    links: list[tuple[str | int, str | int, int]] = []
    for projection in network.projections:
        pre, post = projection.source, projection.target
        if pre not in cells:
            continue
        links.append((pre, post, shortest[projection.name]))
        edge = built.edges.get(projection.name)
        if edge and edge.program.reads_pre:
            links += [(pre, post, 0), (post, pre, 0)]
    targets = targets_of(network)
    senses = {r.name: k for r in network.receptors for k, t in enumerate(network.transmitters)
              if t.name == r.transmitter}  # fmt: skip
    for k, transmitter in enumerate(network.transmitters):
        if transmitter.released_by:
            links.append(
                (transmitter.released_by, k, release_steps(float(transmitter.delay), built.dt_ms))
            )
    for effect in network.effects:
        places = scaled_by(built)[f"{effect.target}.{effect.parameter}"]
        for owner in {targets.get(place.owner, place.owner) for place in places} & cells:
            links.append((senses[effect.receptor], owner, 0))
    return links


def targets_of(network: Network) -> dict[str, str]:
    """The target of each projection and background."""
    found = {p.name: p.target for p in network.projections}
    return found | {b.name: b.target for b in network.backgrounds}


def _target(built: Built, projection: str) -> str:
    return next(p.target for p in built.network.projections if p.name == projection)


def _in_order(label: np.ndarray, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The members of each component, after those of the components that lead to it."""
    leads: dict[int, set[int]] = {int(k): set() for k in label}
    for a, b in pairs:
        if label[a] != label[b]:
            leads[int(label[b])].add(int(label[a]))
    done: list[int] = []
    while len(done) < len(leads):
        ready = [k for k, before in leads.items() if k not in done and before <= set(done)]
        done += ready[:1]
    return [[int(m) for m in np.flatnonzero(label == k)] for k in done]
