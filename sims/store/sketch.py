"""A run file too large for memory, thinned so that pictures can be made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.recording import Course, Trace
from neuro.spikes import Spikes
from sims.result import Run
from sims.store import checked, sonata
from sims.store.columns import blocks, numbered_blocks
from sims.store.hdf5 import reading_hdf5
from sims.store.run_file import read_course, read_run

__all__ = ["MOST", "Sketch", "read_sketch"]

MOST = 1_000_000
"""Spikes of a population, or values of a trace or course, that are kept; engineering choice:
far more than a picture has pixels."""


@dataclass(frozen=True)
class Sketch:
    """What fits in memory of a run.

    Attributes:
        run: Of a large population every so many cells, and of a long trace or course every so
            many values; everything else whole.
        counts: Per population, the spikes of each cell, of all cells.
        notes: What was left out, a sentence each.
    """

    run: Run
    counts: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...]


def read_sketch(path: str | os.PathLike[str], most: int | None = None) -> Sketch:
    """Read a run file a block at a time and keep what pictures need.

    Args:
        most: Spikes or values of one part; `MOST` if None.

    Raises:
        StoreError: as for `read_run`.
    """
    most = MOST if most is None else most
    run, notes = read_run(path, lazy=True), []
    counts, spikes, coordinates = {}, {}, dict(run.coordinates)
    with reading_hdf5(path) as file:
        every = checked.group(file, "spikes")
        for name in checked.member_names(every):
            group = checked.group(every, name)
            counts[name] = _counts(group)
            step = -(-int(counts[name].sum()) // most)
            spikes[name] = _every(group, step) if step > 1 else sonata.read_spikes(every, name)
            if step > 1:
                notes.append(f"Pictures show {_nth(step)} cell of {name}.")
                coordinates[name] = {
                    key: values[::step] for key, values in coordinates.get(name, {}).items()
                }
        reports = checked.group(file, "report") if "report" in file else {}
        traces = {key: _trace(reports, key, most) for key in reports}
        modulators = _courses(checked.group(file, "modulation/concentration"), most)
        factors = _courses(checked.group(file, "modulation/factor"), most)
    for what, parts in (("trace", traces), ("course", modulators | factors)):
        for key, (_, step) in parts.items():
            if step > 1:
                notes.append(f"Of the {what} {key} pictures show {_nth(step)} value.")
    recording = replace(
        run.recording,
        spikes=spikes,
        traces={key: trace for key, (trace, _) in traces.items()},
        modulators={key: course for key, (course, _) in modulators.items()},
        factors={key: course for key, (course, _) in factors.items()},
    )
    return Sketch(replace(run, recording=recording, coordinates=coordinates), counts, tuple(notes))


def _counts(group: h5py.Group) -> NDArray[np.int64]:
    n = sonata.read_watched(group)["n_units"]
    counts = np.zeros(n, np.int64)
    for units in blocks(checked.array(group, "node_ids", "iu", (None,))):
        if units.size and units.max() >= n:
            raise checked.Damaged(
                f"`node_ids` of `{group.name[1:]}` must be below {n}, found {units.max()}"
            )
        counts += np.bincount(units.astype(np.int64), minlength=n)
    return counts


def _every(group: h5py.Group, step: int) -> Spikes:
    """The spikes of cells 0, `step`, 2 `step` …, renumbered."""
    times, units = [], []
    timestamps = checked.array(group, "timestamps", "f", group["node_ids"].shape)
    for time, unit in zip(blocks(timestamps), blocks(group["node_ids"]), strict=True):
        kept = unit % step == 0
        times.append(time[kept])
        units.append((unit[kept] // step).astype(np.int64))
    watched = sonata.read_watched(group)
    watched["n_units"] = -(-watched["n_units"] // step)
    return Spikes(np.concatenate(times), np.concatenate(units), **watched)


def _trace(reports: h5py.Group, key: str, most: int) -> tuple[Trace, int]:
    data = sonata.trace_data(checked.group(reports, key))
    step = -(-data.size // most)
    if step <= 1:
        return sonata.read_report(reports, key), 1
    return sonata.read_report(reports, key, _thinned(data, step), step), step


def _courses(group: h5py.Group, most: int) -> dict[str, tuple[Course, int]]:
    found = {}
    for key in checked.member_names(group):
        data = checked.array(group, key, "fiu", (None,))
        step = max(1, -(-data.size // most))
        found[key] = read_course(group, key, _thinned(data, step), step), step
    return found


def _thinned(data: h5py.Dataset, step: int) -> NDArray[np.float64]:
    """Rows 0, `step`, 2 `step` …"""
    kept = [np.zeros((0, *data.shape[1:]))]
    for first, block in numbered_blocks(data):
        kept.append(block[-first % step :: step].astype(np.float64))
    return np.concatenate(kept)


def _nth(step: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(step % 10 if step // 10 % 10 != 1 else 0, "th")
    return f"every {step}{ending}" if step > 2 else "every other"
