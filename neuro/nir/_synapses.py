"""Matrices between nodes -> projections; constants and currents from outside -> drives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.bins import bin_of
from neuro.network import Drive, Population, Projection
from neuro.nir.graph import Graph
from neuro.nir.maps import Incoming
from neuro.nir.models import CURRENT_INPUT, GRADED, PULSE, SAME_STEP
from neuro.nir.timing import Link
from neuro.nir.units import Units
from neuro.signal import Signal
from neuro.units import ms
from neuro.wiring import Listed

__all__ = ["drive_of", "synapses_of"]


def synapses_of(
    graph: Graph, target: str, arriving: Incoming, lags: Mapping[str, int],
    names: Mapping[str, str], at_once: set[Link], currents: set[str], dt_ms: float, units: Units,
) -> list[Projection]:  # fmt: skip
    """The projections that end on a node, one from each origin and kind of synapse."""
    current = units.current
    found: list[Projection] = []
    travelling: dict[str, list[tuple[int, Any]]] = {}
    for (origin, delay), matrix in sorted(arriving.matrices.items(), key=lambda item: item[0]):
        if origin in currents or not matrix.nnz:
            continue
        name = f"{names[origin]}_to_{names[target]}"
        if graph.nodes[origin].kind in ("I", "LI", "CubaLI"):
            source, cells, weight = _entries(matrix)
            found.append(
                Projection(
                    f"{name}_graded", names[origin], names[target], GRADED, Listed(source, cells),
                    weight * (current / units.voltage),
                )
            )  # fmt: skip
        elif Link(origin, target, delay) in at_once:
            source, cells, weight = _entries(matrix)
            found.append(
                Projection(
                    f"{name}_now", names[origin], names[target], SAME_STEP, Listed(source, cells),
                    weight * current,
                )
            )  # fmt: skip
        else:
            steps = delay + lags[target] - lags[origin] - 1
            travelling.setdefault(origin, []).append((steps, matrix))
    for origin, parts in travelling.items():
        entries = [_entries(matrix) for _, matrix in parts]
        sizes = [len(source) for source, _, _ in entries]
        source, cells, weight = (np.concatenate(column) for column in zip(*entries, strict=True))
        delay_ms = np.repeat([steps * dt_ms for steps, _ in parts], sizes)
        found.append(
            Projection(
                f"{names[origin]}_to_{names[target]}", names[origin], names[target], PULSE,
                Listed(source, cells), weight * current,
                ms(delay_ms[0]) if len(parts) == 1 else ms(delay_ms), {"width": ms(dt_ms)},
            )
        )  # fmt: skip
    return found


def _entries(
    matrix: Any,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Source, target and weight of each entry that is not 0."""
    entries = matrix.tocoo()
    keep = entries.data != 0
    row, column = entries.coords
    return column[keep].astype(np.int64), row[keep].astype(np.int64), entries.data[keep]


def drive_of(
    population: Population, arriving: Incoming, currents: Mapping[str, Signal], lag: int,
    dt_ms: float, units: Units,
) -> Drive:  # fmt: skip
    """What flows into a population over time, each part from the step in which it acts."""
    starts = [lag + delay for delay in arriving.constants]
    parts = [(key, delay) for key, delay in arriving.matrices if key in currents]
    n_steps = max(
        [start + 1 for start in starts]
        + [lag + d + math.ceil(currents[key].duration_ms / dt_ms - 1e-9) for key, d in parts]
    )
    values = np.zeros((n_steps, population.n))
    for delay, constant in arriving.constants.items():
        values[lag + delay :] += constant
    for key, delay in parts:
        signal = currents[key]
        frames = signal.values.reshape(signal.values.shape[0], -1)
        steps = np.arange(n_steps - lag - delay)
        at = bin_of(steps * dt_ms, signal.dt_ms)
        now = frames[np.minimum(at, len(frames) - 1)]  # the last frame holds
        values[lag + delay :] += (arriving.matrices[key, delay] @ now.T).T
    return Drive(population.name, CURRENT_INPUT, values * float(units.current), dt_ms)
