"""Whether two run files hold the same spikes, without reading either into memory."""

from __future__ import annotations

import os
from itertools import zip_longest

import h5py

from sims.store.columns import blocks
from sims.store.hdf5 import reading_hdf5

__all__ = ["same_spikes"]


def same_spikes(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """Whether every population has the same cells, and every spike its time, bit for bit.

    Raises:
        StoreError: if one of them cannot be read.
    """
    with reading_hdf5(a) as one, reading_hdf5(b) as other:
        first, second = one["spikes"], other["spikes"]
        return list(first) == list(second) and all(
            dict(group.attrs) == dict(second[name].attrs)
            and _same(group["timestamps"], second[name]["timestamps"])
            and _same(group["node_ids"], second[name]["node_ids"])
            for name, group in first.items()
        )


def _same(a: h5py.Dataset, b: h5py.Dataset) -> bool:
    return a.shape == b.shape and all(
        x is not None and y is not None and x.tobytes() == y.tobytes()
        for x, y in zip_longest(blocks(a), blocks(b))
    )
