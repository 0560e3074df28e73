"""Files that appear whole or not at all, whatever kills the writer.

A file is written inside a hidden folder beside its target, forced to the disk, and then moved
in one step. What a killed process leaves is that hidden folder; the next write removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from neuro.disk import sync
from neuro.errors import EmberError, StoreError
from neuro.files.links import real_path as resolved
from sims.store.home import without_home

__all__ = [
    "atomic_folder", "atomic_path", "check_not_read", "check_writable", "hidden_folder",
    "move_file", "naming", "resolved", "write_bytes", "write_json", "write_text",
]  # fmt: skip

_PREFIX = ".ember-"
_HIDDEN = re.compile(r"/?\.ember-[0-9a-f]{8}-[0-9]+-[0-9a-f]{8}")
# Leftovers whose process cannot be asked (another machine's) go after a day: an engineering
# choice, far longer than writing one file takes.
_FOREIGN_LEFTOVER_S = 24 * 3600.0


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; on success it becomes `path`, else nothing remains.

    The temporary path has the same file name, so writers that look at the suffix work. The
    folder of `path` is made if only that one level is missing. With `force` an older file is
    replaced in one step; without, a file that another process put there meanwhile is kept and
    this write is refused (on file systems without hard links that last check can miss a file
    that appears within the same microsecond).

    Raises:
        StoreError: if `path` exists and not `force`, or the file cannot be written.
    """
    target = resolved(path)
    check_writable(path, force=force)
    with naming(path):
        target.parent.mkdir(exist_ok=True)
        with hidden_folder(target.parent) as hidden:
            temporary = hidden / target.name
            yield temporary
            sync(temporary)
            move_file(temporary, target, path, force=force)
            sync(target.parent)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary empty folder to fill; on success it becomes `path`.

    An empty folder already at `path` is taken over. With `replace` a full one is exchanged for
    the new one: pass it only after making sure that nothing in it is anybody else's.

    Raises:
        StoreError: if `path` is a full folder and not `replace`, is no folder, or cannot be
            written.
    """
    target = resolved(path)
    check_writable(path, force=replace or _is_empty_folder(target), folder=True)
    with naming(path):
        target.parent.mkdir(exist_ok=True)
        with hidden_folder(target.parent) as hidden:
            temporary = hidden / target.name
            temporary.mkdir()
            yield temporary
            for file in sorted(temporary.rglob("*")):
                sync(file)
            sync(temporary)
            if replace and target.exists():
                os.rename(target, hidden / "replaced")
            try:
                os.rename(temporary, target)  # refuses a folder that is no longer empty
            except OSError:
                if target.exists() and not _is_empty_folder(target):
                    raise _exists(path, folder=True) from None
                raise
            sync(target.parent)


def check_writable(
    path: str | os.PathLike[str], *, force: bool = False, folder: bool = False
) -> None:
    """Refuse early, before a long computation, a `path` that could not be written at its end.

    Writes nothing that stays. Pass `folder` if a folder is to be made at `path`.

    Raises:
        StoreError: if it exists and not `force`, is of the other kind, or its folder is missing
            by more than one level or cannot be written to.
    """
    with naming(path):
        target = resolved(path)
        if not target.name:
            raise StoreError(f"cannot write `{path}`: it names no file; give a file name")
        if target.is_dir() and not folder:
            raise StoreError(f"cannot write `{path}`: it is a folder; give a file name in it")
        if os.path.lexists(target) and not force:
            raise _exists(path, folder=folder)
        if os.path.lexists(target) and not (target.is_dir() if folder else target.is_file()):
            kind = "folder" if folder else "regular file"
            raise StoreError(f"cannot write `{path}`: something that is no {kind} is there")
        # The last level is made at the time of writing, so `runs/x.h5` works anywhere.
        parent = target.parent if target.parent.exists() else target.parent.parent
        if not parent.exists():
            raise StoreError(f"cannot write `{path}`: folder `{parent}` does not exist; make it")
        if not parent.is_dir():
            raise StoreError(f"cannot write `{path}`: `{parent}` is not a folder")
        try:
            with tempfile.TemporaryFile(dir=parent):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(parent)) from None
        with suppress(FileNotFoundError):  # the name itself, which may be too long
            os.lstat(target)


def check_not_read(
    path: str | os.PathLike[str], read: Iterable[str | os.PathLike[str]], *, folder: bool = False
) -> None:
    """Refuse to write a file that is read, by whatever spelling or link both are named.

    Args:
        path: What is written.
        read: What is read.
        folder: Whether a folder at `path` is replaced with all that is in it, which then must not
            hold what is read either.

    Raises:
        StoreError: also where older files may be replaced.
    """
    for other in read:
        if _same_file(path, other):
            raise StoreError(f"cannot write `{path}`: it is a file that is read; give another path")
        if folder and _holds(path, other):
            raise StoreError(
                f"cannot replace `{path}`: `{other}` in it is read; give another folder"
            )


def _same_file(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    try:
        return os.path.isfile(a) and os.path.samefile(a, b)
    except (OSError, ValueError):  # what is not there is no file that is read
        return False


def _holds(folder: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    try:
        return Path(os.path.realpath(other)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):
        return False


def write_bytes(path: str | os.PathLike[str], data: bytes, *, force: bool = False) -> Path:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path, force=force) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_text(path: str | os.PathLike[str], text: str, *, force: bool = False) -> Path:
    """Write `text` to `path` as UTF-8, whole or not at all; line ends stay as they are."""
    return write_bytes(path, text.encode("utf-8"), force=force)


def write_json(path: str | os.PathLike[str], value: Any, *, force: bool = False) -> Path:
    """Write `value` to `path` as strict JSON, whole or not at all.

    Paths below the home folder begin with `~` in the file.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON cannot say.
    """
    text = json.dumps(without_home(value), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n", force=force)


def _exists(path: str | os.PathLike[str], *, folder: bool = False) -> StoreError:
    if folder:
        return StoreError(f"`{path}` already exists and is not empty; give another folder")
    return StoreError(f"`{path}` already exists; replace it with `--force` or give another path")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's errors into one line that names the file the user asked for."""
    try:
        yield
    except EmberError:
        raise
    except OSError as error:
        # HDF5 prints its whole call chain; the errno says it in a few words.
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        reason = _HIDDEN.sub("", reason)
        at = _HIDDEN.sub("", os.fsdecode(error.filename)) if error.filename else ""
        if at and Path(at).name != Path(path).name:
            reason += f" (`{at}`)"
        raise StoreError(f"cannot write `{path}`: {reason}") from error


@contextmanager
def hidden_folder(parent: Path) -> Iterator[Path]:
    """A folder of this process's own, gone after the block; those of dead processes go first."""
    _remove_leftovers(parent)
    hidden = parent / f"{_PREFIX}{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    hidden.mkdir()
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def move_file(temporary: Path, target: Path, path: str | os.PathLike[str], *, force: bool) -> None:
    """Put a whole file in its place, in one step; `temporary` may stay as a second name of it.

    Raises:
        StoreError: if something is there and not `force`.
    """
    if force:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)  # unlike a rename, refuses when the target exists
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # no hard links here (FAT, some network and container file systems)
        if os.path.lexists(target):
            raise _exists(path) from None
        os.replace(temporary, target)


def _remove_leftovers(parent: Path) -> None:
    for entry in parent.glob(f"{_PREFIX}*-*-*"):
        machine, pid, _ = entry.name.removeprefix(_PREFIX).split("-", 2)
        # Somebody else may clean at the same moment, or own what lies here.
        with suppress(OSError, ValueError):
            if machine == _machine() and os.name == "posix":
                dead = not _alive(int(pid))
            else:
                dead = time.time() - entry.stat().st_mtime > _FOREIGN_LEFTOVER_S
            if dead:
                shutil.rmtree(entry)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@lru_cache(maxsize=1)
def _machine() -> str:
    """A short name of this machine and process namespace: where a pid means the same process."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]
