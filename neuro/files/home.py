"""Paths as a person writes them: `~` and `~name` are home folders."""

from __future__ import annotations

import os
from pathlib import Path

from neuro.errors import EmberError, StoreError

__all__ = ["expanded"]


def expanded(path: str | os.PathLike[str], error: type[EmberError] = StoreError) -> Path:
    """The path with a home folder in the place of `~` or `~name`.

    Raises:
        EmberError: of the class `error`, if the machine knows no such user or no home folder.

    >>> print(expanded("runs/x.h5"))
    runs/x.h5
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise error(
            f"the path `{os.fspath(path)}` must begin with a home folder that this machine knows, "
            f"found `{user}`; write the folder out"
        ) from None
