"""Map a `.npy` file whose header may say anything."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.files.regular import open_regular

__all__ = ["map_npy"]

_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def map_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of a `.npy` file, mapped to read rather than loaded.

    Raises:
        StoreError: if it is no regular file, no whole `.npy` file, or holds other than plain
            numbers; a pickle is never read.
    """
    with open_regular(path) as file:
        try:
            version = np.lib.format.read_magic(file)
            if version not in _HEADERS:
                raise ValueError(f"version {version}")
            shape, fortran, dtype = _HEADERS[version](file)
        except Exception as error:  # numpy parses it as Python text
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise _wrong(path, f"a header that it cannot have: {reason}") from None
        if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in shape):
            raise _wrong(path, f"the shape {shape!r:.80}")
        if dtype.kind not in "biufc" or len(shape) > 32:
            raise _wrong(path, f"{dtype} of {len(shape)} axes")
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        needed = math.prod(shape) * dtype.itemsize
        if start + needed != size:
            raise _wrong(path, f"{size - start:,} bytes where its shape {shape} needs {needed:,}")
        if not needed:  # cannot be mapped
            if max(shape, default=0) >= 2**31:
                raise _wrong(path, f"the shape {shape}")
            return np.zeros(shape, dtype)
        order = "F" if fortran else "C"
        return np.memmap(file, dtype, "r", start, shape, order)  # type: ignore[call-overload]


def _wrong(path: str | os.PathLike[str], found: str) -> StoreError:
    return StoreError(f"`{Path(path)}` must be a whole array in a .npy file, found {found}")
