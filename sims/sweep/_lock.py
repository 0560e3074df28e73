"""One sweep at a time on a folder, on one machine or on a network file system."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neuro.errors import StoreError

__all__ = ["Holder", "holder", "locked"]

_HEARTBEAT_S = 10.0
"""How often a sweep touches its lock."""

_SILENT_S = 120.0
"""A lock of another machine that was not touched for so long belongs to a dead sweep.

Twelve missed heartbeats: an engineering choice, above the minute for which network file systems
may cache the age of a file.
"""

_NAME = "sweep.lock"


class Holder(dict[str, Any]):
    """Who holds a folder: `host`, `pid`, and when that process `started`."""

    def __str__(self) -> str:
        return f"process {self.get('pid', '?')} on {self.get('host', '?')}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process, and touch the lock as long as it lives.

    A lock left by a process that is dead (same machine) or silent (another machine) is taken
    over.

    Raises:
        StoreError: if a living sweep holds it, or the lock cannot be written.
    """
    lock = folder / _NAME
    mine = json.dumps(_me())
    for _ in range(3):  # each round either succeeds, or refuses, or clears one dead lock
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            other = holder(folder)
            if other is not None:
                raise StoreError(
                    f"`{folder}` is in use by another sweep ({other}); wait for it, or see "
                    f"`ember status {folder}`"
                ) from None
            _clear(lock)
            continue
        except OSError as error:
            raise StoreError(f"cannot write `{lock}`: {os.strerror(error.errno or 0)}") from error
        with os.fdopen(handle, "w") as file:
            file.write(mine)
        break
    else:
        raise StoreError(f"`{folder}` is being taken by another sweep at this moment; try again")
    ended = threading.Event()
    threading.Thread(target=_beat, args=(lock, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        # Somebody who thought this process dead may own the lock by now.
        with suppress(OSError):
            if lock.read_text() == mine:
                lock.unlink()


def holder(folder: Path) -> Holder | None:
    """The living sweep that holds `folder`; None if there is none."""
    lock = folder / _NAME
    try:
        found = Holder(json.loads(lock.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):  # caught between its creation and its writing
        found = Holder()
    if found.get("host") == _host() and isinstance(found.get("pid"), int):
        return found if _alive(found["pid"], found.get("started")) else None
    return found if _silence_s(lock) < _SILENT_S else None


def _beat(lock: Path, ended: threading.Event) -> None:
    while not ended.wait(_HEARTBEAT_S):
        with suppress(OSError):
            os.utime(lock)


def _clear(lock: Path) -> None:
    """Move a dead lock away; a lock that came to life meanwhile is put back."""
    aside = lock.with_name(f"{_NAME}.{os.getpid()}.dead")
    with suppress(FileNotFoundError):
        dead = lock.read_text()
        os.rename(lock, aside)
        if aside.read_text() != dead:
            with suppress(OSError):
                os.link(aside, lock)
        aside.unlink()


def _me() -> dict[str, Any]:
    return {"host": _host(), "pid": os.getpid(), "started": _started(os.getpid())}


def _host() -> str:
    """This machine and process namespace: where a pid means the same process."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()}{namespace.removeprefix('pid:')}"


def _started(pid: int) -> str:
    """What tells this process from a later one of the same id, if the system says (Linux)."""
    with suppress(OSError, IndexError):
        # After the name in parentheses come the state and, as the 20th, the start in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "ended" if fields[0] in "ZX" else fields[19]
    return ""


def _alive(pid: int, started: object) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        pass
    return _started(pid) == started


def _silence_s(lock: Path) -> float:
    """How long ago the lock was touched, by the clock of the file system that holds it."""
    try:
        with tempfile.NamedTemporaryFile(dir=lock.parent, prefix=".clock-") as now:
            return os.stat(now.name).st_mtime - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    except OSError:  # a folder that may only be read: `status` still has an answer
        return time.time() - lock.stat().st_mtime
