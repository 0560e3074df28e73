"""Where `ember run` puts what a back end records: into a run file that grows with the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.build import Built
from neuro.network import Record
from neuro.recorded import recorded_at
from neuro.recording import Course, Trace
from neuro.signal import Signal
from neuro.spikes import Spikes
from sims.store import sonata
from sims.store.columns import Column, Frames
from sims.store.hdf5 import put

__all__ = ["FileSink", "Outline", "outline"]

Tails = Mapping[str, NDArray[Any]]
"""Rows that are not in the file yet, by the path of their dataset."""


@dataclass(frozen=True, eq=False)
class Outline:
    """What a run will record, known before its first step.

    Attributes:
        sources: Spikes that are given, whatever happens.
        spiking: Populations that can spike -> their number of cells.
        traces: One a record, without its frames.
        concentrations, factors: Without their values.
        coordinates, signals: As a `Run` has them.
    """

    dt_ms: float
    sources: Mapping[str, Spikes]
    spiking: Mapping[str, int]
    traces: Sequence[Trace] = ()
    concentrations: Sequence[Course] = ()
    factors: Sequence[Course] = ()
    coordinates: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)


def outline(
    built: Built, records: Sequence[Record], every_ms: float, *,
    coordinates: Mapping[str, Mapping[str, NDArray[np.float64]]],
    signals: Mapping[str, Signal],
) -> Outline:  # fmt: skip
    """What a run of this built network records, under the names that a Recording has."""
    every_ms = max(every_ms, built.dt_ms)
    traces = []
    for record in records:
        place = recorded_at(built, record)
        cells = np.array(record.cells or range(place.size(built)), dtype=np.int64)
        traces.append(
            Trace(
                record.population, record.variable, place.unit, cells,
                record.every_ms, np.zeros((0, cells.size)), of_edges=place.edges,
            )
        )  # fmt: skip
    keys = dict.fromkeys(f"{e.target}.{e.parameter}" for e in built.network.effects)
    none = np.zeros(0)
    return Outline(
        dt_ms=built.dt_ms,
        sources={s.source.name: s.source.spikes for s in built.sources},
        spiking={p.name: p.n for p in built.populations if p.program.threshold},
        traces=traces,
        concentrations=[Course(t.name, "nM", every_ms, none) for t in built.network.transmitters],
        factors=[Course(key, "1", every_ms, none) for key in keys],
        coordinates=coordinates,
        signals=signals,
    )


class FileSink:
    """A `neuro.sink.Sink` whose memory does not grow with the run.

    Args:
        file: An empty file to begin, or one that a sink of the same outline began.
        tails: What `tails` gave when the file was as it is now.
        writing: Entered around all that is written.

    Attributes:
        counts: Spikes of each population so far.
        recorded: Whether anything has come.
    """

    def __init__(
        self, file: h5py.File, plan: Outline, tails: Tails | None = None,
        writing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:  # fmt: skip
        self._file, self._plan, self._writing = file, plan, writing
        if tails is None:
            with writing():
                self._begin()
        tails = tails or {}
        self._spikes: dict[str, tuple[Column, Column]] = {}
        for name in plan.spiking:
            group = file["spikes"][name]
            self._spikes[name] = (
                self._column(group, "timestamps", np.float64, tails, units="ms"),
                self._column(group, "node_ids", np.uint64, tails),
            )
        # As in a Recording, of two traces under one key the last one stays.
        self._last = {_key(trace): number for number, trace in enumerate(plan.traces)}
        self._frames = {
            number: Frames(
                file["report"][key], plan.traces[number].cells.size, plan.traces[number].unit,
                plan.traces[number].variable, tails,
            )
            for key, number in self._last.items()
        }  # fmt: skip
        self._concentrations = self._courses("concentration", plan.concentrations, tails)
        self._factors = self._courses("factor", plan.factors, tails)
        self.recorded = any(column.rows for column in self._columns())

    @property
    def counts(self) -> dict[str, int]:
        """Spikes of each population so far."""
        return {name: times.rows for name, (times, _) in self._spikes.items()}

    # ------------------------------------------------------------------ what a back end calls

    def spikes(self, population: str, steps: NDArray[np.int64], units: NDArray[np.int32]) -> None:
        """Spikes of one population, sorted by step and unit, after those it had."""
        times, cells = self._spikes[population]
        with self._writing():
            times.append(steps * self._plan.dt_ms)
            cells.append(units)
        self.recorded = True

    def trace(self, number: int, frames: NDArray[np.floating]) -> None:
        """`(n_frames, n_cells)` of the record of that number."""
        if number in self._frames:
            with self._writing():
                self._frames[number].append(frames)
        self.recorded = True

    def courses(self, concentrations: NDArray[np.float64], factors: NDArray[np.float64]) -> None:
        """`(n_frames, n_transmitters)` and `(n_frames, n_factors)`."""
        both = ((self._concentrations, concentrations), (self._factors, factors))
        with self._writing():
            for columns, values in both:
                for k, column in enumerate(columns):
                    column.append(values[:, k])
        self.recorded = True

    # ------------------------------------------------------------------ what its owner calls

    def rows(self) -> dict[str, int]:
        """Rows of each dataset."""
        return {column.path: column.rows for column in self._columns()}

    def tails(self) -> dict[str, NDArray[Any]]:
        """The rows of each dataset that are in memory only, less than a chunk each."""
        return {column.path: column.tail() for column in self._columns()}

    def finish(self, reached_ms: float) -> None:
        """Bring what is in memory to the file, and say how long the run was."""
        with self._writing():
            for name, spikes in self._plan.sources.items():
                within = spikes.between(0.0, reached_ms)
                sonata.fill_spikes(self._file["spikes"][name], within)
            for column in self._columns():
                column.finish()
            for name, n_units in self._plan.spiking.items():
                sonata.describe_spikes(self._file["spikes"][name], n_units, 0.0, reached_ms)
            for key, number in self._last.items():
                group = self._file["report"][key]
                sonata.describe_report(group, self._plan.traces[number], group["data"].shape[0])

    def _begin(self) -> None:
        plan, file = self._plan, self._file
        sonata.mark(file)
        file.create_group("spikes", track_order=True)  # there even when nothing could spike
        for name in (*plan.sources, *plan.spiking):
            sonata.start_spikes(file, name)
        for key, trace in {_key(trace): trace for trace in plan.traces}.items():
            sonata.start_report(file, key, trace)
        for name, coordinates in plan.coordinates.items():
            sonata.write_nodes(file, name, _n_cells(plan, name), coordinates)
        for kind in ("concentration", "factor"):
            file.create_group(f"modulation/{kind}", track_order=True)
        stimulus = file.create_group("stimulus", track_order=True)
        for key, signal in plan.signals.items():
            put(stimulus, sonata.name_checked(key, "stimulus"), signal.values,
                units=signal.unit, dt_ms=signal.dt_ms)  # fmt: skip

    def _courses(self, kind: str, courses: Sequence[Course], tails: Tails) -> list[Column]:
        group = self._file[f"modulation/{kind}"]
        return [
            self._column(
                group, sonata.name_checked(course.name, "modulator"), np.float64, tails,
                compress=True, name=course.name, units=course.unit, every_ms=course.every_ms,
            )
            for course in courses
        ]  # fmt: skip

    def _column(
        self, group: h5py.Group, dataset: str, dtype: Any, tails: Tails, /, *,
        compress: bool = False, **attributes: Any,
    ) -> Column:  # fmt: skip
        tail = tails.get(f"{group.name}/{dataset}")
        return Column(group, dataset, dtype, compress=compress, tail=tail, attributes=attributes)

    def _columns(self) -> list[Column]:
        return [
            *(column for pair in self._spikes.values() for column in pair),
            *(column for frames in self._frames.values() for column in frames.columns),
            *self._concentrations,
            *self._factors,
        ]


def _key(trace: Trace) -> str:
    return f"{trace.population}.{trace.variable}"


def _n_cells(plan: Outline, population: str) -> int:
    if population in plan.sources:
        return plan.sources[population].n_units
    if population in plan.spiking:
        return plan.spiking[population]
    return max((len(values) for values in plan.coordinates[population].values()), default=0)
