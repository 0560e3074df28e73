"""Whether two run files hold the same spikes, without reading either into memory."""

from __future__ import annotations

import os

import h5py

from sims.store import checked, sonata
from sims.store.columns import numbered_blocks
from sims.store.hdf5 import reading_hdf5

__all__ = ["same_spikes"]


def same_spikes(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """Whether every population of `a` has the same cells in `b`, and every spike its time, bit for
    bit; if `a` ended before its time, up to there.

    Raises:
        StoreError: if one of them cannot be read.
    """
    with reading_hdf5(a) as one, reading_hdf5(b) as other:
        part = bool(checked.attribute_text(checked.group(one, "provenance"), "failure", ""))
        first, second = checked.group(one, "spikes"), checked.group(other, "spikes")
        return list(first) == list(second) and all(
            _same_train(checked.group(first, name), checked.group(second, name), part)
            for name in first
        )


def _same_train(a: h5py.Group, b: h5py.Group, part: bool) -> bool:
    if sonata.read_watched(a)["n_units"] != sonata.read_watched(b)["n_units"]:
        return False
    return all(
        _same(checked.array(a, name, kinds, (None,)), checked.array(b, name, kinds, (None,)), part)
        for name, kinds in (("timestamps", "f"), ("node_ids", "iu"))
    )


def _same(a: h5py.Dataset, b: h5py.Dataset, part: bool) -> bool:
    if not (len(a) <= len(b) if part else len(a) == len(b)):
        return False
    return all(
        x.tobytes() == b[first : first + len(x)].tobytes() for first, x in numbered_blocks(a)
    )
