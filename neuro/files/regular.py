"""Open only regular files: a pipe, a device or a folder is refused before anything waits on it."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from neuro.errors import StoreError

__all__ = ["open_regular", "read_bytes", "read_text"]

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device", stat.S_IFDIR: "a folder",
}  # fmt: skip
_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # opening a pipe without a writer would wait for one


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file to read.

    Raises:
        StoreError: if there is no such file, or it is something else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _NOT_BLOCKING | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise StoreError(f"cannot read `{path}`: there is no such file") from None
    except OSError as error:
        raise StoreError(f"cannot read `{path}`: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise StoreError(f"cannot read `{path}`: {error}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = _KINDS.get(stat.S_IFMT(mode), "another kind of object")
        raise StoreError(f"cannot read `{path}`: it must be a regular file, found {kind}")
    return open(handle, "rb")


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of a regular file of up to `most` bytes.

    Raises:
        StoreError: if it cannot be read or is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise StoreError(
                f"cannot read `{path}`: it may have up to {most:,} bytes, found {size:,}"
            )
        try:
            return file.read(most + 1)
        except OSError as error:
            raise StoreError(f"cannot read `{path}`: {os.strerror(error.errno or 0)}") from None


def read_text(path: str | os.PathLike[str], most: int) -> str:
    """The content of a UTF-8 file of up to `most` bytes.

    Raises:
        StoreError: if it cannot be read, is larger, or is not UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"cannot read `{Path(path)}`: it must be UTF-8, found the byte "
            f"0x{error.object[error.start]:02x} at {error.start}"
        ) from None
