"""The parts of a file too large for memory, each read when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import h5py

from neuro.errors import StoreError
from sims.store import checked
from sims.store.hdf5 import reading_hdf5

__all__ = ["Members"]

T = TypeVar("T")


class Members(Mapping[str, T]):
    """The members of a group by name; one that nobody holds any more is read again.

    Args:
        names: Which there are.
        read: Makes a part of the group and the name of a member in it.

    Raises, when a member is asked for:
        StoreError: if it is damaged, or the file has changed since.
    """

    def __init__(
        self, path: str | os.PathLike[str], group: str, names: Sequence[str],
        read: Callable[[h5py.Group, str], T],
    ) -> None:  # fmt: skip
        self._path, self._group, self._read = Path(path).absolute(), group, read
        self._names = dict.fromkeys(names)
        self._kept: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._version = self._seen()

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        part: T | None = self._kept.get(name)
        if part is None:
            if self._seen() != self._version:
                raise StoreError(f"`{self._path}` has changed since it was read; read it again")
            with reading_hdf5(self._path) as file:
                part = self._read(checked.group(file, self._group), name)
            self._kept[name] = part
        return part

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _seen(self) -> tuple[int, int, int]:
        try:
            about = self._path.stat()
        except OSError:
            return 0, 0, 0
        return about.st_ino, about.st_size, about.st_mtime_ns
