"""Whether two run files hold the same spikes, without reading either into memory."""

from __future__ import annotations

import os

import h5py

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
        part = bool(one["provenance"].attrs.get("failure", ""))
        first, second = one["spikes"], other["spikes"]
        return list(first) == list(second) and all(
            group.attrs["n_units"] == second[name].attrs["n_units"]
            and _same(group["timestamps"], second[name]["timestamps"], part)
            and _same(group["node_ids"], second[name]["node_ids"], part)
            for name, group in first.items()
        )


def _same(a: h5py.Dataset, b: h5py.Dataset, part: bool) -> bool:
    if not (len(a) <= len(b) if part else len(a) == len(b)):
        return False
    return all(
        x.tobytes() == b[first : first + len(x)].tobytes() for first, x in numbered_blocks(a)
    )
