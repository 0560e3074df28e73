"""When a spike acts: the steps of other tools against Ember's.

In every tool that reads NIR, a spike of step k acts in step k on the next layer, and around a loop
in step k + 1. In Ember it arrives one step later at the earliest, after that step's update, so it
acts in step k + 2. A network can still be the same, spike for spike: each population runs a fixed
number of steps, its lag, behind the other tool's (retiming: Leiserson & Saxe 1991, Algorithmica
6:5), and delays make up the difference. Only a loop can be too short for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from neuro.nir.errors import NirError

__all__ = ["ARRIVAL", "Link", "lags_to_read", "lags_to_write"]

ARRIVAL = 2
"""Steps from a spike to the first update that sees it, with the shortest delay of one step."""

Kind = Literal["spikes", "at once"]


class Link(NamedTuple):
    """Signals of `source` that act on `target` after `latency` steps of the other tool.

    `spikes` travel on synapses with a delay, which can be lengthened; `at once` is what a synapse
    reads off its source at every step, one step later, no sooner and no later.
    """

    source: str
    target: str
    latency: int
    kind: Kind = "spikes"


def lags_to_read(names: Iterable[str], links: Sequence[Link]) -> tuple[dict[str, int], set[Link]]:
    """Lags, as small as can be, and the spike links that have to act at once.

    A link needs a delay of `latency + lag(target) - lag(source) - 1` steps, at least one.

    Raises:
        NirError: if a loop is shorter than Ember's steps allow.
    """
    names = list(names)
    if (found := _solved(names, links)) is not None:
        return found, set()
    loops = _loops(names, links)
    inside = [k for k in links if k.kind == "spikes" and loops[k.source] == loops[k.target]]
    for longest in sorted({link.latency for link in inside}):  # as few as will do
        fast = {link for link in inside if link.latency <= longest}
        at_once = [link._replace(kind="at once") if link in fast else link for link in links]
        if (found := _solved(names, at_once)) is not None:
            return found, fast
    members = [n for n in names if any(n in (k.source, k.target) for k in inside)] or names
    raise NirError(
        f"a loop must take at least one step for each neuron node in it, found a faster one "
        f"through {' and '.join(f'`{n}`' for n in members[:4])}; lengthen its Delay nodes"
    )


def lags_to_write(
    names: Iterable[str], links: Sequence[Link], on_time: Iterable[str]
) -> dict[str, int]:
    """Lags, as large as can be, so that as few Delay nodes as can be are left.

    What is left of a link is `latency + lag(source) - lag(target)` steps, at least none.

    Args:
        on_time: Those that must not lag, since they are not at rest when a run starts.
    """
    names, start = list(names), set(on_time)
    heard = {link.target for link in links}
    start |= {n for n in names if n not in heard}
    lags = dict.fromkeys(start, 0)
    waiting = [n for n in names if n not in lags]
    while True:
        changed = True
        while changed:
            changed = False
            for link in links:
                if link.source in lags and link.target not in start:
                    lag = lags[link.source] + link.latency
                    if lag < lags.get(link.target, lag + 1):
                        lags[link.target] = lag
                        changed = True
        left = [n for n in waiting if n not in lags]
        if not left:
            return lags
        start.add(left[0])  # a loop that nothing reaches may start anywhere
        lags[left[0]] = 0


def _solved(names: Sequence[str], links: Sequence[Link]) -> dict[str, int] | None:
    """The smallest lags with lag(target) >= lag(source) + least, by relaxation; None if none."""
    bounds = [
        (link.source, link.target, (ARRIVAL if link.kind == "spikes" else 1) - link.latency)
        for link in links
    ]
    bounds += [
        (link.target, link.source, link.latency - 1) for link in links if link.kind == "at once"
    ]
    lags = dict.fromkeys(names, 0)
    for _ in range(len(names) + 1):
        changed = False
        for source, target, least in bounds:
            if lags[target] < lags[source] + least:
                lags[target] = lags[source] + least
                changed = True
        if not changed:
            return lags
    return None


def _loops(names: Iterable[str], links: Sequence[Link]) -> Mapping[str, int]:
    """A number for each set of nodes that reach one another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    at = {name: k for k, name in enumerate(names)}
    ends = [(at[link.source], at[link.target]) for link in links]
    rows, columns = zip(*ends, strict=True) if ends else ((), ())
    joined = coo_array(([True] * len(ends), (rows, columns)), shape=(len(at), len(at)))
    labels = connected_components(joined, directed=True, connection="strong")[1]
    return {name: int(labels[k]) for name, k in at.items()}
