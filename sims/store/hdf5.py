"""HDF5 files that are written whole or not at all, and read with errors a person understands."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import EmberError, StoreError
from neuro.files.hdf5 import DAMAGE, open_hdf5, trust_hdf5
from sims.store.atomic import atomic_path
from sims.store.journal import JournaledFile

__all__ = [
    "as_text",
    "atomic_hdf5",
    "chunked",
    "naming_damage",
    "put",
    "put_text",
    "reading_hdf5",
]

_CHUNK_FROM = 1024  # elements; below that a chunk's own bookkeeping outweighs the gain


@contextmanager
def atomic_hdf5(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[h5py.File]:
    """Give an empty HDF5 file to fill; on success it becomes `path`, sealed, else nothing remains.

    The memory it takes does not grow with the file. Groups keep the order in which they are made.

    Raises:
        StoreError: if `path` exists and not `force`, or cannot be written.
    """
    with atomic_path(path, force=force) as temporary:
        raw = JournaledFile(temporary)
        try:
            try:
                with h5py.File(raw, "w", track_order=True) as file:
                    yield file
            finally:
                raw.check()  # the disk's own error, rather than what HDF5 makes of it
            raw.add_seal()
        finally:
            raw.close()
    trust_hdf5(path)


@contextmanager
def reading_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open an HDF5 file to read; whatever is wrong with it becomes one line.

    Raises:
        StoreError: as `neuro.files.hdf5.open_hdf5` does, or if what the caller looked for in it
            is missing or of another kind.
    """
    with naming_damage(path), open_hdf5(path) as file:
        yield file


@contextmanager
def naming_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """What is wrong with the file that is read within the block becomes one line.

    Raises:
        StoreError: naming the file.
    """
    try:
        yield
    except StoreError:
        raise
    except (EmberError, *DAMAGE) as error:
        reason = " ".join(str(error).strip("'\"").split()) or type(error).__name__
        raise StoreError(f"cannot read `{path}`: its content is damaged ({reason})") from error


def put(
    group: h5py.Group, name: str, data: ArrayLike, /, *, compress: bool = True, **attributes: Any
) -> h5py.Dataset:
    """Store an array in `group`; one that is not small in chunks and, by default, with gzip."""
    array = np.asarray(data)
    options = chunked(compress) if array.size >= _CHUNK_FROM else {}
    dataset = group.create_dataset(name, data=array, **options)
    dataset.attrs.update(attributes)
    return dataset


def chunked(compress: bool) -> dict[str, Any]:
    """h5py's options for a dataset in chunks: gzip, if asked. The file's seal is the checksum."""
    return {"compression": "gzip", "compression_opts": 4, "shuffle": True} if compress else {}


def put_text(group: h5py.Group, name: str, value: str | Sequence[str]) -> h5py.Dataset:
    """Store one text or a list of texts as UTF-8 of a fixed length.

    Text of variable length lies in a heap of its own, on which HDF5 can hang where it is damaged.
    """
    return group.create_dataset(name, data=as_text(value))


def as_text(value: str | Sequence[str]) -> NDArray[np.bytes_]:
    """Text as HDF5 stores it with a fixed length: an array of one, or of a list.

    A file name that is no valid text, as a command line may hold, survives the round trip.
    """
    lines = [value] if isinstance(value, str) else list(value)
    data = [line.encode("utf-8", errors="surrogatepass") for line in lines]
    longest = max([1, *map(len, data)])  # HDF5 has no text of length 0
    made = np.array(data, dtype=h5py.string_dtype("utf-8", longest))
    return made[0].reshape(()) if isinstance(value, str) else made
