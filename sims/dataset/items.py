"""Items of files, each read when it is asked for: one sound of a data set, one window of a run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.bins import bin_of, hair
from neuro.errors import ConfigError
from neuro.files.hdf5 import hold_hdf5
from neuro.spikes import Spikes
from neuro.units import quantities
from sims.dataset.labelled import Split
from sims.dataset.spike_dataset import checked_format, checked_labels, item_spikes, item_splits
from sims.store import checked, sonata
from sims.store.hdf5 import naming_damage, reading_hdf5
from sims.store.run_file import read_provenance

__all__ = ["DatasetItems", "Item", "RunItems"]


class Item(NamedTuple):
    """Spikes, what they are of, and their place among the items."""

    spikes: Spikes
    label: int
    place: int


class _Files:
    """Open HDF5 files of one process: a forked or pickled copy opens its own."""

    def __init__(self) -> None:
        self._open: dict[Path, h5py.File] = {}
        self._process = os.getpid()

    def __getitem__(self, path: Path) -> h5py.File:
        if self._process != os.getpid():
            self._open, self._process = {}, os.getpid()
        if path not in self._open:
            if len(self._open) >= 64:  # far below what a process may open; engineering choice
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = hold_hdf5(path)
        return self._open[path]

    def __getstate__(self) -> dict[str, Any]:
        return {"_open": {}, "_process": -1}


class DatasetItems:
    """The items of a spike data set, of one split or all, without reading their spikes.

    Args:
        path: A file that `write_spike_dataset` or `ember train` made.
        split: `train`, `validation`, `test` or `extra`; None takes every item.

    Raises:
        StoreError: if the file is missing, truncated, or no data set of this format, or an item
            is of no class.

    Attributes:
        labels: `(n_items,)` class of each.
        classes: Names of the classes.
        channels: `(n_units,)` channel of each fibre.
    """

    def __init__(self, path: str | os.PathLike[str], split: Split | None = None) -> None:
        self.path = Path(path).absolute()
        with reading_hdf5(self.path) as file:
            about = checked_format(file, self.path)
            splits = np.array(item_splits(file))
            self._rows = np.flatnonzero((splits == split) if split else splits != "")
            labels, self.classes = checked_labels(file, path)
            self.labels: NDArray[np.int64] = labels[self._rows]
            channels = checked.numbers(about, "channels", "iu", (None,))
            self.channels: NDArray[np.int64] = channels.astype(np.int64)
        self._files = _Files()

    def __len__(self) -> int:
        return int(self._rows.size)

    def __getitem__(self, index: int) -> Item:
        index = range(len(self))[index]
        row = int(self._rows[index])
        with naming_damage(self.path):
            spikes = item_spikes(self._files[self.path], row)
        return Item(spikes, int(self.labels[index]), index)


class RunItems:
    """Windows of runs as items: the class of an item is that of its run.

    A spike at the start of a window is in it, and in none that ends there, give or take a hair of
    1e-9 of a window for the rounding of times, as in the features' bins.

    Args:
        paths: Run files.
        population: Whose spikes.
        window_ms: Length of an item.
        hop_ms: From the start of one to that of the next; as long as a window if None.
        skip_ms: What is left out at the beginning of each run.
        by: A key of the config, such as `modulation.serotonin.dose`: runs of one value are one
            class. None makes each run a class of its own.

    Raises:
        StoreError: if a file is missing, damaged or no run file.
        ConfigError: if a run lacks the population or the key, or is shorter than a window.

    Attributes:
        labels: `(n_items,)` class of each.
        classes: Names of the classes: the values of `by`, or names of files, with as many of
            their folders as tell them apart.
    """

    @quantities
    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        population: str,
        *,
        window_ms: float,
        hop_ms: float | None = None,
        skip_ms: float = 0.0,
        by: str | None = None,
    ) -> None:
        hop = window_ms if hop_ms is None else hop_ms
        if not (0 < window_ms < np.inf and 0 < hop < np.inf and 0 <= skip_ms < np.inf):
            raise ConfigError(
                "windows of runs need a length and a hop above 0 ms, and 0 ms or more to skip, "
                f"found {window_ms:g}, {hop:g} and {skip_ms:g} ms"
            )
        self.population, self.window_ms = population, window_ms
        classes: dict[str | Path, int] = {}  # values of `by`, or runs
        self._starts: list[tuple[Path, float]] = []
        labels: list[int] = []
        for path in (Path(one).absolute() for one in paths):
            label = classes.setdefault(path if by is None else _value(path, by), len(classes))
            first, last = _watched(path, population)
            n = int(bin_of(last, hop, start=first + skip_ms + window_ms)) + 1
            if n < 1:
                raise ConfigError(
                    f"`{path}` must be longer than a window of {window_ms:g} ms after the first "
                    f"{skip_ms:g} ms, found {last - first:g} ms"
                )
            self._starts += [(path, first + skip_ms + k * hop) for k in range(n)]
            labels += [label] * n
        self.labels: NDArray[np.int64] = np.array(labels, dtype=np.int64)
        named = _told_apart([one for one in classes if isinstance(one, Path)])
        self.classes = tuple(named[one] if isinstance(one, Path) else one for one in classes)
        self._files = _Files()

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Item:
        index = range(len(self))[index]
        path, start = self._starts[index]
        stop = start + self.window_ms
        reach = float(hair(stop, self.window_ms))
        with naming_damage(path):
            group = checked.group(checked.group(self._files[path], "spikes"), self.population)
            times = checked.array(group, "timestamps", "f", (None,))
            units = checked.array(group, "node_ids", "iu", times.shape)
            # Stored by time: what is read is the window and, to find it, a few single times.
            first, last = _place(times, start - reach), _place(times, stop - reach)
            within = np.maximum(times[first:last], start)
            spikes = Spikes(
                within, units[first:last].astype(np.int64),
                n_units=sonata.read_watched(group)["n_units"], t_start_ms=start, t_stop_ms=stop,
            )  # fmt: skip
        return Item(spikes, int(self.labels[index]), index)


def _place(times: h5py.Dataset, wanted: float) -> int:
    """How many of the ascending times are before `wanted`."""
    low, high = 0, times.shape[0]
    while low < high:
        middle = (low + high) // 2
        if times[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _told_apart(paths: Sequence[Path]) -> dict[Path, str]:
    """Each path by its last parts, as few as no other of them ends in."""
    ends = {path: [path.parts[k:] for k in reversed(range(len(path.parts)))] for path in paths}
    shared = Counter(end for each in ends.values() for end in each)
    return {
        path: str(Path(*next(end for end in each if shared[end] == 1)))
        for path, each in ends.items()
    }


def _watched(path: Path, population: str) -> tuple[float, float]:
    with reading_hdf5(path) as file:
        spikes = checked.group(file, "spikes")
        there = checked.member_names(spikes)
        if population in there:
            about = sonata.read_watched(checked.group(spikes, population))
            return about["t_start_ms"], about["t_stop_ms"]
    raise ConfigError(
        f"`{path}` must hold the spikes of `{population}`, found those of "
        + (", ".join(there) or "none")
    )


def _value(path: Path, key: str) -> str:
    found: Any = read_provenance(path).resolved
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            raise ConfigError(f"the config of `{path}` must have the key `{key}`, found none")
        found = found[part]
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)
