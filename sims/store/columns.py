"""Datasets that grow by rows: those that fill a chunk are in the file, the rest in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from sims.store.hdf5 import chunked, put

__all__ = ["Column", "Frames", "blocks", "numbered_blocks"]

CHUNK_BYTES = 1 << 18
"""Engineering choice: large enough for the disk, small beside what a short run's file takes."""

BLOCK_BYTES = 1 << 24
"""How much of a dataset is in memory when it is copied or compared."""


class Column:
    """One dataset of a growing file.

    A dataset that never fills a chunk is written at the end, and looks like any other of its size.

    Args:
        width: Shape of a row; `()` for numbers.
        tail: Rows that belong after those in the file.
        attributes: Of the dataset.
    """

    def __init__(
        self, group: h5py.Group, name: str, dtype: DTypeLike, width: tuple[int, ...] = (), *,
        compress: bool = False, tail: NDArray[Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._group, self._name, self._width = group, name, width
        self._dtype = np.dtype(dtype)
        self._compress, self._attributes = compress, dict(attributes or {})
        row_bytes = self._dtype.itemsize * int(np.prod(width))
        self._chunk = max(1, CHUNK_BYTES // row_bytes) if row_bytes else sys.maxsize
        self._held = [] if tail is None else [tail]
        self._n_held = 0 if tail is None else len(tail)
        self._n_stored = int(group[name].shape[0]) if name in group else 0

    @property
    def path(self) -> str:
        """Where in the file it is."""
        return f"{self._group.name}/{self._name}"

    @property
    def rows(self) -> int:
        """How many rows it has, in the file and in memory."""
        return self._n_stored + self._n_held

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; they are copied where their type is another."""
        if not len(rows):
            return
        self._held.append(np.array(rows, dtype=self._dtype))
        self._n_held += len(rows)
        whole = self._n_held - self._n_held % self._chunk
        if whole:
            held = self.tail()
            self._store(held[:whole])
            self._held, self._n_held = [held[whole:].copy()], self._n_held - whole

    def tail(self) -> NDArray[Any]:
        """The rows that are in memory only."""
        return np.concatenate([np.zeros((0, *self._width), self._dtype), *self._held])

    def so_far(self) -> Iterator[NDArray[Any]]:
        """All rows, a block at a time."""
        if self._n_stored:
            yield from blocks(self._group[self._name])
        yield self.tail()

    def finish(self) -> h5py.Dataset:
        """Bring the rest to the file."""
        tail = self.tail()
        if self._n_stored:
            self._store(tail)
        else:
            put(self._group, self._name, tail, compress=self._compress, **self._attributes)
            self._n_stored = len(tail)
        self._held, self._n_held = [], 0
        return self._group[self._name]

    def _store(self, rows: NDArray[Any]) -> None:
        if not self._n_stored:
            widest = tuple(min(n, CHUNK_BYTES // self._dtype.itemsize) for n in self._width)
            self._group.create_dataset(
                self._name, shape=(0, *self._width), maxshape=(None, *self._width),
                dtype=self._dtype, chunks=(self._chunk, *widest), **chunked(self._compress),
            ).attrs.update(self._attributes)  # fmt: skip
        dataset = self._group[self._name]
        before = self._n_stored
        self._n_stored += len(rows)
        dataset.resize(self._n_stored, axis=0)
        dataset[before:] = rows


class Frames:
    """A trace's frames: float32, as SONATA wants them, and float64 beside from the first frame on
    that float32 does not hold bit for bit.
    """

    def __init__(
        self, group: h5py.Group, n_cells: int, unit: str, variable: str,
        tails: Mapping[str, NDArray[Any]],
    ) -> None:  # fmt: skip
        self._group, self._width, self._unit = group, (n_cells,), unit
        self._single = Column(
            group, "data", np.float32, self._width, tail=tails.get(f"{group.name}/data"),
            attributes={"units": unit, "variable": variable},
        )  # fmt: skip
        exact = f"{group.name}/data_float64"
        there = exact in tails or "data_float64" in group
        self._exact = self._doubles(tails.get(exact)) if there else None

    @property
    def columns(self) -> list[Column]:
        """The datasets there are until now."""
        return [self._single] if self._exact is None else [self._single, self._exact]

    def append(self, frames: NDArray[np.floating]) -> None:
        """Add `(n_frames, n_cells)`."""
        with np.errstate(over="ignore"):  # beyond float32 it becomes infinite there
            single = np.asarray(frames, np.float32)
        if self._exact is None and frames.dtype != np.float32:
            same = single.astype(np.float64).tobytes() == np.asarray(frames, np.float64).tobytes()
            if not same:
                self._exact = self._doubles(None)
                for block in self._single.so_far():
                    self._exact.append(block)
        self._single.append(single)
        if self._exact is not None:
            self._exact.append(frames)

    def _doubles(self, tail: NDArray[Any] | None) -> Column:
        return Column(
            self._group, "data_float64", np.float64, self._width, compress=True, tail=tail,
            attributes={"units": self._unit},
        )  # fmt: skip


def blocks(dataset: h5py.Dataset) -> Iterator[NDArray[Any]]:
    """A dataset's rows, some at a time, so that it need not fit in memory."""
    for _, block in numbered_blocks(dataset):
        yield block


def numbered_blocks(dataset: h5py.Dataset) -> Iterator[tuple[int, NDArray[Any]]]:
    """The same, each with the number of its first row."""
    row_bytes = dataset.dtype.itemsize * max(1, int(np.prod(dataset.shape[1:])))
    n = max(1, BLOCK_BYTES // row_bytes)
    for first in range(0, dataset.shape[0], n):
        yield first, dataset[first : first + n]
