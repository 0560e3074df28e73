"""The SONATA layout: spikes, frame reports and nodes as groups of an HDF5 file.

After the SONATA developer guide (Dai et al. 2020, PLoS Comput Biol 16:e1007696) and what its two
readers, libsonata and bmtk, really take; where they disagree the file serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import StoreError
from neuro.recording import Trace
from neuro.spikes import Spikes
from sims.store import checked
from sims.store.hdf5 import put

__all__ = [
    "MOST_UNITS", "Watched", "describe_report", "describe_spikes", "fill_spikes", "mark",
    "name_checked", "read_nodes", "read_report", "read_spikes", "read_watched", "start_report",
    "start_spikes", "trace_data", "write_nodes", "write_report", "write_spikes",
]  # fmt: skip

MOST_UNITS = 100_000_000
"""Units of one population that a file may say it has; engineering choice, above any machine's."""


class Watched(TypedDict):
    """How many units were watched, and when."""

    n_units: int
    t_start_ms: float
    t_stop_ms: float


_MAGIC = 0x0A7A
_VERSION = (0, 1)
# bmtk writes a text here, on which libsonata fails; both read the enum that libsonata registers.
_SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2})
_BY_TIME = 2


def mark(file: h5py.File) -> None:
    """Say at the root that this is a SONATA file."""
    file.attrs["magic"] = np.uint32(_MAGIC)
    file.attrs["version"] = np.array(_VERSION, dtype=np.uint32)


def name_checked(name: str, what: str) -> str:
    """`name`, if it can name one HDF5 object.

    Raises:
        StoreError: if it is empty, `.` or `..`, or holds `/` or a NUL character.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise StoreError(f"a {what} cannot be stored under the name `{name!r}`; rename it")
    return name


def write_spikes(file: h5py.File, population: str, spikes: Spikes) -> None:
    """Store spikes as `/spikes/<population>`, times bit for bit.

    What SONATA has no place for (how many units were watched, and when) is in attributes.
    """
    fill_spikes(start_spikes(file, population), spikes)


def fill_spikes(group: h5py.Group, spikes: Spikes) -> None:
    """Store spikes in a group that `start_spikes` made."""
    describe_spikes(group, spikes.n_units, spikes.t_start_ms, spikes.t_stop_ms)
    _put(group, "timestamps", spikes.times_ms, units="ms")
    _put(group, "node_ids", spikes.units.astype(np.uint64))


def start_spikes(file: h5py.File, population: str) -> h5py.Group:
    """The group `/spikes/<population>`, still without its spikes."""
    group = _group(file, "spikes").create_group(name_checked(population, "population"))
    group.attrs.create("sorting", _BY_TIME, dtype=_SORTING)
    return group


def describe_spikes(group: h5py.Group, n_units: int, t_start_ms: float, t_stop_ms: float) -> None:
    """Say how many units were watched, and when."""
    group.attrs.update({"n_units": n_units, "t_start_ms": t_start_ms, "t_stop_ms": t_stop_ms})


def read_spikes(spikes: h5py.Group, population: str) -> Spikes:
    """The spikes that `write_spikes` stored of a population."""
    group = checked.group(spikes, population)
    times = checked.array(group, "timestamps", "f", (None,))
    units = checked.numbers(group, "node_ids", "iu", times.shape)
    return Spikes(times[()], units, **read_watched(group))


def read_watched(group: h5py.Group) -> Watched:
    """What `describe_spikes` stored."""
    start = checked.number(group, "t_start_ms")
    return {
        "n_units": checked.whole_number(group, "n_units", 0, MOST_UNITS),
        "t_start_ms": start,
        "t_stop_ms": checked.number(group, "t_stop_ms", start),
    }


def write_report(file: h5py.File, name: str, trace: Trace, *, exact: bool = True) -> None:
    """Store a trace as the frame report `/report/<name>`, one element a cell.

    SONATA's `data` is float32. With `exact`, `data_float64` beside it keeps the values bit for
    bit, unless float32 already does.
    """
    group = _group(file, "report").create_group(name_checked(name, "trace"))
    group.attrs["population"] = trace.population
    if trace.of_edges:  # not SONATA's: its reports know cells alone
        group.attrs["of_edges"] = True
    with np.errstate(over="ignore"):  # beyond float32 it becomes infinite there, not in the copy
        single = trace.data.astype(np.float32)
    _put(group, "data", single, units=trace.unit, variable=trace.variable)
    same = single.astype(np.float64).tobytes() == np.asarray(trace.data, np.float64).tobytes()
    if exact and not same:
        put(group, "data_float64", trace.data, units=trace.unit)
    describe_report(group, trace, trace.data.shape[0])


def start_report(file: h5py.File, name: str, trace: Trace) -> h5py.Group:
    """The group `/report/<name>`, still without its frames."""
    group = _group(file, "report").create_group(name_checked(name, "trace"))
    group.attrs["population"] = trace.population
    if trace.of_edges:
        group.attrs["of_edges"] = True
    return group


def describe_report(group: h5py.Group, trace: Trace, n_frames: int) -> None:
    """Say whose frames these are, and when each was taken."""
    mapping = group.create_group("mapping")
    cells = np.asarray(trace.cells, dtype=np.int64)
    ids = _put(mapping, "node_ids", cells.astype(np.uint64))
    ids.attrs["sorted"] = np.uint8(bool((np.diff(cells) > 0).all()))
    # One more pointer than nodes: the guide's text says N, its example and both readers N + 1.
    _put(mapping, "index_pointers", np.arange(cells.size + 1, dtype=np.uint64))
    mapping["index_pointer"] = mapping["index_pointers"]  # bmtk's spelling, the same dataset
    _put(mapping, "element_ids", np.zeros(cells.size, dtype=np.uint32))
    _put(mapping, "element_pos", np.full(cells.size, 0.5))  # for bmtk: a point has but a middle
    stop = _stop_ms(n_frames, trace.every_ms)
    _put(mapping, "time", np.array([0.0, stop, trace.every_ms]), units="ms")


def read_report(
    reports: h5py.Group, name: str, values: NDArray[np.float64] | None = None, step: int = 1
) -> Trace:
    """The trace that `write_report` stored as `name`, or every so many of its frames."""
    group = checked.group(reports, name)
    mapping = checked.group(group, "mapping")
    cells = checked.numbers(mapping, "node_ids", "iu", (None,)).astype(np.int64)
    every_ms = float(checked.numbers(mapping, "time", "f", (3,))[2])
    if not 0 < every_ms < np.inf:
        raise checked.Damaged(f"the step of `report/{name}` must be above 0, found {every_ms:g}")
    data = checked.array(group, "data", "f", (None, cells.size))
    exact = trace_data(group)
    return Trace(
        population=checked.attribute_text(group, "population"),
        variable=checked.attribute_text(data, "variable"),
        unit=checked.attribute_text(data, "units"),
        cells=cells,
        every_ms=every_ms * step,
        data=exact[()].astype(np.float64) if values is None else values,
        of_edges=bool(group.attrs.get("of_edges", False)),
    )


def trace_data(group: h5py.Group) -> h5py.Dataset:
    """The frames of a report: float64 where float32 does not hold them."""
    data = checked.array(group, "data", "f", (None, None))
    return (
        checked.array(group, "data_float64", "f", data.shape) if "data_float64" in group else data
    )


def write_nodes(
    file: h5py.File, population: str, n: int, coordinates: Mapping[str, NDArray[np.float64]]
) -> None:
    """Store cells as `/nodes/<population>`, each coordinate an attribute of its one group `0`.

    Raises:
        StoreError: if a coordinate is not one number a cell.
    """
    group = _group(file, "nodes").create_group(name_checked(population, "population"))
    _put(group, "node_type_id", np.zeros(n, dtype=np.int64))
    _put(group, "node_id", np.arange(n, dtype=np.uint64))
    _put(group, "node_group_id", np.zeros(n, dtype=np.uint32))
    _put(group, "node_group_index", np.arange(n, dtype=np.uint64))
    attributes = group.create_group("0", track_order=True)
    for name, values in coordinates.items():
        if np.shape(values) != (n,):
            raise StoreError(
                f"coordinate `{name}` of `{population}` must be one number for each of its {n} "
                f"cells, found the shape {np.shape(values)}"
            )
        _put(attributes, name_checked(name, "coordinate"), np.asarray(values, dtype=np.float64))


def read_nodes(nodes: h5py.Group, population: str) -> dict[str, NDArray[np.float64]]:
    """The coordinates that `write_nodes` stored of a population."""
    group = checked.group(nodes, population)
    n = checked.array(group, "node_id", "iu", (None,)).shape
    attributes = checked.group(group, "0")
    return {
        name: checked.numbers(attributes, name, "f", n) for name in checked.member_names(attributes)
    }


def _put(group: h5py.Group, name: str, data: ArrayLike, **attributes: str) -> h5py.Dataset:
    """Uncompressed: the HDF5 inside libsonata's wheel has no gzip."""
    return put(group, name, data, compress=False, **attributes)


def _group(file: h5py.File, name: str) -> h5py.Group:
    return file[name] if name in file else file.create_group(name, track_order=True)


def _stop_ms(n_frames: int, every_ms: float) -> float:
    """End of the last frame, such that bmtk's `int(stop / dt)` counts every frame."""
    stop = n_frames * every_ms
    while int(stop / every_ms) < n_frames:
        stop = float(np.nextafter(stop, np.inf))
    return stop
