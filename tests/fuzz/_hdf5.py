"""Damage that only HDF5 itself can do: links out of the file, other types, lost objects."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neuro.files.seal import SEAL_BYTES, add_seal
from tests.fuzz._mutate import damage_bytes

__all__ = ["damage_hdf5", "damage_hdf5_and_seal"]

_NUMBERS = (0, -1, 0.5, float("nan"), float("inf"), 1e9, 2**62, -(2**31), 1e-300, 10**11)
_OUTSIDE = "/etc/passwd"


def damage_hdf5(data: bytes, rng: random.Random) -> bytes:
    """Half of the time bytes, half of the time one change made with h5py."""
    return damage_bytes(data, rng) if rng.random() < 0.5 else _restructured(data, rng, seal=False)


def damage_hdf5_and_seal(data: bytes, rng: random.Random) -> bytes:
    """Half of the time a change made with h5py, half of the time to bytes that HDF5 alone looks at;
    either way the file's checksum is made to fit.
    """
    if rng.random() < 0.5:
        return _restructured(data, rng, seal=True)
    changed = bytearray(data[:-SEAL_BYTES])
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(changed))
        bits = 1 << rng.randrange(8) if rng.random() < 0.6 else rng.randrange(256)
        changed[at] ^= bits
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.h5"
        path.write_bytes(changed)
        add_seal(path)
        return path.read_bytes()


def _restructured(data: bytes, rng: random.Random, *, seal: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.h5"
        path.write_bytes(data)
        with h5py.File(path, "r+") as file:
            objects: list[Any] = [file]
            file.visititems(lambda _, thing: objects.append(thing))
            rng.choice(_CHANGES)(file, rng.choice(objects), rng)
        if seal:
            add_seal(path)
        return path.read_bytes()


def _put(parent: h5py.Group, name: str, value: Any, **options: Any) -> None:
    if name in parent:
        del parent[name]
    parent.create_dataset(name, data=value, **options)


def _attribute(file: h5py.File, thing: Any, rng: random.Random) -> None:
    names = sorted(thing.attrs)
    if not names:
        return _replace(file, thing, rng)
    name = rng.choice(names)
    match rng.choice(("lose", "number", "number", "text", "array", "reference", "rename")):
        case "lose":
            del thing.attrs[name]
        case "number":
            thing.attrs[name] = rng.choice(_NUMBERS)
        case "text":
            thing.attrs[name] = rng.choice(("", "x", "<script>alert(1)</script>", "\x1b[2J", "-1"))
        case "array":
            thing.attrs[name] = np.arange(rng.choice((0, 3, 500)))
        case "reference":
            thing.attrs[name] = file.ref
        case "rename":
            thing.attrs[f"{name}2"] = thing.attrs[name]
            del thing.attrs[name]
    return None


def _replace(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if thing.name == "/":
        return
    parent, name = thing.parent, thing.name.rpartition("/")[2]
    old = thing[()] if isinstance(thing, h5py.Dataset) else None
    attributes = dict(thing.attrs)
    if isinstance(old, np.ndarray) and old.dtype.kind in "fiu" and rng.random() < 0.6:
        _put(parent, name, _other_array(old, rng))
    else:
        made: Callable[[], Any] = rng.choice(
            (lambda: rng.choice(_NUMBERS), lambda: "text", lambda: np.zeros((2, 3)),
             lambda: np.zeros(3, complex), lambda: np.array([b"x", b"y"]), lambda: h5py.Empty("f8"),
             lambda: np.zeros(2, [("a", "f8"), ("b", "i4")]), lambda: b"null", lambda: b"[" * 5000,
             lambda: np.void(b"opaque"), lambda: np.array(True))
        )  # fmt: skip
        _put(parent, name, made())
    for key, value in attributes.items():
        parent[name].attrs[key] = value


def _other_array(old: np.ndarray, rng: random.Random) -> np.ndarray:
    match rng.choice(("short", "long", "rank", "half", "nan", "minus", "huge", "int", "shuffle")):
        case "short":
            return old[:-1]
        case "long":
            return np.concatenate([old, old])
        case "rank":
            return old[..., None]
        case "half":
            return old + 0.5
        case "nan":
            return np.where(np.arange(old.size).reshape(old.shape) == 0, np.nan, old)
        case "minus":
            return -old.astype(np.float64) - 1
        case "huge":
            return old.astype(np.float64) + 1e12
        case "int":
            return old.astype(np.int64)
        case _:
            return old[::-1]


def _lose(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if thing.name != "/":
        del file[thing.name]


def _rename(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if thing.name != "/":
        name = rng.choice(("other", "\x1b]0;owned\x07", "<b>bold</b>", "é", "x" * 5000))
        file.move(thing.name, f"{thing.parent.name.rstrip('/')}/{name}")


def _link(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if thing.name == "/":
        return
    parent, name, where = thing.parent, thing.name.rpartition("/")[2], thing.name
    link = rng.choice(
        (h5py.SoftLink(where), h5py.SoftLink("/nowhere"), h5py.ExternalLink(_OUTSIDE, "/"),
         h5py.ExternalLink("file.h5", where), parent, file)
    )  # fmt: skip
    del parent[name]
    parent[name] = link


def _outside(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if not isinstance(thing, h5py.Dataset) or not thing.shape:
        return _link(file, thing, rng)
    parent, name, shape, kind = (
        thing.parent,
        thing.name.rpartition("/")[2],
        thing.shape,
        thing.dtype,
    )
    attributes = dict(thing.attrs)
    if kind.kind not in "fiu":
        return None
    del parent[name]
    if rng.random() < 0.5:
        size = int(np.prod(shape)) * kind.itemsize
        parent.create_dataset(name, shape, kind, external=[(_OUTSIDE, 0, max(1, size))])
    else:
        layout = h5py.VirtualLayout(shape, kind)
        source = rng.choice((".", "/tmp/nowhere.h5", _OUTSIDE))
        layout[...] = h5py.VirtualSource(source, thing.name or name, shape)
        parent.create_virtual_dataset(name, layout)
    for key, value in attributes.items():
        parent[name].attrs[key] = value
    return None


def _vast(file: h5py.File, thing: Any, rng: random.Random) -> None:
    if not isinstance(thing, h5py.Dataset):
        return _lose(file, thing, rng)
    parent, name = thing.parent, thing.name.rpartition("/")[2]
    rank = max(1, len(thing.shape or ()))
    kind = thing.dtype if thing.dtype.kind in "fiu" else np.dtype("f8")
    del parent[name]
    chunks = (1024,) + (1,) * (rank - 1) if rng.random() < 0.5 else None
    parent.create_dataset(name, (10**11, *(1,) * (rank - 1)), kind, chunks=chunks)
    return None


def _add(file: h5py.File, thing: Any, rng: random.Random) -> None:
    group = thing if isinstance(thing, h5py.Group) else thing.parent
    match rng.choice(("group", "type", "number", "deep", "lzf")):
        case "group":
            group.create_group("extra_group")
        case "type":
            group["extra_type"] = np.dtype("f8")
        case "number":
            group["extra_number"] = 1.0
        case "deep":
            group.create_group("/".join(["deep"] * 300))
        case "lzf":
            group.create_dataset("extra_lzf", data=np.arange(2000.0), compression="lzf")


_CHANGES = (_attribute, _attribute, _attribute, _replace, _replace, _lose, _rename, _link, _outside,
            _outside, _vast, _add)  # fmt: skip
