"""NIR files: read as untrusted input, written whole or not at all.

A file is looked at before a byte of its arrays is loaded: links, types and sizes first. Nothing
outside the file is opened, whatever it says, and no more memory is taken than the machine has.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuro.errors import EmberError, SimulationError
from neuro.memory import require_memory
from neuro.nir._package import nir_package
from neuro.nir.errors import NirError
from neuro.nir.graph import Graph, from_dict

if TYPE_CHECKING:
    import h5py
    import nir

__all__ = ["read_graph", "write_graph"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_ITEMS = 1_000_000  # groups and datasets; far above any graph seen, engineering choice
_DEEPEST = 64
_LONGEST_TEXT = 1 << 20
_IN_MEMORY = 4  # of an array: as stored, as float64, as a matrix, and while it is scaled


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """The graph in a NIR file, checked.

    Raises:
        NirError: if there is no such file, or it is damaged, foreign, too large for this
            machine, or holds what is no NIR graph. One line that begins with the path.
    """
    with _naming(path):
        head = _head(path)
        if not head.startswith(_SIGNATURE):
            raise NirError("it is empty" if not head else "it is not an HDF5 file")
        import h5py

        try:
            file = h5py.File(path, "r", locking="best-effort")
        except OSError:
            raise NirError("the HDF5 file is truncated or damaged; copy it again") from None
        with file:
            if "node" not in file:
                raise NirError("it is an HDF5 file but holds no NIR graph (there is no `node`)")
            found = _Walk().group(_child(file, "node", "node"), "node", 0)
            return from_dict(found)


def write_graph(graph: nir.NIRGraph, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a graph as a NIR file; it appears whole or not at all.

    Raises:
        NirError: if something is there and not `force`, or the file cannot be written.
    """
    target, nir = Path(path), nir_package()
    with _naming(path, "write"):
        if target.exists() and not force:
            raise NirError("it is there already; give another name, or `--force`")
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".nir-")
        os.close(handle)
        try:
            nir.write(temporary, graph)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    return target


class _Walk:
    """Reads groups as dicts, counting what it meets."""

    def __init__(self) -> None:
        self._items = 0
        self._bytes = 0.0

    def group(self, group: h5py.Group, where: str, depth: int) -> dict[str, Any]:
        import h5py

        if not isinstance(group, h5py.Group):
            raise NirError(f"`{where}` must be a group, found a dataset")
        if depth > _DEEPEST:
            raise NirError(f"groups may lie up to {_DEEPEST} deep in one another, found more")
        found: dict[str, Any] = {}
        for name in group:
            self._items += 1
            if self._items > _MOST_ITEMS:
                raise NirError(f"it may hold up to {_MOST_ITEMS:,} groups and arrays, found more")
            item = _child(group, name, f"{where}/{name}")
            if isinstance(item, h5py.Group):
                found[name] = self.group(item, f"{where}/{name}", depth + 1)
            else:
                found[name] = self._dataset(item, f"{where}/{name}")
        return found

    def _dataset(self, dataset: h5py.Dataset, where: str) -> Any:
        import h5py

        if not isinstance(dataset, h5py.Dataset):
            raise NirError(f"`{where}` must be a group or an array, found another HDF5 object")
        if dataset.external or dataset.is_virtual:
            raise NirError(f"`{where}` must lie in the file itself, found a reference to another")
        text = h5py.check_string_dtype(dataset.dtype) is not None or dataset.dtype.kind == "S"
        if not text and dataset.dtype.kind not in "biuf":
            raise NirError(f"`{where}` must hold numbers or text, found {dataset.dtype}")
        if dataset.shape is None:
            raise NirError(f"`{where}` must hold a value, found none")
        size = float(np.prod([float(n) for n in dataset.shape]))
        self._bytes += size * max(dataset.dtype.itemsize, 8) * _IN_MEMORY
        try:
            require_memory(self._bytes, f"`{where}` of shape {dataset.shape}")
        except SimulationError as error:
            raise NirError(str(error)) from None
        value = dataset[()]
        if not text:
            return value
        if isinstance(value, np.ndarray):
            return np.vectorize(_decoded, otypes=[object])(value).tolist() if value.size else []
        return _decoded(value)


def _child(group: h5py.Group, name: str, where: str) -> Any:
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise NirError(f"`{where}` must lie in the file itself, found a link")
    return group[name]


def _decoded(value: Any) -> str:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    if len(text) > _LONGEST_TEXT:
        raise NirError(f"a text may have up to {_LONGEST_TEXT:,} characters, found {len(text):,}")
    return text


def _head(path: str | os.PathLike[str]) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(len(_SIGNATURE))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _naming(path: str | os.PathLike[str], what: str = "read") -> Iterator[None]:
    """Say which file is meant, in one line, whatever goes wrong with it."""
    try:
        yield
    except (EmberError, OSError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).strip("'\"").split())
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file or folder"
        elif isinstance(error, OSError) and error.errno:
            reason = os.strerror(error.errno)
        elif not isinstance(error, EmberError):
            reason = f"its content is damaged ({reason})" if what == "read" else reason
        raise NirError(f"cannot {what} `{path}`: {reason}") from error
