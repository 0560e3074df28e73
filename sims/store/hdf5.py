"""HDF5 files that are written whole or not at all, and read with errors a person understands."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from neuro.errors import EmberError, StoreError
from sims.store.atomic import atomic_path
from sims.store.journal import JournaledFile

__all__ = ["atomic_hdf5", "chunked", "put", "put_text", "reading_hdf5", "text"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_FROM = 1024  # elements; below that a chunk's own bookkeeping outweighs the gain


@contextmanager
def atomic_hdf5(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[h5py.File]:
    """Give an empty HDF5 file to fill; on success it becomes `path`, else nothing remains.

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
        finally:
            raw.close()


@contextmanager
def reading_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open an HDF5 file to read; whatever is wrong with it becomes one line.

    Raises:
        StoreError: if there is no such file, it is no HDF5 file, is truncated, or what the
            caller looked for in it is missing or of another kind.
    """
    head = _head(path)
    if not head.startswith(_SIGNATURE):
        if not head:
            raise StoreError(f"cannot read `{path}`: the file is empty")
        if not _SIGNATURE.startswith(head):
            raise StoreError(f"cannot read `{path}`: it is not an HDF5 file")
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except BlockingIOError:
        raise StoreError(f"cannot read `{path}`: another process is writing it; wait") from None
    except OSError:
        raise StoreError(
            f"cannot read `{path}`: the HDF5 file is truncated or damaged; copy it again, or run "
            f"again what wrote it"
        ) from None
    with file:
        try:
            yield file
        except StoreError:
            raise
        except (
            AttributeError, EmberError, LookupError, OSError, RuntimeError, TypeError, ValueError
        ) as error:  # fmt: skip
            reason = " ".join(str(error).strip("'\"").split())
            raise StoreError(f"cannot read `{path}`: its content is damaged ({reason})") from error


def put(
    group: h5py.Group, name: str, data: ArrayLike, /, *, compress: bool = True, **attributes: Any
) -> h5py.Dataset:
    """Store an array in `group`; one that is not small with a checksum and, by default, gzip."""
    array = np.asarray(data)
    options = chunked(compress) if array.size >= _CHUNK_FROM else {}
    dataset = group.create_dataset(name, data=array, **options)
    dataset.attrs.update(attributes)
    return dataset


def chunked(compress: bool) -> dict[str, Any]:
    """What h5py is told about a dataset in chunks: a checksum and, if asked, gzip."""
    if not compress:
        return {"fletcher32": True}
    return {"fletcher32": True, "compression": "gzip", "compression_opts": 4, "shuffle": True}


def put_text(group: h5py.Group, name: str, value: str | Sequence[str]) -> h5py.Dataset:
    """Store one text or a list of texts as variable-length UTF-8.

    A file name that is no valid text, as a command line may hold, survives the round trip.
    """
    data = _encoded(value) if isinstance(value, str) else [_encoded(line) for line in value]
    return group.create_dataset(name, data=data, dtype=h5py.string_dtype("utf-8"))


def text(dataset: h5py.Dataset) -> Any:
    """What `put_text` stored: a str, or an array of str."""
    return dataset.asstr(errors="surrogatepass")[()]


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", errors="surrogatepass")


def _head(path: str | os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SIGNATURE))
    except FileNotFoundError:
        raise StoreError(f"cannot read `{path}`: there is no such file") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StoreError(f"cannot read `{path}`: {reason}") from None
