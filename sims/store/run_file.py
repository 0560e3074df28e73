"""The run file: one HDF5 file that is a SONATA spike file and holds everything else of a run.

    /spikes/<population>/{timestamps, node_ids}     SONATA spikes
    /report/<population>.<variable>/                SONATA frame reports: the traces
    /nodes/<population>/0/<coordinate>              SONATA nodes: one value a cell
    /modulation/{concentration,factor}/<name>       over time: transmitters (nM), factors (1)
    /stimulus/<stimulus>.<output>                   what was presented
    /provenance                                     config, seed, versions, timings

A run that ended before its time says so: `/provenance` has `failure` and `reached_ms`.
Spikes, traces and everything else come back bit for bit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.recording import Course, Recording
from neuro.signal import Signal
from sims.result import Provenance, Run
from sims.store import sonata
from sims.store.hdf5 import atomic_hdf5, put, put_text, reading_hdf5, text
from sims.store.lazy import Members

__all__ = [
    "FORMAT", "LAZY_BYTES", "read_course", "read_provenance", "read_run", "write_provenance",
    "write_run",
]  # fmt: skip

T = TypeVar("T")

FORMAT = 1
"""Version of this layout; a reader refuses a higher one."""

LAZY_BYTES = 1 << 28
"""Above this size of a file its parts are read when they are asked for; engineering choice."""


def write_run(path: str | os.PathLike[str], run: Run, *, force: bool = False) -> Path:
    """Write `run` to `path`: the file appears whole or not at all.

    Raises:
        StoreError: if `path` exists and not `force`, or cannot be written.
    """
    recording = run.recording
    with atomic_hdf5(path, force=force) as file:
        sonata.mark(file)
        file.create_group("spikes", track_order=True)  # there even when nothing could spike
        for population, spikes in recording.spikes.items():
            sonata.write_spikes(file, population, spikes)
        for key, trace in recording.traces.items():
            sonata.write_report(file, key, trace)
        for population, coordinates in run.coordinates.items():
            sonata.write_nodes(file, population, _n_cells(run, population), coordinates)
        _write_courses(file, "modulation/concentration", recording.modulators)
        _write_courses(file, "modulation/factor", recording.factors)
        stimulus = file.create_group("stimulus", track_order=True)
        for key, signal in run.signals.items():
            put(stimulus, sonata.name_checked(key, "stimulus"), signal.values,
                units=signal.unit, dt_ms=signal.dt_ms)  # fmt: skip
        write_provenance(file, run.provenance, run.recording)
    return Path(path)


def read_run(path: str | os.PathLike[str], *, lazy: bool | None = None) -> Run:
    """The run that `write_run` or `ember run` stored, bit for bit; an unfinished one as far as
    it came.

    Args:
        lazy: Read spikes, traces, courses and stimuli only when they are asked for, one at a
            time; if None, where the file is larger than 256 MiB.

    Raises:
        StoreError: if the file is missing, truncated, damaged, not an Ember run file, or of a
            later format. What is read later raises it then.
    """
    with reading_hdf5(path) as file:
        provenance = _checked_provenance(file, path)
        about = provenance.attrs
        if lazy is None:
            lazy = file.id.get_filesize() > LAZY_BYTES

        def members(where: str, read: Callable[[Any], T]) -> Mapping[str, T]:
            group = {} if where == "report" and where not in file else file[where]
            if lazy:
                return Members(path, where, list(group), read)
            return {name: read(member) for name, member in group.items()}

        recording = Recording(
            duration_ms=float(about["duration_ms"]),
            dt_ms=float(about["dt_ms"]),
            seed=int(about["seed"]),
            backend=str(about["backend"]),
            spikes=members("spikes", sonata.read_spikes),
            traces=members("report", sonata.read_report),
            modulators=members("modulation/concentration", read_course),
            factors=members("modulation/factor", read_course),
            timings={key: float(value) for key, value in provenance["timings"].attrs.items()},
        )
        return Run(
            recording=recording,
            provenance=_read_provenance(provenance),
            signals=members("stimulus", _read_signal),
            coordinates={
                name: sonata.read_nodes(group) for name, group in file.get("nodes", {}).items()
            },
        )


def read_provenance(path: str | os.PathLike[str]) -> Provenance:
    """Only what was run, and with which config; quick even for a large file.

    Raises:
        StoreError: as for `read_run`.
    """
    with reading_hdf5(path) as file:
        return _read_provenance(_checked_provenance(file, path))


def _n_cells(run: Run, population: str) -> int:
    spikes = run.recording.spikes.get(population)
    if spikes is not None:
        return spikes.n_units
    return max((len(values) for values in run.coordinates[population].values()), default=0)


def _write_courses(file: h5py.File, where: str, courses: Mapping[str, Course]) -> None:
    group = file.create_group(where, track_order=True)
    for key, course in courses.items():
        put(group, sonata.name_checked(key, "modulator"), course.values,
            name=course.name, units=course.unit, every_ms=course.every_ms)  # fmt: skip


def read_course(
    data: h5py.Dataset, values: NDArray[np.float64] | None = None, step: int = 1
) -> Course:
    """The course stored in `data`, or every so many of its values."""
    return Course(
        name=str(data.attrs["name"]),
        unit=str(data.attrs["units"]),
        every_ms=float(data.attrs["every_ms"]) * step,
        values=data[()].astype(np.float64) if values is None else values,
    )


def _read_signal(data: h5py.Dataset) -> Signal:
    return Signal(data[()], dt_ms=float(data.attrs["dt_ms"]), unit=data.attrs["units"])


def write_provenance(file: h5py.File, provenance: Provenance, recording: Recording) -> None:
    """Store what was run, and how; of the recording everything but what was recorded."""
    group = file.create_group("provenance")
    if provenance.failure:
        group.attrs["reached_ms"] = float(recording.duration_ms)
        group.attrs["failure"] = provenance.failure
    group.attrs.update(
        {
            "kind": "run",
            "format": FORMAT,
            "name": provenance.name,
            "config_hash": provenance.config_hash,
            "git_commit": provenance.git_commit,
            "created": provenance.created,
            "peak_memory_bytes": provenance.peak_memory_bytes,
            "duration_ms": float(recording.duration_ms),
            "dt_ms": float(recording.dt_ms),
            # HDF5 has no integer beyond 64 bits, Python's seeds do.
            "seed": recording.seed if abs(recording.seed) < 2**63 else str(recording.seed),
            "backend": recording.backend,
        }
    )
    put_text(group, "config", provenance.config_text)
    put_text(group, "config_path", provenance.config_path)
    put_text(group, "overrides", provenance.overrides)
    put_text(group, "resolved", json.dumps(provenance.resolved, ensure_ascii=False))
    group.create_group("versions").attrs.update(provenance.versions)
    group.create_group("timings").attrs.update(
        {stage: float(seconds) for stage, seconds in recording.timings.items()}
    )


def _checked_provenance(file: h5py.File, path: str | os.PathLike[str]) -> h5py.Group:
    group = file.get("provenance")
    if group is None and Path(path).parent.name.endswith(".partial"):
        raise StoreError(
            f"cannot read `{path}`: its run was ended before the file could be closed; the same "
            f"`ember run` goes on from its last checkpoint"
        )
    if not isinstance(group, h5py.Group) or group.attrs.get("kind") != "run":
        raise StoreError(
            f"cannot read `{path}`: it is an HDF5 file but not an Ember run file; give one that "
            f"`ember run` wrote"
        )
    if int(group.attrs["format"]) > FORMAT:
        raise StoreError(
            f"cannot read `{path}`: its format {group.attrs['format']} is newer than {FORMAT}, the "
            f"latest this Ember knows; update Ember"
        )
    return group


def _read_provenance(group: h5py.Group) -> Provenance:
    about = group.attrs
    return Provenance(
        name=str(about["name"]),
        config_text=text(group["config"]),
        config_path=text(group["config_path"]),
        overrides=tuple(text(group["overrides"])),
        resolved=json.loads(text(group["resolved"])),
        config_hash=str(about["config_hash"]),
        versions={name: str(version) for name, version in group["versions"].attrs.items()},
        git_commit=str(about["git_commit"]),
        created=str(about["created"]),
        peak_memory_bytes=int(about["peak_memory_bytes"]),
        failure=str(about.get("failure", "")),
    )
