"""Labelled spike trains in one HDF5 file, in the layout of the Spiking Heidelberg Digits.

    /spikes/times, /spikes/units    ragged, one row an item; times in seconds, float64
    /labels                         class of each item
    /extra/keys                     names of the classes
    /extra/speaker                  number of each item's speaker
    /extra/{speakers, items, split} ours: names of speakers and items; 0 train, 1 test, 2 extra
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
from neuro.spikes import Spikes
from sims.dataset._fits import fitting
from sims.dataset.labelled import SPLITS, Split
from sims.store.hdf5 import atomic_hdf5, put, put_text, reading_hdf5, text

__all__ = [
    "FORMAT", "SpikeDataset", "checked_format", "checked_labels", "item_spikes",
    "read_spike_dataset", "write_spike_dataset",
]  # fmt: skip

FORMAT = 1
"""Version of our part of the layout; a reader refuses another one."""


@dataclass(frozen=True, eq=False)
class SpikeDataset:
    """Spikes of many sounds, all heard by one nerve for one duration.

    Attributes:
        spikes: One an item, all over the same units and window.
        labels: `(n_items,)` index into `classes`.
        speakers: `(n_items,)` name of each item's voice.
        splits: `(n_items,)` `train`, `test` or `extra`.
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
        put_text(about, "about", json.dumps(data.about, sort_keys=True))
    return Path(path)


def read_spike_dataset(path: str | os.PathLike[str]) -> SpikeDataset:
    """The data set of a file.

    Raises:
        StoreError: if the file is missing, truncated, or no data set of this format, or an item
            is of no class.
    """
    with reading_hdf5(path) as file:
        about, extra = checked_format(file, path), file["extra"]
        window = {key: float(about[key][()]) for key in ("t_start_ms", "t_stop_ms")}
        n_units = int(about["n_units"][()])
        voices = text(extra["speakers"])
        classes = tuple(name.decode() for name in extra["keys"][:])
        return SpikeDataset(
            spikes=[
                Spikes(times_s * 1000.0, units, n_units=n_units, **window)
                for times_s, units in zip(
                    file["spikes/times"][:], file["spikes/units"][:], strict=True
                )
            ],
            labels=checked_labels(file, len(classes), path),
            classes=classes,
            speakers=tuple(str(voices[index]) for index in extra["speaker"][:]),
            splits=tuple(SPLITS[index] for index in extra["split"][:]),
            keys=tuple(str(key) for key in text(extra["items"])),
            channels=about["channels"][:].astype(np.int64),
            cf_hz=about["cf_hz"][:],
            about=json.loads(text(about["about"])),
        )


def checked_format(file: h5py.File, path: str | os.PathLike[str]) -> h5py.Group:
    """Our part of an open data set, `/extra/meta_info`.

    Raises:
        StoreError: if it is no data set of this format.
    """
    if "extra/meta_info/format" not in file:
        raise StoreError(f"cannot read `{path}`: it is not a spike data set of Ember")
    about = file["extra/meta_info"]
    if int(about["format"][()]) != FORMAT:
        raise StoreError(
            f"cannot read `{path}`: it is a spike data set of format "
            f"{int(about['format'][()])}, this Ember reads {FORMAT}; delete it to build it anew"
        )
    return about


def checked_labels(
    file: h5py.File, n_classes: int, path: str | os.PathLike[str]
) -> NDArray[np.int64]:
    """`(n_items,)` labels of an open data set.

    Raises:
        StoreError: if one is of no class, or they are not as many as the items.
    """
    labels: NDArray[np.int64] = file["labels"][:].astype(np.int64)
    n_items = file["spikes/times"].shape[0]
    if labels.shape != (n_items,):
        raise StoreError(
            f"cannot read `{path}`: each of {n_items} items must have a label, found {labels.size}"
        )
    if n_items and not 0 <= labels.min() <= labels.max() < n_classes:
        raise StoreError(
            f"cannot read `{path}`: labels must be 0 to {n_classes - 1} for {n_classes} classes, "
            f"found {labels.min()} to {labels.max()}; build it anew"
        )
    return labels


def item_spikes(file: h5py.File, row: int) -> Spikes:
    """The spikes of one item of an open data set; no other item's are read."""
    about = file["extra/meta_info"]
    return Spikes(
        file["spikes/times"][row] * 1000.0,
        file["spikes/units"][row],
        n_units=int(about["n_units"][()]),
        t_start_ms=float(about["t_start_ms"][()]),
        t_stop_ms=float(about["t_stop_ms"][()]),
    )


def _seconds(spikes: Spikes) -> NDArray[np.float64]:
    """Times such that, read back, rounding leaves them in the window."""
    seconds = spikes.times_ms / 1000.0
    seconds = np.where(seconds * 1000.0 >= spikes.t_stop_ms, np.nextafter(seconds, -1), seconds)
    early = seconds * 1000.0 < spikes.t_start_ms
    return np.where(early, np.nextafter(seconds, np.inf), seconds)


def _ragged(file: h5py.File, name: str, n: int, dtype: np.dtype[Any]) -> h5py.Dataset:
    return file.create_dataset(name, shape=(n,), dtype=h5py.vlen_dtype(dtype))
