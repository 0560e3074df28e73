"""A seal: the last 64 bytes of a file, from which one damaged byte before them is found.

    16 bytes    `EMBER SEAL 1` and line ends that a transfer as text would change
     8 bytes    length of the content before the seal, little endian
    40 bytes    BLAKE2b over that length and the CRC-32 of each MiB of the content

The CRCs can be kept up to date while a file grows, so that no byte is summed twice. HDF5 and zip
readers ignore what follows their content. A seal finds damage; it is no signature, anybody can
make one.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable
from enum import Enum

__all__ = ["BLOCK", "SEAL_BYTES", "SealState", "add_seal", "block_sums", "seal_of", "seal_state"]

BLOCK = 1 << 20
"""Bytes under one CRC; engineering choice."""

_MAGIC = b"EMBER SEAL 1\r\n\x1a\n"
_DIGEST_BYTES = 40
SEAL_BYTES = len(_MAGIC) + 8 + _DIGEST_BYTES


class SealState(Enum):
    """What a file's seal says of its content."""

    WHOLE = "whole"
    BROKEN = "broken"
    ABSENT = "absent"


def block_sums(handle: int, size: int, numbers: Iterable[int] | None = None) -> dict[int, int]:
    """CRC-32 of some MiB, by default all, of the first `size` bytes of an open file."""
    if numbers is None:
        numbers = range(-(-size // BLOCK))
    return {
        number: zlib.crc32(os.pread(handle, min(BLOCK, size - number * BLOCK), number * BLOCK))
        for number in numbers
    }


def seal_of(size: int, sums: Iterable[int]) -> bytes:
    """The seal of a content of `size` bytes, whose MiB have these CRCs in order."""
    length = struct.pack("<Q", size)
    table = b"".join(struct.pack("<I", crc) for crc in sums)
    return _MAGIC + length + hashlib.blake2b(length + table, digest_size=_DIGEST_BYTES).digest()


def add_seal(path: str | os.PathLike[str]) -> None:
    """Seal a file as it is; a seal it already ends with is replaced.

    Raises:
        OSError: if it cannot be written.
    """
    with open(path, "r+b") as file:
        handle = file.fileno()
        size = os.fstat(handle).st_size
        if _stored(handle, size).startswith(_MAGIC):
            size -= SEAL_BYTES
        file.seek(size)
        file.write(seal_of(size, block_sums(handle, size).values()))
        file.truncate()


def seal_state(handle: int) -> SealState:
    """Whether an open file is as it was sealed. Reads it once.

    Raises:
        OSError: if it cannot be read.
    """
    size = os.fstat(handle).st_size
    stored = _stored(handle, size)
    if not stored.startswith(_MAGIC):
        return SealState.ABSENT
    content = size - SEAL_BYTES
    if struct.unpack("<Q", stored[len(_MAGIC) : len(_MAGIC) + 8])[0] != content:
        return SealState.BROKEN
    found = seal_of(content, block_sums(handle, content).values())
    return SealState.WHOLE if found == stored else SealState.BROKEN


def _stored(handle: int, size: int) -> bytes:
    return os.pread(handle, SEAL_BYTES, size - SEAL_BYTES) if size >= SEAL_BYTES else b""
