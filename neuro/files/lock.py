"""One process at a time on an output: a lock that the system lets go when the process ends.

The lock is the system's own (`flock`) on a small file, not the file: one that a kill or a full disk
left behind, whatever stands in it, holds nothing. Who holds it is written inside for the message
alone. Network file systems pass `flock` on to their server (NFS 4, CIFS, Lustre mounted with
`flock`), so it holds between machines too; one that has no locks refuses, and Ember with it, unless
`EMBER_NO_LOCKS=1` says that nobody else is at work there.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuro.errors import StoreError
from neuro.files.links import real_path

__all__ = ["NO_LOCKS", "holder", "is_held", "locked", "locked_output", "take"]

NO_LOCKS = "EMBER_NO_LOCKS"
"""Environment variable: `1` to go without locks where the file system has none."""

_TRIES, _PAUSE_S = 5, 0.05
"""Before a refusal; `holder` and `is_held` take a free lock for microseconds."""
_WAIT_S = 0.2
_MOST_BYTES = 4096  # of who holds it, when a foreign file is read


@contextmanager
def locked(
    lock: Path, held: Callable[[str], str], *, wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock file `lock` for this process; it is removed at the end.

    Args:
        held: The line of the refusal, given who holds it (`process 12 on host`).
        wait: Called again and again while another process holds it, instead of a refusal.

    Raises:
        StoreError: if another process holds it, it cannot be made, or the file system has no locks.
    """
    handle = _taken(lock, held, wait)
    try:
        with suppress(OSError):  # on a full disk the lock holds without a word of whose it is
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"host": _host(), "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        with suppress(OSError):
            if _is_at(handle, lock):
                lock.unlink()
        os.close(handle)


def holder(lock: Path) -> str:
    """Who holds the lock file, in a few words; empty if nobody does."""
    return _name(lock) if is_held(lock) else ""


def is_held(path: Path) -> bool:
    """Whether a process holds the lock on this file, as far as the system says."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not take(handle)
    except OSError:
        return False
    finally:
        os.close(handle)


def take(handle: int) -> bool:
    """Lock an open file until it is closed; False if another process has it.

    Raises:
        OSError: if the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if os.environ.get(NO_LOCKS) == "1":
            return True
        raise
    return True


@contextmanager
def locked_output(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold an output that is one file, or that is made elsewhere and moved to `path` at the end.

    The lock lies beside it; the folder that both are in is made if only that one is missing, and
    goes again if nothing came into it.

    Raises:
        StoreError: if another process makes the same output, or the lock cannot be made.
    """
    target = real_path(path)
    new = not target.parent.exists()
    with suppress(OSError):  # the lock says it
        target.parent.mkdir(exist_ok=True)
    try:
        with locked(
            target.with_name(f".{target.name}.lock"),
            lambda who: f"`{path}` is being made by {who}; wait for it, or give another --out",
        ):
            yield
    finally:
        if new:
            with suppress(OSError):  # something is in it
                target.parent.rmdir()


def _taken(lock: Path, held: Callable[[str], str], wait: Callable[[], None] | None) -> int:
    tries = 0
    while True:
        try:
            # Another user's link or pipe of that name is neither followed nor waited for.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = os.open(lock, flags, 0o644)
        except OSError as error:
            raise StoreError(f"cannot write `{lock}`: {os.strerror(error.errno or 0)}") from None
        try:
            if take(handle):
                if _is_at(handle, lock):
                    return handle
                tries -= 1  # whoever had it has just removed it
        except OSError as error:
            os.close(handle)
            raise StoreError(
                f"cannot lock `{lock}` ({os.strerror(error.errno or 0)}): its file system must "
                f"have locks; put the output elsewhere, or set {NO_LOCKS}=1 if no other process "
                "writes there"
            ) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        tries += 1
        if wait is not None:
            wait()
        elif tries >= _TRIES:
            raise StoreError(held(_name(lock)))
        time.sleep(_WAIT_S if wait is not None else _PAUSE_S)


def _is_at(handle: int, lock: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(lock))
    except FileNotFoundError:
        return False


def _name(lock: Path) -> str:
    with suppress(OSError, ValueError, TypeError, KeyError):
        with lock.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        return f"process {int(found['pid'])} on {str(found['host'])[:80]}"
    return "another process"


def _host() -> str:
    return socket.gethostname()
