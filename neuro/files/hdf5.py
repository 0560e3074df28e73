"""Open an HDF5 file that others may have made or damaged.

HDF5 follows references out of a file, and on a damaged one it can hang or crash the process. So
another process, with a limit of time and memory, first reads the file from end to end; no object
may refer to another file, and each must hold plain numbers or text. A seal (`neuro.files.seal`)
shows an accident early, but anybody can make one, so it spares nothing. What this process wrote
itself, and named to `trust_hdf5`, is opened at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from neuro.errors import StoreError
from neuro.files.regular import open_regular
from neuro.files.seal import SealState, seal_state

if TYPE_CHECKING:
    import h5py

__all__ = ["DAMAGE", "hold_hdf5", "is_sealed", "open_hdf5", "trust_hdf5"]

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What h5py raises, here or there, of a file that is damaged."""

T = TypeVar("T")

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CPU_S, _WALL_S = 5, 15  # plus the time that reading takes; engineering choice
_BYTES_PER_S = 20e6  # slower than any disk and decompression in use
_KEPT = 4096
_WORKER = Path(__file__).with_name("_hdf5_inspect.py")

_Version = tuple[int, int, int, int, int]
_known: dict[_Version, bool] = {}
"""Files that may be opened, and whether they are sealed."""
_own: dict[_Version, None] = {}
"""Files that this process wrote."""


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open an HDF5 file to read, once it is known to be harmless.

    Raises:
        StoreError: if there is no such file, it is no HDF5 file, it is damaged, or it refers to
            another file or holds other than plain numbers and text.
    """
    file = hold_hdf5(path)
    try:
        yield file
    finally:
        with suppress(*DAMAGE):  # of what was only read nothing is lost
            file.close()


def hold_hdf5(path: str | os.PathLike[str]) -> h5py.File:
    """The same, for whoever closes the file himself."""
    version = _check(path)
    import h5py

    try:
        file = h5py.File(path, "r", locking="best-effort")
    except BlockingIOError:
        raise _busy(path) from None
    except DAMAGE:
        raise _damaged(path) from None
    if _version(os.stat(path)) != version:
        file.close()
        raise StoreError(f"cannot read `{path}`: it has changed meanwhile; read it again")
    return file


def trust_hdf5(path: str | os.PathLike[str]) -> None:
    """Have a file that this process, or one that it started, just wrote opened at once.

    Its seal is checked all the same, and one that is changed later is looked through.
    """
    with suppress(OSError):  # gone again
        _keep(_own, _version(os.stat(path)), None)


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Whether a file that `open_hdf5` has opened carries a seal, which then fits its content."""
    return _known.get(_version(os.stat(path)), False)


def _check(path: str | os.PathLike[str]) -> _Version:
    with open_regular(path) as file:
        version = _version(os.fstat(file.fileno()))
        if version in _known:
            return version
        head = file.read(len(_SIGNATURE))
        if not head:
            raise StoreError(f"cannot read `{path}`: the file is empty")
        if not _SIGNATURE.startswith(head):
            raise StoreError(f"cannot read `{path}`: it is not an HDF5 file")
        state = seal_state(file.fileno())
    if state is SealState.BROKEN:
        raise StoreError(
            f"cannot read `{path}`: its content does not fit its checksum, so it was damaged or "
            f"changed after it was written; copy it again, or run again what wrote it"
        )
    if not (state is SealState.WHOLE and version in _own):
        _read_elsewhere(path, version[2])
    _keep(_known, version, state is SealState.WHOLE)
    return version


def _keep(among: dict[_Version, T], version: _Version, value: T) -> None:
    while len(among) >= _KEPT:
        del among[next(iter(among))]
    among[version] = value


def _read_elsewhere(path: str | os.PathLike[str], size: int) -> None:
    """Have another process open the file and read all of it."""
    longer = size / _BYTES_PER_S
    environment = {
        **os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_WORKER), os.fspath(path), str(int(_CPU_S + longer))],
            stdin=subprocess.DEVNULL, capture_output=True, env=environment,
            timeout=_WALL_S + longer, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _damaged(path, "HDF5 did not come to its end") from None
    except OSError as error:
        raise StoreError(
            f"cannot read `{path}`: no process could be started to look through it: {error}"
        ) from None
    said = " ".join(done.stdout.decode(errors="replace").split())
    if done.returncode == 3:
        raise StoreError(f"cannot read `{path}`: {said}")
    if done.returncode == 4:
        raise _busy(path)
    if done.returncode:
        raise _damaged(path)


def _version(about: os.stat_result) -> _Version:
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _busy(path: str | os.PathLike[str]) -> StoreError:
    return StoreError(f"cannot read `{path}`: another process is writing it; wait")


def _damaged(path: str | os.PathLike[str], why: str = "") -> StoreError:
    return StoreError(
        f"cannot read `{path}`: the HDF5 file is truncated or damaged{why and f' ({why})'}; copy "
        f"it again, or run again what wrote it"
    )
