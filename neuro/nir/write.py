"""A network -> a NIR graph that other tools run to the same spikes.

network -> cells, or everything that NIR cannot say -> links and lags -> graph
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuro.build import Built, build
from neuro.errors import SimulationError, nearest
from neuro.memory import require_memory
from neuro.network import Network, participants
from neuro.nir._drawing import Bundle, Drawing
from neuro.nir._nodes import Cell, cell_of
from neuro.nir._package import nir_package
from neuro.nir.errors import NirError, NirUnsupported
from neuro.nir.own import described
from neuro.nir.timing import Link, lags_to_write
from neuro.nir.units import OWN
from neuro.units import quantities

if TYPE_CHECKING:
    import nir

__all__ = ["WITHOUT", "drawn", "lags_of", "to_nir"]

WITHOUT = ("refractory", "modulation", "background", "coincidences")
"""What may be left out of a graph on purpose, by name. `coincidences`: that the reset of a cell
wipes out what arrives through delta synapses in the step of its spike."""

_MOST_DELAYS = 64  # Delay nodes for one projection; engineering choice
_COPIES = 4  # of the dense weights: Ember's, scaled, their sum, and as they are written


@quantities
def to_nir(
    network: Network | Built,
    *,
    dt_ms: float = 0.1,
    seed: int = 0,
    outputs: Sequence[str] | None = None,
    without: Collection[str] = (),
) -> nir.NIRGraph:
    """The NIR graph of a network.

    Run by a tool that advances NIR by forward Euler with steps of `dt_ms`, it gives Ember's
    spikes, each population's a fixed number of steps earlier (`lags_of`). The metadata say the
    step, the units, and what Ember needs to get the very network back.

    Args:
        network: What to write; a `Built` one has its edges, seed and step already.
        dt_ms, seed: Of the run that the graph stands for.
        outputs: Populations with an Output node; those that no other listens to if left out.
        without: What to leave out, of `WITHOUT`; the graph is another network then.

    Raises:
        NirUnsupported: naming everything that NIR has no words for.
        NirError: if a name cannot stand in a file, or the dense weights would not fit.
        NetworkError, EquationError: if the network itself is wrong.
    """
    drawing, metadata = drawn(network, dt_ms=dt_ms, seed=seed, outputs=outputs, without=without)
    package = nir_package()
    nodes = {}
    for name, (kind, values, noted) in drawing.nodes.items():
        if kind in ("Input", "Output"):
            nodes[name] = getattr(package, kind)(values["shape"])
        else:
            nodes[name] = getattr(package, kind)(**values, metadata=noted)
    return package.NIRGraph(nodes, drawing.edges, metadata=metadata)


@quantities
def drawn(
    network: Network | Built, *, dt_ms: float, seed: int, outputs: Sequence[str] | None,
    without: Collection[str],
) -> tuple[Drawing, dict[str, Any]]:  # fmt: skip
    """What `to_nir` makes a graph of, and the metadata beside it."""
    for name in without:
        if name not in WITHOUT:
            raise NirError(
                f"what is left out must be {', '.join(WITHOUT)}, found `{name}`"
                f"{nearest(name, WITHOUT)}"
            )
    built = network if isinstance(network, Built) else build(network, seed=seed, dt_ms=dt_ms)
    _check_names(built.network)
    cells = _cells(built, set(without))
    bundles = _bundles(built, cells)
    lags = _lags(built, cells, bundles)
    bundles = [
        b._replace(left=b.delay_steps + 1 + lags[b.source] - lags[b.target]) for b in bundles
    ]
    graph = Drawing()
    heard = {b.source for b in bundles}
    inputs = {s.source.name: s.source.n for s in built.sources if s.source.name in heard}
    for name, n in inputs.items():
        graph.add(name, "Input", shape=np.array([n]))
    entries = graph.neurons(cells)
    direct = graph.weights(bundles, entries, built.dt_ms / 1000.0)
    graph.constants(cells, direct, list(inputs))
    sizes = {p.name: p.n for p in built.populations}
    graph.doors(sizes)
    graph.outputs(_reported(built, bundles, outputs), sizes)
    metadata: dict[str, Any] = {
        "dt": built.dt_ms / 1000.0,
        "units": OWN.metadata(),
        "lags": {name: lags[name] for name in cells},
    }
    if (own := described(built, without)) is not None:
        metadata["ember"] = own
    return graph, metadata


def lags_of(graph: nir.NIRGraph) -> dict[str, int]:
    """By how many steps each population's spikes come later in Ember than in other tools.

    Raises:
        NirError: if Ember did not write the graph.
    """
    if "lags" not in graph.metadata:
        raise NirError("the graph says nothing of lags; only graphs that Ember writes do")
    return {name: int(lag) for name, lag in graph.metadata["lags"].items()}


def _check_names(network: Network) -> None:
    names = [item.name for item in participants(network)]
    for name in [*names, *(p.name for p in network.projections)]:
        if not name or any(letter in name for letter in "/."):
            raise NirError(
                f"a name in a NIR file must have a letter, no `/` and no `.`, found `{name}`"
            )


def _cells(built: Built, without: set[str]) -> dict[str, Cell]:
    network, reasons = built.network, list[str]()
    if "modulation" not in without:
        reasons += [f"modulation (transmitter `{t.name}`)" for t in network.transmitters]
    if "background" not in without:
        reasons += [f"a Poisson background (`{b.background.name}`)" for b in built.backgrounds]
    reasons += [
        f"synapses with a state of their own (projection `{name}`: `{edge.program.name}`)"
        for name, edge in built.edges.items()
        if not edge.program.name.startswith("nir_")
    ]
    stateful = _targets(built) if reasons else set()
    found: dict[str, Cell] = {}
    for population in built.populations:
        if population.name in stateful:
            continue  # what its synapses need is named already
        cell, more = cell_of(built, population, without)
        reasons += more
        if cell is not None:
            found[population.name] = cell
    if reasons:
        raise NirUnsupported(network.name, list(dict.fromkeys(reasons)))
    return found


def _targets(built: Built) -> set[str]:
    """Populations with synapses that have a state of their own."""
    return {p.target for p in built.network.projections if p.name in built.edges}


def _bundles(built: Built, cells: Mapping[str, Cell]) -> list[Bundle]:
    found: list[Bundle] = []
    needed = 0.0
    for projection in built.projections:
        data, way = projection.projection, cells[projection.projection.target].ways[projection.port]
        steps = np.zeros_like(projection.delay_steps) if way.at_once else projection.delay_steps
        lengths = np.unique(steps)
        if lengths.size > _MOST_DELAYS:
            raise NirUnsupported(
                built.network.name,
                [f"{lengths.size} different delays (projection `{data.name}`; up to "
                 f"{_MOST_DELAYS} become Delay nodes)"],
            )  # fmt: skip
        shape = (projection.post.n, projection.pre.n)
        needed += _COPIES * 8.0 * shape[0] * shape[1] * lengths.size
        for d in lengths:
            chosen = steps == d
            found.append(
                Bundle(
                    data.name, data.source, data.target, projection.port, way,
                    projection.source[chosen], projection.target[chosen],
                    projection.weight[chosen], shape, int(d),
                )
            )  # fmt: skip
    try:
        require_memory(needed, f"NIR's dense weights of network `{built.network.name}`")
    except SimulationError as error:
        raise NirError(str(error)) from None
    return found


def _lags(built: Built, cells: Mapping[str, Cell], bundles: Sequence[Bundle]) -> dict[str, int]:
    links = [Link(b.source, b.target, b.delay_steps + 1) for b in bundles]
    # What fires by itself may not begin later than the rest.
    steady = [
        name
        for name, cell in cells.items()
        if (cell.bias is not None and not cell.late) or _fires_at_rest(cell)
    ]
    lags = lags_to_write([*(s.source.name for s in built.sources), *cells], links, steady)
    for name, cell in cells.items():
        if cell.late and cell.late != lags[name]:
            raise NirUnsupported(
                built.network.name,
                [f"a constant current that starts late (population `{name}`)"],
            )
    return lags


def _fires_at_rest(cell: Cell) -> bool:
    threshold = cell.values.get("v_threshold")
    return threshold is not None and bool(np.any(threshold < cell.values.get("v_leak", 0.0)))


def _reported(built: Built, bundles: Sequence[Bundle], outputs: Sequence[str] | None) -> list[str]:
    names = [p.name for p in built.populations]
    if outputs is not None:
        for name in outputs:
            if name not in names:
                raise NirError(f"there is no population `{name}`{nearest(name, names)}")
        return list(outputs)
    heard = {b.source for b in bundles if b.source != b.target}
    return [name for name in names if name not in heard] or names
