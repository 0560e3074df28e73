"""The folder of a comparison: table, picture and JSON, beside the run files and logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuro.errors import StoreError
from neuro.files.lock import locked_output
from sims.compare.comparing import Comparison
from sims.compare.report import to_json
from sims.compare.table import as_text
from sims.store.atomic import atomic_folder, check_writable, resolved, write_json, write_text

__all__ = ["FILE", "check_folder", "comparison_folder", "write_comparison"]

FILE = "compare.json"


@contextmanager
def comparison_folder(path: str | os.PathLike[str], *, force: bool) -> Iterator[Path]:
    """An empty folder to compare in, which becomes `path` at the end, or leaves nothing.

    The folder that `path` is in goes with it, if it was made for it and nothing else came.

    Raises:
        StoreError: if something is at `path`: with `force`, something that is no comparison; or
            if another process compares there.
    """
    replace = check_folder(path, force=force)
    with locked_output(path), atomic_folder(path, replace=replace) as folder:
        yield folder


def check_folder(path: str | os.PathLike[str], *, force: bool) -> bool:
    """Refuse early what `comparison_folder` would refuse; whether a comparison is replaced.

    Raises:
        StoreError: if something is at `path`: with `force`, something that is no comparison.
    """
    target = resolved(path)
    full = target.is_dir() and any(target.iterdir())
    if full and force and not (target / FILE).is_file():
        raise StoreError(
            f"`{path}` already exists and holds no comparison, so it is kept; give another --out"
        )
    if full and not force:
        raise StoreError(f"`{path}` already exists; replace it with --force or give another --out")
    check_writable(path, force=target.is_dir(), folder=True)
    return full


def write_comparison(folder: str | os.PathLike[str], comparison: Comparison) -> str:
    """Write `compare.json`, `compare.txt` and `compare.png` into an existing folder.

    Returns:
        Why the picture could not be drawn, in one line; empty if it was.
    """
    from sims.compare.picture import comparison_picture
    from sims.report.figures import written_png

    where = Path(folder)
    write_json(where / FILE, to_json(comparison.report), force=True)
    write_text(where / "compare.txt", as_text(comparison.report), force=True)
    return written_png(where / "compare.png", lambda: comparison_picture(comparison))
