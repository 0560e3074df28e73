"""`ember nir`: write a config's network as a NIR file, and say what is in one."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from neuro.nir import READERS, Graph, NirError, Reading, read, read_graph, to_nir, write_graph
from neuro.nir.shapes import Shapes, shapes_of
from neuro.nir.units import units_of
from neuro.simulate import prepare
from neuro.units import TIME, parse_quantity
from sims.assembly import build_experiment
from sims.config import Loaded
from sims.config.located import located
from sims.store.atomic import check_not_read, check_writable
from sims.terminal.display import columns, progress_on

__all__ = ["export", "show"]

_WIDE = 60


def export(
    loaded: Loaded, path: Path, *, outputs: Collection[str], without: Collection[str], force: bool
) -> str:
    """Write the network of a config; what came of it, in a few lines.

    Raises:
        NirUnsupported: naming everything in the network that NIR cannot say.
        EmberError: if the config is wrong, or the file cannot be written.
    """
    check_not_read(path, loaded.reads)
    check_writable(path, force=force)
    with progress_on(sys.stderr) as progress:
        experiment = build_experiment(loaded, progress)
        config = loaded.config
        progress("building the network")
        try:
            built = prepare(experiment.network, seed=config.seed, dt_ms=float(config.dt))
            graph = to_nir(built, outputs=list(outputs) or None, without=without)
        except NirError as error:
            raise located(error, loaded, ()) from None
    write_graph(graph, path, force=force)
    return f"{path}: {_sum_up(read_graph(path), built.dt_ms)}"


def show(
    path: Path, *, dt: str | None, units: str | None, loops: Literal["refuse", "one_step"]
) -> Iterator[str]:
    """What a NIR file holds; then what Ember reads in it, and who else reads it right.

    Raises:
        NirError: if it is no NIR file, or Ember cannot read it.
        UnitError: if `dt` is no time.
    """
    dt_ms = None if dt is None else float(parse_quantity(dt, TIME))
    graph = read_graph(path)
    shapes = shapes_of(graph)
    rows = [("node", "type", "size", "values")]
    for name in sorted(graph.nodes):
        rows.append((name, graph.nodes[name].kind, _size(shapes, name), _values(graph, name)))
    joined = ", ".join(f"{source} -> {target}" for source, target in sorted(graph.edges))
    noted = units_of(graph.metadata)
    said = "no units" if noted is None else "units " + ", ".join(noted.metadata().values())
    step = f", steps of {float(graph.metadata['dt']) * 1000:g} ms" if "dt" in graph.metadata else ""
    yield f"{path}: {len(graph.nodes)} nodes; notes {said}{step}\n\n{columns(rows)}\n\n{joined}\n"
    reading = read(path, dt_ms=dt_ms, units=units, loops=loops)
    yield "\n".join([*_read_as(reading), _sum_up(graph, reading.dt_ms)])


def _read_as(reading: Reading) -> list[str]:
    whose = "as Ember wrote it" if reading.own else "as other tools run it"
    rows = [("population", "cells", "model", "lag")]
    for p in reading.populations:
        rows.append((p.name, f"{p.n:,}", p.model.name, f"{reading.lags[p.name]} steps"))
    return [f"read for steps of {reading.dt_ms:g} ms, {whose}:", columns(rows, right=(1,)),
            *(f"note: {note}" for note in reading.notes), ""]  # fmt: skip


def _sum_up(graph: Graph, dt_ms: float) -> str:
    """Who reads it right, and why not the others."""
    lines = []
    for tool, problems in READERS.items():
        found = problems(graph, dt_ms)
        lines.append(f"{tool}: " + (f"no, {'; '.join(found[:3])}" if found else "reads it right"))
    return "\n".join(lines)


def _size(shapes: Shapes, name: str) -> str:
    taken, given = (" × ".join(map(str, shape)) or "1" for shape in shapes[name])
    return given if taken == given else f"{taken} -> {given}"


def _values(graph: Graph, name: str) -> str:
    parts = []
    for key, value in graph.nodes[name].values.items():
        if key == "shape":
            continue
        if isinstance(value, str):
            parts.append(f"{key} {value}")
        elif key == "weight":
            some = value[value != 0]
            ends = f" in {some.min():.4g} … {some.max():.4g}" if some.size else ""
            parts.append(f"{some.size:,} of {value.size:,} weights{ends}")
        elif value.size == 1 or np.ptp(value) == 0:
            parts.append(f"{key} {value.ravel()[0]:.4g}")
        else:
            parts.append(f"{key} {value.min():.4g} … {value.max():.4g}")
    text = ", ".join(parts)
    return text if len(text) <= 4 * _WIDE else f"{text[: 4 * _WIDE]} …"
