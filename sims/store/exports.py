"""Export of a run file to the formats that other tools of the field read."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neuro.errors import StoreError, nearest
from sims.store.atomic import check_not_read
from sims.store.run_file import read_run
from sims.store.to_shd import to_shd
from sims.store.to_sonata import to_sonata

__all__ = ["FORMATS", "export"]

Exporter = Callable[..., None]
"""`write(run, out, *, force, say, …)`, with the format's own options as further keywords."""


FORMATS: Mapping[str, tuple[Exporter, str]] = {
    "shd": (to_shd, ".shd.h5"),
    "sonata": (to_sonata, "_sonata"),
}
"""Name of each format, what writes it, and how the name of its output ends by default."""


def export(
    path: str | os.PathLike[str],
    to: str,
    out: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Path:
    """Write the run file `path` in the format `to`, and return where.

    Args:
        path: A file that `ember run` wrote.
        to: `sonata` (a folder) or `shd` (a file).
        out: Where to; by default beside `path`, under its name with the format's ending.
        force: Replace an earlier export.
        say: Called with one line for each thing the format cannot hold, or holds less exactly.
        options: The format's own, see `to_shd`.

    Raises:
        StoreError: if the format or an option is unknown, `path` cannot be read, or `out` exists
            or cannot be written.
    """
    if to not in FORMATS:
        hint = " (not there yet)" if to == "nwb" else nearest(to, FORMATS)
        raise StoreError(f"unknown export format `{to}`{hint}; known are {', '.join(FORMATS)}")
    write, ending = FORMATS[to]
    for option in options:
        known = _options(write)
        if option not in known:
            raise StoreError(
                f"export to {to} has no option `{option}`{nearest(option, known)}; it takes "
                f"{', '.join(known) or 'none'}"
            )
    source = Path(path)
    target = Path(out) if out is not None else source.with_name(source.stem + ending)
    check_not_read(target, [source])
    write(read_run(source), target, force=force, say=say or (lambda line: None), **options)
    return target


def _options(write: Exporter) -> list[str]:
    common = {"run", "out", "force", "say"}
    return [name for name in inspect.signature(write).parameters if name not in common]
