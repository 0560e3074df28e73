"""Export to the layout of the Spiking Heidelberg Digits, which spiking-network libraries read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError, nearest
from neuro.spikes import Spikes
from sims.result import Run
from sims.store.hdf5 import atomic_hdf5, put_text

__all__ = ["to_shd"]

_PRECISIONS = ("float64", "float32", "float16")


def to_shd(
    run: Run,
    out: Path,
    *,
    force: bool = False,
    say: Callable[[str], None],
    population: str = "",
    precision: str = "float64",
    label: int = 0,
) -> None:
    """Write one run as a data set of one sample.

    `spikes/times` are in seconds, `spikes/units` count through all populations in their order
    in the run file, or through the one `population`. `extra/meta_info` says which units are
    whose, and how far a time may be off.

    Args:
        run: What to write.
        out: The file.
        force: Replace an older file.
        say: Called with the timing lost, and with what the layout cannot hold.
        population: The only one to write; empty for all.
        precision: Of the times: `float64`, `float32` or `float16`. The published data sets
            are float16, which is 0.5 ms coarse after half a second and destroys phase of firing.
        label: The sample's class; its name is the name of the run.

    Raises:
        StoreError: if there is no such population or precision, or `out` cannot be written.

    Layout: Cramer et al. 2022, IEEE Trans Neural Netw Learn Syst 33:2744.
    """
    if precision not in _PRECISIONS:
        raise StoreError(f"precision must be one of {', '.join(_PRECISIONS)}, found `{precision}`")
    if not 0 <= label < 2**16:
        raise StoreError(f"label must lie in 0..{2**16 - 1}, found {label}")
    chosen = _chosen(run, population)
    first = np.cumsum([0, *(spikes.n_units for spikes in chosen.values())])
    times_ms, units = _joined(list(chosen.values()), first)
    times_s = (times_ms / 1000.0).astype(precision)
    error_ms = float(np.abs(times_s.astype(np.float64) * 1000.0 - times_ms).max(initial=0.0))

    with atomic_hdf5(out, force=force) as file:
        _put_ragged(file, "spikes/times", times_s)
        _put_ragged(file, "spikes/units", units)
        file["spikes/times"].attrs["units"] = "s"
        file["labels"] = np.array([label], dtype=np.uint16)
        keys = [f"class {index}" for index in range(label)] + [run.provenance.name]
        file["extra/keys"] = np.array([key.encode() for key in keys])
        file["extra/speaker"] = np.zeros(1, dtype=np.uint16)
        about = file.create_group("extra/meta_info")
        put_text(about, "populations", list(chosen))
        about["first_unit"] = first[:-1].astype(np.uint32)
        about["n_units"] = np.diff(first).astype(np.uint32)
        about["max_timing_error_ms"] = error_ms
        about["duration_ms"] = run.recording.duration_ms
        put_text(about, "config_hash", run.provenance.config_hash)
    say(f"spike times are {precision} seconds, at most {error_ms:.3g} ms off")
    say("not in this layout: traces, modulators, stimulus and config; the run file keeps them")


def _chosen(run: Run, population: str) -> dict[str, Spikes]:
    everything = dict(run.recording.spikes)
    if not population:
        return everything
    if population not in everything:
        raise StoreError(
            f"the run has no population `{population}`{nearest(population, everything)}; it has "
            f"{', '.join(everything) or 'none'}"
        )
    return {population: everything[population]}


def _joined(
    trains: list[Spikes], first: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """All spikes as one sorted list of times and one of units, in the narrowest type that fits."""
    if not trains:
        return np.zeros(0), np.zeros(0, dtype=np.uint16)
    times = np.concatenate([spikes.times_ms for spikes in trains])
    units = np.concatenate(
        [spikes.units + offset for spikes, offset in zip(trains, first[:-1], strict=True)]
    )
    order = np.lexsort((units, times))
    narrow = np.uint16 if first[-1] <= 2**16 else np.uint32
    return times[order], units[order].astype(narrow)


def _put_ragged(file: h5py.File, name: str, sample: NDArray[Any]) -> None:
    ragged = file.create_dataset(name, shape=(1,), dtype=h5py.vlen_dtype(sample.dtype))
    ragged[0] = sample
