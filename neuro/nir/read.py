"""A NIR graph -> Ember's populations and projections, and what they have to be fed.

graph -> shapes -> matrices between neurons -> loops and lags -> populations, synapses, drives
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neuro.errors import nearest
from neuro.network import Network, participants
from neuro.nir._cells import cells_of
from neuro.nir._names import plain_names
from neuro.nir._synapses import synapses_of
from neuro.nir.errors import NirError
from neuro.nir.file import read_graph
from neuro.nir.graph import NEURONS, Graph, from_dict
from neuro.nir.loops import open_loops
from neuro.nir.maps import Incoming, incoming
from neuro.nir.own import restored
from neuro.nir.reading import Reading
from neuro.nir.shapes import shapes_of
from neuro.nir.timing import Link, lags_to_read
from neuro.nir.units import CHOICES, Units, units_of
from neuro.units import quantities

if TYPE_CHECKING:
    import nir

__all__ = ["Loops", "read"]

Loops = Literal["refuse", "one_step"]
_NO_UNITS = (
    "it does not say what its numbers stand for: NIR's time constants are seconds, its voltages "
    "have no unit; say units: plain if they are plain numbers, as other tools write them "
    "(1 is read as 1 mV), SI if they are volts, or norse if Norse wrote the file"
)


@quantities
def read(
    source: str | os.PathLike[str] | Graph | nir.NIRGraph,
    *,
    dt_ms: float | None = None,
    units: Units | str | None = None,
    loops: Loops = "refuse",
    currents: Collection[str] = (),
) -> Reading:
    """Read a NIR file, or a graph, from anyone.

    Cells are advanced by forward Euler and pulses last one step, as in every tool that reads NIR,
    so that spikes are theirs, `lags` steps later. A network that Ember wrote itself comes back as
    it was, with its own models and integrators.

    Args:
        source: Path of a file, a `nir.NIRGraph`, or a `Graph`.
        dt_ms: The step that the network is meant for; that of the file if it says one.
        units: What the file's numbers stand for, if it does not say: `Units`, or `plain`, `SI` or
            `norse` (see `neuro.nir.units`).
        loops: What to do with a loop that has no Delay node: `refuse` it, or give it `one_step`,
            as other tools do without saying so.
        currents: Inputs that take currents; others take spikes.

    Raises:
        NirError: one line on what is wrong with the file, or what it does not say.
    """
    if isinstance(source, (str, os.PathLike)):
        graph = read_graph(source)
        try:
            return read(graph, dt_ms=dt_ms, units=units, loops=loops, currents=currents)
        except NirError as error:
            raise NirError(f"cannot read `{os.fspath(source)}`: {error}") from None
    graph = source if isinstance(source, Graph) else from_dict(source.to_dict())
    step_ms = _step(graph, dt_ms)
    chosen = _units(graph, units)
    notes: list[str] = []
    if not currents:
        try:
            if (network := restored(graph, step_ms)) is not None:
                return _own(graph, network, step_ms)
        except NirError as error:
            notes.append(f"{error}, so it is read like anybody's")
    return _read(graph, step_ms, chosen, units == "norse", loops, currents, notes)


def _own(graph: Graph, network: Network, dt_ms: float) -> Reading:
    outputs = {output: graph.before(output)[0] for output in graph.of_kind("Output")}
    return Reading(
        populations=network.populations,
        projections=network.projections,
        inputs={source.name: source.n for source in network.sources},
        currents={},
        outputs=outputs,
        lags={p.name: int(graph.metadata["lags"][p.name]) for p in network.populations},
        nodes={item.name: item.name for item in participants(network)},
        dt_ms=dt_ms,
        own=True,
    )


def _step(graph: Graph, dt_ms: float | None) -> float:
    noted = graph.metadata.get("dt")
    if noted is None:
        if dt_ms is None:
            raise NirError("it does not say what time step it is meant for; give dt")
    else:
        try:
            noted_ms = float(noted) * 1000.0
        except (TypeError, ValueError):
            raise NirError(f"the metadata `dt` must be seconds, found {noted!r:.60}") from None
        if dt_ms is not None and abs(noted_ms - dt_ms) > 1e-9 * noted_ms:
            raise NirError(
                f"it is meant for a time step of {noted_ms:.6g} ms, found {dt_ms:g} ms; its "
                f"weights would have another effect"
            )
        dt_ms = round(noted_ms, 12)
    if not 0 < dt_ms < np.inf:
        raise NirError(f"the time step must be positive, found {dt_ms:g} ms")
    return dt_ms


def _units(graph: Graph, units: Units | str | None) -> Units:
    noted = units_of(graph.metadata)
    if units is None:
        if noted is None:
            raise NirError(_NO_UNITS)
        return noted
    if isinstance(units, str):
        if units not in CHOICES:
            raise NirError(
                f"units must be {', '.join(CHOICES)}, found `{units}`{nearest(units, CHOICES)}"
            )
        units = CHOICES[units].units
    if noted is not None and noted != units:
        raise NirError(
            f"it says that its units are {', '.join(noted.metadata().values())}; leave units out"
        )
    return units


def _read(
    graph: Graph, dt_ms: float, units: Units, norse: bool, loops: Loops,
    currents: Collection[str], notes: list[str],
) -> Reading:  # fmt: skip
    shapes = shapes_of(graph)
    doors, neurons = graph.of_kind("Input"), graph.of_kind(*NEURONS)
    if not neurons:
        raise NirError("it has no neurons, so there is nothing to simulate")
    for name in currents:
        if name not in doors:
            raise NirError(f"it has no input `{name}`{nearest(name, doors)}")
    sizes = {name: int(np.prod(shapes[name][1])) for name in (*doors, *neurons)}
    arriving = incoming(graph, shapes, dt_ms, float(units.time))
    arriving = open_loops(arriving, doors, neurons, loops)
    links = _links(graph, arriving, neurons, set(currents))
    lags, at_once = lags_to_read([*doors, *neurons], links)
    names = plain_names([*doors, *neurons])
    seen = {link.source for link in at_once}
    populations = [
        cells_of(
            name, names[name], graph.nodes[name], sizes[name], arriving[name],
            lag=lags[name], seen=name in seen, currents=set(currents), dt_ms=dt_ms, units=units,
            norse=norse, notes=notes,
        )
        for name in neurons
    ]  # fmt: skip
    projections = [
        projection
        for name in neurons
        for projection in synapses_of(
            graph, name, arriving[name], lags, names, at_once, set(currents), dt_ms, units
        )
    ]
    return Reading(
        populations=tuple(populations),
        projections=tuple(projections),
        inputs={names[n]: sizes[n] for n in doors if n not in currents},
        currents={names[n]: sizes[n] for n in doors if n in currents},
        outputs=_outputs(graph, arriving, names, neurons, notes),
        lags={names[n]: lags[n] for n in neurons},
        nodes={names[n]: n for n in (*doors, *neurons)},
        dt_ms=dt_ms,
        notes=tuple(notes),
        _arriving={n: arriving[n] for n in neurons},
        _units=units,
    )


def _links(
    graph: Graph, arriving: Mapping[str, Incoming], neurons: Sequence[str], currents: set[str]
) -> list[Link]:
    found = []
    for target in neurons:
        for (origin, delay), matrix in arriving[target].matrices.items():
            if origin in currents or not matrix.nnz:
                continue
            graded = graph.nodes[origin].kind in ("I", "LI", "CubaLI")
            found.append(Link(origin, target, delay, "at once" if graded else "spikes"))
    return found


def _outputs(
    graph: Graph, arriving: Mapping[str, Incoming], names: Mapping[str, str],
    neurons: Sequence[str], notes: list[str],
) -> dict[str, str]:  # fmt: skip
    found: dict[str, str] = {}
    for output in graph.of_kind("Output"):
        origins = {origin for origin, _ in arriving[output].matrices} & set(neurons)
        plain = all(_is_identity(m) for m in arriving[output].matrices.values())
        if len(origins) == 1:
            found[output] = names[origins.pop()]
            if not plain:
                notes.append(
                    f"output `{output}` is a weighted sum of the spikes of `{found[output]}`, "
                    f"which are recorded as they are"
                )
        elif origins:
            notes.append(f"output `{output}` mixes several nodes, which are recorded one by one")
    return found or {names[n]: names[n] for n in neurons}


def _is_identity(matrix: Any) -> bool:
    from scipy.sparse import eye_array

    if matrix.shape[0] != matrix.shape[1]:
        return False
    return abs(matrix - eye_array(matrix.shape[0], format="csr")).sum() == 0
