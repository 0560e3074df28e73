"""Labelled spike trains in one HDF5 file, in the layout of the Spiking Heidelberg Digits.

    /spikes/times, /spikes/units    ragged, one row an item; times in seconds, float64
    /labels                         class of each item
    /extra/keys                     names of the classes
    /extra/speaker                  number of each item's speaker
    /extra/{speakers, items, split} ours: names of speakers and items; 0 train, 1 test, 2 extra,
                                   3 validation
    /extra/meta_info/…              ours: window, units, the units' channels and frequencies

Layout: Cramer et al. 2022, IEEE Trans Neural Netw Learn Syst 33:2744. Published files keep times
in float16, half a millisecond coarse, which destroys phase of firing; these are float64.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.files.hdf5 import is_sealed
from neuro.spikes import Spikes
from neuro.units import admit
from sims.dataset._fits import fitting
from sims.dataset.labelled import SPLITS, Split
from sims.store import checked
from sims.store.hdf5 import atomic_hdf5, put, put_text, reading_hdf5
from sims.store.home import without_home
from sims.store.sonata import MOST_UNITS, Watched

__all__ = [
    "FORMAT", "SpikeDataset", "checked_format", "checked_labels", "item_spikes",
    "item_splits",
    "read_spike_dataset", "write_spike_dataset",
]  # fmt: skip

FORMAT = 2
"""Version of our part of the layout; a reader refuses a higher one. From 2 on a file is sealed."""


@dataclass(frozen=True, eq=False)
class SpikeDataset:
    """Spikes of many sounds, all heard by one nerve for one duration.

    Attributes:
        spikes: One an item, all over the same units and window.
        labels: `(n_items,)` index into `classes`.
        speakers: `(n_items,)` name of each item's voice.
        splits: `(n_items,)` one of `SPLITS`: `train`, `validation`, `test` or `extra`.
        keys: `(n_items,)` name of each item.
        channels: `(n_units,)` channel of each fibre.
        cf_hz: `(n_units,)` characteristic frequency of each fibre.
        about: JSON-ready: the config and everything else that decided the data.
    """

    spikes: Sequence[Spikes]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    splits: tuple[Split, ...]
    keys: tuple[str, ...]
    channels: NDArray[np.int64]
    cf_hz: NDArray[np.float64]
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        admit(self)

    def __len__(self) -> int:
        return len(self.spikes)

    def where(self, split: Split) -> NDArray[np.int64]:
        """Indices of the items of one split."""
        return np.flatnonzero(np.array(self.splits) == split)


def write_spike_dataset(path: str | os.PathLike[str], data: SpikeDataset) -> Path:
    """Write the data set to `path`, whole or not at all, replacing an older one.

    Raises:
        StoreError: if it cannot be written.
        ConfigError: if the data set is not as `SpikeDataset` says, or too large for the layout's
            16-bit numbers.
    """
    window = fitting(data)
    with atomic_hdf5(path, force=True) as file:
        times = _ragged(file, "spikes/times", len(data), np.dtype(np.float64))
        units = _ragged(file, "spikes/units", len(data), np.dtype(np.uint16))
        times.attrs["units"] = "s"
        for index, spikes in enumerate(data.spikes):
            times[index] = _seconds(spikes)
            units[index] = spikes.units.astype(np.uint16)
        file["labels"] = data.labels.astype(np.uint16)
        voices = sorted(set(data.speakers))
        extra = file.create_group("extra")
        extra["keys"] = np.array([name.encode() for name in data.classes])
        extra["speaker"] = np.array([voices.index(name) for name in data.speakers], np.uint16)
        put_text(extra, "speakers", voices)
        put_text(extra, "items", list(data.keys))
        extra["split"] = np.array([SPLITS.index(split) for split in data.splits], np.uint8)
        about = extra.create_group("meta_info")
        about["format"] = FORMAT
        about["n_units"], about["t_start_ms"], about["t_stop_ms"] = window
        put(about, "channels", data.channels)
        put(about, "cf_hz", data.cf_hz)
        put_text(about, "about", json.dumps(without_home(dict(data.about)), sort_keys=True))
    return Path(path)


def read_spike_dataset(path: str | os.PathLike[str]) -> SpikeDataset:
    """The data set of a file.

    Raises:
        StoreError: if the file is missing, truncated, or no data set of this format, or an item
            is of no class.
    """
    with reading_hdf5(path) as file:
        about, extra = checked_format(file, path), checked.group(file, "extra")
        n_items, window = len(_lists(file, "times", "f")), _window(about)
        labels, classes = checked_labels(file, path)
        voices, items = checked.texts(extra, "speakers"), checked.texts(extra, "items")
        speakers = _indices(extra, "speaker", n_items, len(voices))
        if len(items) != n_items:
            raise checked.Damaged(f"`extra/items` must name {n_items} items, found {len(items)}")
        channels = checked.numbers(about, "channels", "iu", (window["n_units"],))
        return SpikeDataset(
            spikes=[
                Spikes(times_s * 1000.0, units, **window)
                for times_s, units in zip(
                    _lists(file, "times", "f")[:], _lists(file, "units", "iu")[:], strict=True
                )
            ],
            labels=labels,
            classes=classes,
            speakers=tuple(voices[index] for index in speakers),
            splits=item_splits(file),
            keys=items,
            channels=channels.astype(np.int64),
            cf_hz=checked.numbers(about, "cf_hz", "f", channels.shape),
            about=_about(about),
        )


def checked_format(file: h5py.File, path: str | os.PathLike[str]) -> h5py.Group:
    """Our part of an open data set, `/extra/meta_info`.

    Raises:
        StoreError: if it is no data set of this format, or was changed after it was written.
    """
    if "extra/meta_info/format" not in file:
        raise StoreError(f"cannot read `{path}`: it is not a spike data set of Ember")
    about = checked.group(file, "extra/meta_info")
    format = int(checked.numbers(about, "format", "iu", ()))
    if not 1 <= format <= FORMAT:
        raise StoreError(
            f"cannot read `{path}`: it is a spike data set of format {format}, this Ember reads "
            f"{FORMAT}; delete it to build it anew"
        )
    if format > 1 and not is_sealed(path):
        raise StoreError(
            f"cannot read `{path}`: its checksum is gone, so it was cut off or changed after it "
            f"was written; delete it to build it anew"
        )
    return about


def checked_labels(
    file: h5py.File, path: str | os.PathLike[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """`(n_items,)` labels of an open data set, and the names of its classes.

    Raises:
        StoreError: if one is of no class, or they are not as many as the items.
    """
    classes = checked.texts(checked.group(file, "extra"), "keys")
    labels: NDArray[np.int64] = checked.numbers(file, "labels", "iu", (None,)).astype(np.int64)
    n_items = len(_lists(file, "times", "f"))
    if labels.shape != (n_items,):
        raise StoreError(
            f"cannot read `{path}`: each of {n_items} items must have a label, found {labels.size}"
        )
    if n_items and not 0 <= labels.min() <= labels.max() < len(classes):
        raise StoreError(
            f"cannot read `{path}`: labels must be 0 to {len(classes) - 1} for {len(classes)} "
            f"classes, found {labels.min()} to {labels.max()}; build it anew"
        )
    return labels, classes


def item_splits(file: h5py.File) -> tuple[Split, ...]:
    """`(n_items,)` split of each item of an open data set."""
    n_items = len(_lists(file, "times", "f"))
    return tuple(SPLITS[k] for k in _indices(file["extra"], "split", n_items, len(SPLITS)))


def item_spikes(file: h5py.File, row: int) -> Spikes:
    """The spikes of one item of an open data set; no other item's are read."""
    window = _window(checked.group(file, "extra/meta_info"))
    times_s, units = _lists(file, "times", "f")[row], _lists(file, "units", "iu")[row]
    return Spikes(times_s * 1000.0, units, **window)


def _lists(file: h5py.File, name: str, kinds: str) -> h5py.Dataset:
    """A list of numbers for each item, not read yet."""
    data = checked.member(file, f"spikes/{name}", "O")
    held = h5py.check_vlen_dtype(data.dtype)
    if held is None or held.kind not in kinds or data.ndim != 1:
        raise checked.Damaged(f"`spikes/{name}` must hold a list of numbers for each item")
    return data


def _window(about: h5py.Group) -> Watched:
    found = {
        key: float(checked.numbers(about, key, "fiu", ()))
        for key in ("n_units", "t_start_ms", "t_stop_ms")
    }
    n = found["n_units"]
    if n % 1 or not 0 <= n <= MOST_UNITS:
        raise checked.Damaged(f"`n_units` must be 0 to {MOST_UNITS:,}, found {n:g}")
    if not -np.inf < found["t_start_ms"] <= found["t_stop_ms"] < np.inf:
        raise checked.Damaged(
            f"the window must be finite and end after its start, found {found['t_start_ms']:g} to "
            f"{found['t_stop_ms']:g} ms"
        )
    return {"n_units": int(n), "t_start_ms": found["t_start_ms"], "t_stop_ms": found["t_stop_ms"]}


def _indices(group: h5py.Group, name: str, n_items: int, beyond: int) -> list[int]:
    found: list[int] = checked.numbers(group, name, "iu", (n_items,)).tolist()
    for index in found:
        if not 0 <= index < beyond:
            raise checked.Damaged(
                f"`{group.name[1:]}/{name}` must be below {beyond}, found {index}"
            )
    return found


def _about(about: h5py.Group) -> dict[str, Any]:
    try:
        found = json.loads(checked.text(about, "about"))
    except (ValueError, RecursionError) as error:
        raise checked.Damaged(f"`about` must be JSON, found: {error}") from None
    if not isinstance(found, dict):
        raise checked.Damaged(f"`about` must be an object, found {type(found).__name__}")
    return found


def _seconds(spikes: Spikes) -> NDArray[np.float64]:
    """Times such that, read back, rounding leaves them in the window."""
    seconds = spikes.times_ms / 1000.0
    seconds = np.where(seconds * 1000.0 >= spikes.t_stop_ms, np.nextafter(seconds, -1), seconds)
    early = seconds * 1000.0 < spikes.t_start_ms
    return np.where(early, np.nextafter(seconds, np.inf), seconds)


def _ragged(file: h5py.File, name: str, n: int, dtype: np.dtype[Any]) -> h5py.Dataset:
    return file.create_dataset(name, shape=(n,), dtype=h5py.vlen_dtype(dtype))
