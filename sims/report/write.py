"""`ember report`: find out what is at a path, and write its page and pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from neuro.errors import StoreError
from sims.report.page import GENERATOR, Image, Page, rendered
from sims.store.atomic import check_writable, naming, write_bytes, write_text

__all__ = ["write_report"]


def write_report(path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> Path:
    """Write the page of a run file, a sweep's folder or a training's folder.

    The page is one HTML file that holds its pictures and loads nothing. The pictures are also
    written as PNG files, in a folder beside the page named after it (`startle.html` has
    `startle_figures`). An older report at the same place is replaced, and nothing else is.

    Args:
        path: What to report on.
        out: The page's file; by default `NAME.html` beside a run file, and `report.html` in the
            folder of a sweep or training.

    Returns:
        The page's path.

    Raises:
        StoreError: if `path` is none of the three or cannot be read, or if `out` cannot be
            written or is not an earlier report.
    """
    source = Path(path)
    if not source.exists():
        raise StoreError(f"cannot report on `{source}`: there is no such file or folder")
    inside = source / "report.html" if source.is_dir() else source.with_suffix(".html")
    target = Path(out) if out is not None else inside
    before = _replaceable(target)
    page = _page_of(source)
    text = rendered(page)
    folder = target.with_name(f"{target.stem}_figures")
    with _pictures(folder, page.images):
        write_text(target, text, force=True)
    for stale in before - {image.file for image in page.images}:
        (folder / stale).unlink(missing_ok=True)
    return target


@contextmanager
def _pictures(folder: Path, images: Sequence[Image]) -> Iterator[None]:
    """Write pictures before the block; if that or the block fails, remove those that are new."""
    made_folder = not folder.exists()
    added: list[Path] = []
    try:
        if images:
            with naming(folder):
                folder.mkdir(parents=True, exist_ok=True)
        for image in images:
            file = folder / image.file
            if not os.path.lexists(file):
                added.append(file)
            write_bytes(file, image.png, force=True)
        yield
    except BaseException:
        for file in added:
            file.unlink(missing_ok=True)
        if made_folder:
            with suppress(OSError):
                folder.rmdir()
        raise


def _page_of(source: Path) -> Page:
    if source.is_file():
        from sims.report.run_page import run_page
        from sims.store.run_file import LAZY_BYTES, read_run

        if source.stat().st_size <= LAZY_BYTES:
            return run_page(read_run(source), source)
        from sims.store.sketch import read_sketch

        sketch = read_sketch(source)
        return run_page(sketch.run, source, sketch.counts, sketch.notes)
    if (source / "sweep.json").is_file():
        from sims.report.sweep_page import sweep_page

        return sweep_page(source)
    if (source / "training.json").is_file():
        from sims.report.training_page import training_page

        return training_page(source)
    raise StoreError(
        f"cannot report on `{source}`: expected a run file (.h5), or a folder that `ember sweep` "
        "or `ember train` made (with sweep.json or training.json), found neither"
    )


def _replaceable(target: Path) -> set[str]:
    """The pictures of the report that is at `target`, none if nothing is there.

    Raises:
        StoreError: if something else is there, or nothing could be written.
    """
    check_writable(target, force=True)
    if not os.path.lexists(target):
        return set()
    try:
        text = target.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise StoreError(f"cannot read `{target}`: {os.strerror(error.errno or 0)}") from None
    if f'<meta name="generator" content="{GENERATOR}">' not in text[:2000]:
        raise StoreError(f"`{target}` already exists and is no Ember report; give another --out")
    return set(re.findall(r'<figure data-file="([a-z0-9-]+\.png)">', text))
