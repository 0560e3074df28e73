"""Flush denormal numbers to zero around a kernel, and put the processor back as it was.

Below the smallest normal number (1e-38 in single precision, 2e-308 in double) a processor computes
some hundred times slower. A state that decays reaches those numbers and, because of rounding, may
stay at one of them for ever. With the two bits set here results that small become 0, and operands
that small are read as 0. The bits belong to one thread, so every thread that runs a kernel sets
them for itself.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["flush_denormals", "flushes_denormals", "is_flushing"]


class _Control(NamedTuple):
    """Where the C library keeps the bits in its `fenv_t`.

    Attributes:
        library: The C library's mathematics.
        word: Index of the 32-bit word that holds the bits.
        bits: Flush-to-zero and denormals-are-zero.
    """

    library: Any
    word: int
    bits: int


_WORDS = 16  # 32-bit words kept for a `fenv_t`: the largest of those below has 8


@cache
def _control() -> _Control | None:
    """How to set the bits on this machine; None where that is not known."""
    for real in (np.float32, np.float64):  # numpy measures these once, which must not be flushed
        np.finfo(real).smallest_subnormal  # noqa: B018
    machine = platform.machine().lower()
    if sys.platform == "linux" and machine in ("x86_64", "amd64"):
        word, bits = 7, 0x8040  # MXCSR follows the 28 bytes of the x87 environment
    elif sys.platform == "linux" and machine in ("aarch64", "arm64"):
        word, bits = 0, 1 << 24  # FPCR, then FPSR
    elif sys.platform == "darwin" and machine in ("arm64", "aarch64"):
        word, bits = 2, 1 << 24  # FPSR, then FPCR, 64 bits each
    elif sys.platform == "darwin" and machine == "x86_64":
        word, bits = 1, 0x8040  # two 16-bit words of the x87, then MXCSR
    else:
        return None
    for name in ("libm.so.6", None):  # None is the running program, which holds it elsewhere
        try:
            library = ctypes.CDLL(name)
            for function in (library.fegetenv, library.fesetenv):
                function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_int
            return _Control(library, word, bits)
        except (OSError, AttributeError):
            continue
    return None


def is_flushing() -> bool:
    """Whether this thread's arithmetic gives 0 below the smallest normal number."""
    smallest = sys.float_info.min
    return smallest / 2.0 == 0.0


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Flush denormals to zero in this thread until the block is left, however it is left.

    Does nothing on a machine where the bits cannot be set.
    """
    control = _control()
    if control is None:
        yield
        return
    before, inside = (ctypes.c_uint32 * _WORDS)(), (ctypes.c_uint32 * _WORDS)()
    library = control.library
    library.fegetenv(before)
    ctypes.memmove(inside, before, ctypes.sizeof(before))
    inside[control.word] |= control.bits
    try:
        library.fesetenv(inside)
        yield
    finally:
        library.fesetenv(before)


def flushes_denormals() -> bool:
    """Whether `flush_denormals` has an effect on this machine."""
    with flush_denormals():
        return is_flushing()
