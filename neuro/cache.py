"""Keep derived programs and machine code on disk, for this user alone.

Two different things are guarded against. *Damage*: every file holds a digest of its name, key and
content, and one that does not match counts as absent and is written again. *Other users*: machine
code is read by `pickle`, so a file is used only if this user or root owns it and nobody else may
write to it. A digest does not protect against them, since anybody can compute one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from neuro.errors import StoreError
from neuro.files.home import expanded

__all__ = ["cache_folder", "read_entry", "write_entry"]

_MARK = "ember cache 1"  # then the digest and a line end, so that an editor shows what follows
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_entry(kind: str, key: str) -> bytes | None:
    """What was kept under a key; None if it is absent, damaged, or another user could write it.

    Args:
        kind: What it is, such as `step`; the file's name begins with it.
        key: Everything the content depends on, versions included.
    """
    if (folder := cache_folder()) is None:
        return None
    name = _name(kind, key)
    try:
        # Checked after opening, so that the file that is checked is the file that is read.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(folder / name, flags), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or not _only_ours(about):
                return None
            whole = file.read()
    except OSError:
        return None
    content = whole[len(_head(name, key, b"")) :]
    return content if whole == _head(name, key, content) + content else None


def write_entry(kind: str, key: str, content: bytes) -> None:
    """Keep `content` under a key. Where that fails it is not kept, and a note is printed once.

    Several processes may write the same entry: the last whole file wins.
    """
    if (folder := cache_folder()) is None:
        return
    name = _name(kind, key)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")  # readable by us alone
        with open(handle, "wb") as file:
            file.write(_head(name, key, content) + content)
        os.replace(temporary, folder / name)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        _note(folder, error.strerror or str(error))


def cache_folder() -> Path | None:
    """The folder of this user's cache: `$EMBER_CACHE`, or `ember` in the user's cache folder.

    If others own that folder or may write to it, a folder inside it that is named by the user's
    number serves instead, so that users who name the same folder do not meet. None, after a note
    on the standard error, if there is no folder that this user alone can write to.
    """
    named = os.environ.get("EMBER_CACHE")
    if not named:
        named = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "ember")
    try:
        folder = expanded(named)
    except StoreError as error:
        _note(Path(named), str(error))
        return None
    return _prepared(os.path.abspath(folder))


@lru_cache(maxsize=8)
def _prepared(named: str) -> Path | None:
    folder = Path(named)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _private(folder):
            folder = folder / str(_user())
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _private(folder):
                raise PermissionError(0, "others own it or may write to it")
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        _note(folder, error.strerror or str(error))
        return None


def _private(folder: Path) -> bool:
    about = os.lstat(folder)
    ours = about.st_uid == _user() or not hasattr(os, "geteuid")
    return stat.S_ISDIR(about.st_mode) and ours and _only_ours(about)


def _only_ours(about: os.stat_result) -> bool:
    """Whether nobody but this user and root could have written what this is about."""
    if not hasattr(os, "geteuid"):  # Windows: the profile folder is the user's own
        return True
    return about.st_uid in (0, _user()) and not about.st_mode & _OTHERS_MAY_WRITE


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _name(kind: str, key: str) -> str:
    return f"{kind}-{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _head(name: str, key: str, content: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    for part in (name.encode(), key.encode(), content):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return f"{_MARK} {digest.hexdigest()}\n".encode()


@lru_cache(maxsize=8)
def _note(folder: Path, reason: str) -> None:
    """Print once that nothing is kept there."""
    print(
        f"ember: note: the cache folder `{folder}` cannot be used ({reason}); this run goes "
        f"without it; set EMBER_CACHE to a folder of your own",
        file=sys.stderr,
    )
