"""Outputs are not written through links that another user laid."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from neuro.errors import StoreError

__all__ = ["real_path"]

_MOST_LINKS = 40  # as Linux follows


def real_path(path: str | os.PathLike[str]) -> Path:
    """Where the bytes of an output go: through symbolic links, as `open` would.

    Raises:
        StoreError: if the output itself is another user's link, or a link on the way is another's
            and lies in a folder that all may write to, such as /tmp: its owner would choose which
            of our files is written. Linux refuses the latter too where `protected_symlinks` is
            set, but only to who opens the link and not to who asks first where it leads.
    """
    here = Path.cwd() / path  # not normalised: what follows a link is not the folder before it
    done, waiting, links = Path(here.anchor), list(here.parts[1:]), 0
    while waiting:
        name, *waiting = waiting
        if name == "..":
            done = done.parent
            continue
        step = done / name
        try:
            target = os.readlink(step)
        except OSError:  # no link, or nothing there
            done = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise StoreError(
                f"cannot write `{path}`: its links lead in a circle; give another path"
            )
        _check_owner(path, step, last=not waiting)
        waiting = [part for part in Path(target).parts if part != os.sep] + waiting
        if os.path.isabs(target):
            done = Path(done.anchor)
    return done


def _check_owner(path: str | os.PathLike[str], link: Path, *, last: bool) -> None:
    owner, folder = os.lstat(link).st_uid, os.stat(link.parent)
    shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
    trusted = {os.geteuid(), 0} if last else {os.geteuid(), 0, folder.st_uid}
    if (last or shared) and owner not in trusted:
        raise StoreError(
            f"cannot write `{path}`: `{link}` is a link of another user (uid {owner}); give a path "
            "in a folder of your own"
        )
