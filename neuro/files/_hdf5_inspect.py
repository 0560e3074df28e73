"""Look through an HDF5 file: every object must lie in the file and be of a plain kind.

Run as a program, it reads everything there is under limits of time and memory, in a process that
HDF5 may hang or crash without harm to the one that asked; see `neuro.files.hdf5`. So it imports
nothing of Ember.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z

__all__ = ["Unfit", "inspect"]

# Engineering choices, far above what any file of this kind has.
_MOST_LINKS = 1_000_000
_DEEPEST = 64
_MOST_ATTRIBUTES = 10_000
_ATTRIBUTE_BYTES = 1 << 20
_LONGEST_TEXT = 1 << 28
_BLOCK_BYTES = 1 << 24
# Compression by deflate gains at most a factor of 1,032; what promises more holds no data.
_GAIN, _SPARE_BYTES = 1_100, 1 << 26
_FILTERS = (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_SZIP,
            h5z.FILTER_NBIT, h5z.FILTER_SCALEOFFSET)  # fmt: skip
_KINDS = {
    h5t.COMPOUND: "a compound type", h5t.OPAQUE: "an opaque type", h5t.REFERENCE: "references",
    h5t.ARRAY: "an array type", h5t.BITFIELD: "bit fields", h5t.TIME: "a time type",
    h5t.ENUM: "an enumeration", h5t.VLEN: "lists", h5t.STRING: "text",
}  # fmt: skip


class Unfit(Exception):
    """What the file must not have, in words that follow `cannot read FILE:`."""


def inspect(file: h5py.File, size: int) -> None:
    """Look at every link, object, type, filter, attribute and value without following a reference.

    Args:
        size: Bytes of the file.

    Raises:
        Unfit: at the first thing that is not plain.
    """
    _Inspection(size).group(h5g.open(file.id, b"/"), "/")


class _Inspection:
    def __init__(self, size: int) -> None:
        self._room = _SPARE_BYTES + _GAIN * size
        self._seen: set[bytes] = set()
        self._links = 0

    def group(self, root: h5g.GroupID, where: str) -> None:
        """Everything in a group, and in the groups in it."""
        waiting = [(root, where, 0)]
        self._new(root)
        while waiting:
            group, where, depth = waiting.pop()
            if depth > _DEEPEST:
                raise Unfit(f"groups may lie up to {_DEEPEST} deep in one another, found more")
            self._attributes(group, where)
            for name in list(group):
                self._links += 1
                if self._links > _MOST_LINKS:
                    raise Unfit(f"it may hold up to {_MOST_LINKS:,} groups and arrays, found more")
                path = f"{where.rstrip('/')}/{name.decode('utf-8', 'replace')}"
                if group.links.get_info(name).type != h5l.TYPE_HARD:
                    raise Unfit(f"`{path[1:]}` must lie in the file itself, found a link")
                inner = h5o.open(group, name)
                if isinstance(inner, h5g.GroupID):
                    if not self._new(inner):
                        raise Unfit(
                            f"`{path[1:]}` must be a group of its own, found another's name"
                        )
                    waiting.append((inner, path, depth + 1))
                elif isinstance(inner, h5d.DatasetID):
                    if self._new(inner):
                        self._dataset(inner, path[1:])
                        self._attributes(inner, path)
                else:
                    raise Unfit(f"`{path[1:]}` must be a group or an array, found a named type")

    def _new(self, thing: Any) -> bool:
        """Whether the object was not met before."""
        before = len(self._seen)
        self._seen.add(bytes(_address(thing)))
        return len(self._seen) > before

    def _dataset(self, data: h5d.DatasetID, where: str) -> None:
        made = data.get_create_plist()
        layout = made.get_layout()
        if layout == h5d.VIRTUAL or made.get_external_count():
            raise Unfit(f"`{where}` must lie in the file itself, found a reference to another")
        for number in range(made.get_nfilters()):
            code = made.get_filter(number)[0]
            if code not in _FILTERS:
                raise Unfit(f"`{where}` needs a filter that HDF5 does not bring along ({code})")
        kind = data.get_type()
        _check_type(kind, where)
        space = data.get_space()
        if space.get_simple_extent_type() == h5s.NULL:
            raise Unfit(f"`{where}` must hold a value, found none")
        shape = space.get_simple_extent_dims()
        n = math.prod(shape)
        self._room -= n * kind.get_size()
        if self._room < 0:
            raise Unfit(f"`{where}` of shape {shape} cannot lie in a file of this size")
        if layout == h5d.CHUNKED:
            expected = math.prod(-(-a // b) for a, b in zip(shape, made.get_chunk(), strict=True))
            found = data.get_num_chunks()
            if found < expected:
                raise Unfit(f"`{where}` must have {expected} chunks of data, found {found}")
        elif n and data.get_storage_size() < n * kind.get_size():
            raise Unfit(f"`{where}` must hold its data, found less")
        if n:
            _read(h5py.Dataset(data), shape, kind.get_size())

    def _attributes(self, thing: Any, where: str) -> None:
        n = h5a.get_num_attrs(thing)
        if n > _MOST_ATTRIBUTES:
            raise Unfit(f"`{where}` may have up to {_MOST_ATTRIBUTES:,} attributes, found {n:,}")
        for number in range(n):
            attribute = h5a.open(thing, index=number)
            name = f"{where}@{attribute.name.decode('utf-8', 'replace')}"
            kind = attribute.get_type()
            _check_type(kind, name)
            if math.prod(attribute.shape) * kind.get_size() > _ATTRIBUTE_BYTES:
                raise Unfit(f"attribute `{name}` may have {_ATTRIBUTE_BYTES >> 20} MiB, found more")
        owner = (h5py.Group if isinstance(thing, h5g.GroupID) else h5py.Dataset)(thing)
        for value in owner.attrs.values():
            _measure(value)


def _address(thing: Any) -> tuple[int, ...] | bytes:
    info = h5o.get_info(thing)
    return f"{info.fileno} {info.addr}".encode()


def _check_type(kind: h5t.TypeID, where: str) -> None:
    found = kind.get_class()
    if found in (h5t.INTEGER, h5t.FLOAT):
        fine = kind.get_size() <= 8
    elif found == h5t.STRING:
        fine = kind.is_variable_str() or kind.get_size() <= _LONGEST_TEXT
    elif found == h5t.ENUM:
        fine = kind.get_super().get_size() <= 8
    elif found == h5t.VLEN:
        fine = kind.get_super().get_class() in (h5t.INTEGER, h5t.FLOAT)
    else:
        fine = False
    if not fine:
        named = _KINDS.get(found, "another type")
        raise Unfit(f"`{where}` must hold plain numbers or text, found {named}")
    if found in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM):
        _ = kind.dtype  # as h5py will make it


def _read(data: h5py.Dataset, shape: tuple[int, ...], item: int) -> None:
    for block in _blocks(shape, item):
        _measure(data[block])


def _measure(value: Any) -> None:
    if isinstance(value, str | bytes) and len(value) > _LONGEST_TEXT:
        raise Unfit(f"a text may have up to {_LONGEST_TEXT:,} characters, found {len(value):,}")


def _blocks(shape: tuple[int, ...], item: int) -> Iterator[Any]:
    if not shape:
        yield ()
        return
    row = max(1, item * math.prod(shape[1:]))
    n = max(1, _BLOCK_BYTES // row)
    for first in range(0, shape[0], n):
        yield slice(first, first + n)


def _limit(name: str, soft: int) -> None:
    import resource

    with contextlib.suppress(ValueError, OSError, AttributeError):
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard < 0 else min(soft, hard), hard))


def main(path: str, seconds: int) -> int:
    """Open and read the file; print what is wrong with it, if anything is."""
    size = os.stat(path).st_size
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_CPU", seconds)
    _limit("RLIMIT_AS", (4 << 30) + 4 * size)
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            inspect(file, size)
    except Unfit as error:
        print(error)
        return 3
    except BlockingIOError:
        return 4
    except (MemoryError, Exception) as error:
        print(" ".join(str(error).split())[:200])
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
