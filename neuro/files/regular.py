"""Open only regular files: a pipe, a device or a folder is refused before anything waits on it."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from neuro.errors import StoreError

__all__ = [
    "NotFinite",
    "open_regular",
    "open_to_append",
    "read_bytes",
    "read_json",
    "read_text",
    "strict_json",
]

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device", stat.S_IFDIR: "a folder",
}  # fmt: skip
_MOST_JSON = 1 << 28  # bytes; an engineering choice, far above what Ember writes
_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # opening a pipe without a writer would wait for one


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file to read.

    Raises:
        StoreError: if there is no such file, or it is something else.
    """
    return open(_opened(path, os.O_RDONLY, f"cannot read `{path}`"), "rb")


def open_to_append(path: str | os.PathLike[str]) -> int:
    """The descriptor of a regular file, made if it is missing, that is written at its end.

    Raises:
        StoreError: if something else is there, or it cannot be written.
    """
    return _opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, f"cannot write `{path}`")


def _opened(path: str | os.PathLike[str], flags: int, problem: str) -> int:
    try:
        handle = os.open(path, flags | _NOT_BLOCKING | getattr(os, "O_BINARY", 0), 0o666)
    except FileNotFoundError:
        raise StoreError(f"{problem}: there is no such file") from None
    except OSError as error:
        reason = error.strerror or error
        if error.errno == errno.ENXIO:  # nobody reads from the pipe or listens on the socket
            reason = "it must be a regular file, found a pipe or a socket"
        raise StoreError(f"{problem}: {reason}") from None
    except ValueError as error:  # a NUL in the name
        raise StoreError(f"{problem}: {error}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = _KINDS.get(stat.S_IFMT(mode), "another kind of object")
        raise StoreError(f"{problem}: it must be a regular file, found {kind}")
    return handle


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


def read_json(path: str | os.PathLike[str]) -> Any:
    """The value in a JSON file of up to 256 MiB.

    Raises:
        StoreError: if it cannot be read, is larger, is not JSON, or holds a number that is not
            finite.
    """
    try:
        return strict_json(read_text(path, _MOST_JSON))
    except NotFinite as error:
        raise StoreError(
            f"cannot read `{path}`: its numbers must be finite, found {error}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"cannot read `{path}`: it must be JSON, found: {reason}") from None


class NotFinite(ValueError):
    """A number of a JSON text that is NaN or infinite; the text is the number."""


def strict_json(text: str) -> Any:
    """The value of a JSON text, which holds finite numbers alone.

    Raises:
        NotFinite: at `NaN`, `Infinity` or `1e999`, which Python reads and could not write again.
        ValueError: if it is not JSON.
    """
    return json.loads(text, parse_constant=_refused, parse_float=_finite)


def _refused(text: str) -> NoReturn:
    raise NotFinite(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(f"{text:.20}")
