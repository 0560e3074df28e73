"""The run file: one HDF5 file that is a SONATA spike file and holds everything else of a run.

    /spikes/<population>/{timestamps, node_ids}     SONATA spikes
    /report/<population>.<variable>/                SONATA frame reports: the traces
    /nodes/<population>/0/<coordinate>              SONATA nodes: one value a cell
    /modulation/{concentration,factor}/<name>       over time: transmitters (nM), factors (1)
    /stimulus/<stimulus>.<output>                   what was presented
    /provenance                                     config, seed, versions, timings

The file is sealed (`neuro.files.seal`): one damaged byte is found before anything is read.
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
from neuro.files.hdf5 import is_sealed
from neuro.recording import Course, Recording
from neuro.signal import Signal
from sims.result import Provenance, Run
from sims.store import checked, sonata
from sims.store.hdf5 import as_text, atomic_hdf5, put, put_text, reading_hdf5
from sims.store.home import text_without_home, without_home
from sims.store.lazy import Members

__all__ = [
    "FORMAT", "LAZY_BYTES", "read_course", "read_provenance", "read_run", "write_provenance",
    "write_run",
]  # fmt: skip

T = TypeVar("T")

FORMAT = 2
"""Version of this layout; a reader refuses a higher one. From 2 on a file carries a seal, and its
texts have a fixed length."""

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
        if lazy is None:
            lazy = file.id.get_filesize() > LAZY_BYTES

        def members(
            where: str, read: Callable[[h5py.Group, str], T], needed: bool = True
        ) -> Mapping[str, T]:
            if not needed and where not in file:
                return {}
            group = checked.group(file, where)
            names = checked.member_names(group)
            return Members(path, where, names, read) if lazy else {n: read(group, n) for n in names}

        recording = Recording(
            duration_ms=checked.number(provenance, "duration_ms", 0.0),
            dt_ms=checked.number(provenance, "dt_ms", above=0.0),
            seed=_seed(provenance),
            backend=checked.attribute_text(provenance, "backend"),
            spikes=members("spikes", sonata.read_spikes),
            traces=members("report", sonata.read_report, needed=False),
            modulators=members("modulation/concentration", read_course),
            factors=members("modulation/factor", read_course),
            timings=_timings(provenance),
        )
        return Run(
            recording=recording,
            provenance=_read_provenance(provenance),
            signals=members("stimulus", _read_signal),
            coordinates=_coordinates(file),
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
    group: h5py.Group, name: str, values: NDArray[np.float64] | None = None, step: int = 1
) -> Course:
    """The course stored as `name`, or every so many of its values."""
    data = checked.array(group, name, "fiu", (None,))
    return Course(
        name=checked.attribute_text(data, "name"),
        unit=checked.attribute_text(data, "units"),
        every_ms=checked.number(data, "every_ms", above=0.0) * step,
        values=data[()].astype(np.float64) if values is None else values,
    )


def _read_signal(group: h5py.Group, name: str) -> Signal:
    data = checked.member(group, name, "fiu")
    return Signal(
        data[()],
        dt_ms=checked.number(data, "dt_ms", above=0.0),
        unit=checked.attribute_text(data, "units"),
    )


def _coordinates(file: h5py.File) -> dict[str, dict[str, NDArray[np.float64]]]:
    if "nodes" not in file:
        return {}
    nodes = checked.group(file, "nodes")
    return {name: sonata.read_nodes(nodes, name) for name in checked.member_names(nodes)}


def _seed(provenance: h5py.Group) -> int:
    """A number or, beyond 64 bits, its digits."""
    value = provenance.attrs.get("seed")
    if isinstance(value, str | bytes):
        digits = checked.decoded(value)
        if digits.removeprefix("-").isdecimal() and len(digits) < 4000:
            return int(digits)
    return checked.whole_number(provenance, "seed", -(2**63), 2**63)


def _timings(provenance: h5py.Group) -> dict[str, float]:
    timings = checked.group(provenance, "timings")
    return {stage: checked.number(timings, stage) for stage in timings.attrs}


def write_provenance(file: h5py.File, provenance: Provenance, recording: Recording) -> None:
    """Store what was run, and how; of the recording everything but what was recorded.

    Paths below the home folder begin with `~` in the file.
    """
    group = file.create_group("provenance")
    if provenance.failure:
        group.attrs["reached_ms"] = float(recording.duration_ms)
        group.attrs["failure"] = as_text(provenance.failure)
    group.attrs.update(
        {
            "kind": as_text("run"),
            "format": FORMAT,
            "name": as_text(provenance.name),
            "config_hash": as_text(provenance.config_hash),
            "git_commit": as_text(provenance.git_commit),
            "created": as_text(provenance.created),
            "peak_memory_bytes": provenance.peak_memory_bytes,
            "duration_ms": float(recording.duration_ms),
            "dt_ms": float(recording.dt_ms),
            # HDF5 has no integer beyond 64 bits, Python's seeds do.
            "seed": recording.seed if abs(recording.seed) < 2**63 else as_text(str(recording.seed)),
            "backend": as_text(recording.backend),
        }
    )
    put_text(group, "config", text_without_home(provenance.config_text))
    put_text(group, "config_path", without_home(provenance.config_path))
    put_text(group, "overrides", without_home(provenance.overrides))
    resolved = without_home(dict(provenance.resolved))
    put_text(group, "resolved", json.dumps(resolved, ensure_ascii=False))
    group.create_group("versions").attrs.update(
        {package: as_text(version) for package, version in provenance.versions.items()}
    )
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
    if not isinstance(group, h5py.Group) or checked.attribute_text(group, "kind", "") != "run":
        raise StoreError(
            f"cannot read `{path}`: it is an HDF5 file but not an Ember run file; give one that "
            f"`ember run` wrote"
        )
    format = checked.whole_number(group, "format", 1, 2**31)
    if format > FORMAT:
        raise StoreError(
            f"cannot read `{path}`: its format {format} is newer than {FORMAT}, the latest this "
            f"Ember knows; update Ember"
        )
    if format > 1 and not is_sealed(path):
        raise StoreError(
            f"cannot read `{path}`: its checksum is gone, so it was cut off or changed after it "
            f"was written; copy it again, or run again what wrote it"
        )
    return group


def _read_provenance(group: h5py.Group) -> Provenance:
    versions = checked.group(group, "versions")
    return Provenance(
        name=checked.attribute_text(group, "name"),
        config_text=checked.text(group, "config"),
        config_path=checked.text(group, "config_path"),
        overrides=checked.texts(group, "overrides"),
        resolved=_resolved(checked.text(group, "resolved")),
        config_hash=checked.attribute_text(group, "config_hash"),
        versions={name: checked.attribute_text(versions, name) for name in versions.attrs},
        git_commit=checked.attribute_text(group, "git_commit"),
        created=checked.attribute_text(group, "created"),
        peak_memory_bytes=checked.whole_number(group, "peak_memory_bytes", 0, 2**63),
        failure=checked.attribute_text(group, "failure", ""),
    )


def _resolved(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise checked.Damaged(f"`provenance/resolved` must be JSON, found: {error}") from None
    if not isinstance(found, dict):
        raise checked.Damaged(f"`provenance/resolved` must be a config, found {text:.40}")
    return found
