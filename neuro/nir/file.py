"""NIR files: read as untrusted input, written whole or not at all.

A file is opened as every HDF5 file is, by `neuro.files.hdf5`: nothing outside it is read, whatever
it says. No more memory is taken than the machine has.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuro.errors import EmberError, SimulationError, StoreError
from neuro.files.hdf5 import DAMAGE, open_hdf5, trust_hdf5
from neuro.files.links import real_path
from neuro.files.seal import add_seal
from neuro.memory import require_memory
from neuro.nir._package import nir_package
from neuro.nir.errors import NirError
from neuro.nir.graph import Graph, from_dict

if TYPE_CHECKING:
    import h5py
    import nir

__all__ = ["read_graph", "write_graph"]

_LONGEST_TEXT = 1 << 20
_IN_MEMORY = 4  # of an array: as stored, as float64, as a matrix, and while it is scaled


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """The graph in a NIR file, checked.

    Raises:
        NirError: if there is no such file, or it is damaged, foreign, too large for this
            machine, or holds what is no NIR graph. One line that begins with the path.
    """
    with _naming(path), open_hdf5(path) as file:
        if "node" not in file:
            raise NirError("it is an HDF5 file but holds no NIR graph (there is no `node`)")
        return from_dict(_Reader().group(file["node"], "node"))


def write_graph(graph: nir.NIRGraph, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a graph as a NIR file; it appears whole or not at all.

    Raises:
        NirError: if something is there and not `force`, or the file cannot be written.
    """
    nir = nir_package()
    with _naming(path, "write"):
        target = real_path(path)
        if target.exists() and not force:
            raise NirError("it is there already; give another name, or `--force`")
        # Made with the permissions that the process's umask leaves; asking for the umask would
        # change it for other threads meanwhile.
        temporary = target.parent / f".nir-{secrets.token_hex(8)}"
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            nir.write(temporary, graph)
            add_seal(temporary)
            os.replace(temporary, target)
            trust_hdf5(target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    return Path(path)


class _Reader:
    """Reads groups as dicts, counting the memory that it takes."""

    def __init__(self) -> None:
        self._bytes = 0.0

    def group(self, group: h5py.Group, where: str) -> dict[str, Any]:
        import h5py

        if not isinstance(group, h5py.Group):
            raise NirError(f"`{where}` must be a group, found a dataset")
        found: dict[str, Any] = {}
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                found[name] = self.group(item, f"{where}/{name}")
            else:
                found[name] = self._dataset(item, f"{where}/{name}")
        return found

    def _dataset(self, dataset: h5py.Dataset, where: str) -> Any:
        import h5py

        text = h5py.check_string_dtype(dataset.dtype) is not None or dataset.dtype.kind == "S"
        if not text and dataset.dtype.kind not in "biuf":
            raise NirError(f"`{where}` must hold numbers or text, found {dataset.dtype}")
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


def _decoded(value: Any) -> str:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    if len(text) > _LONGEST_TEXT:
        raise NirError(f"a text may have up to {_LONGEST_TEXT:,} characters, found {len(text):,}")
    return text


@contextmanager
def _naming(path: str | os.PathLike[str], what: str = "read") -> Iterator[None]:
    """Say which file is meant, in one line, whatever goes wrong with it."""
    try:
        yield
    except (EmberError, *DAMAGE) as error:
        reason = " ".join(str(error).strip("'\"").split())
        if isinstance(error, StoreError):
            reason = reason.removeprefix(f"cannot read `{path}`: ")
        elif isinstance(error, FileNotFoundError):
            reason = "there is no such file or folder"
        elif isinstance(error, OSError) and error.errno:
            reason = os.strerror(error.errno)
        elif not isinstance(error, EmberError):
            reason = f"its content is damaged ({reason})" if what == "read" else reason
        raise NirError(f"cannot {what} `{path}`: {reason}") from error
