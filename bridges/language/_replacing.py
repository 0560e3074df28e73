"""A model's folder is replaced as one thing: whoever loads from it finds the old model or the new.

    .ember-stage-*   a model that is still being written; means nothing
    .ember-new       a whole model on its way into the folder: while it is there, it is the model
    .ember-gone-*    what was on its way and has arrived; means nothing

One step decides, the renaming of a stage to `.ember-new`: before it the old model is as it was,
after it the new one is whole. What follows only lays the files where other readers look for them,
links rather than moves them so that `.ember-new` stays whole, and can be begun again at any point.
The old config goes first and the new one comes last, so that other readers find no config rather
than files of two models.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridges.language._tensor_files import files_of_a_model
from neuro.disk import sync
from neuro.errors import StoreError

__all__ = ["CONFIG", "staged", "whole"]

CONFIG = "config.json"
_STAGE, _NEW, _GONE = ".ember-stage-", ".ember-new", ".ember-gone-"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write a model into; after that it takes the place of the old one.

    What a save that was killed has left is finished or cleared away first. One process at a time
    may save into a folder; others may load from it meanwhile, by `whole`.

    Raises:
        StoreError: if a file cannot be written; it says which of both models is there then.
    """
    from safetensors import SafetensorError

    decided = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _lay_out(folder)
        for left in (*folder.glob(f"{_STAGE}*"), *folder.glob(f"{_GONE}*")):
            _clear(left)
        stage = folder / f"{_STAGE}{os.getpid()}"
        stage.mkdir()
        try:
            yield stage
            for path in (*stage.iterdir(), stage):
                sync(path)
            stage.rename(folder / _NEW)
            decided = True
        finally:
            _clear(stage)
        sync(folder)
        _lay_out(folder)
    except (SafetensorError, OSError) as error:
        then = "what was there before is left as it was"
        if decided:
            then = f"the new one is whole in `{_NEW}`, from where it is loaded; save again"
        raise StoreError(
            f"cannot write a model to `{folder}`: {' '.join(str(error).split())}; {then}"
        ) from None


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Give the folder where the files of the newest whole model lie.

    Raises:
        StoreError: if it was replaced while it was read, whatever else went wrong because of it.
    """
    before = _seen(folder)
    try:
        yield before[0]
    except Exception:
        _check_unchanged(folder, before)
        raise
    _check_unchanged(folder, before)


def _seen(folder: Path) -> tuple[Path, tuple[int, ...]]:
    """Where the model lies and the file that its config is, by which a replacement is seen."""
    where = folder / _NEW if (folder / _NEW).is_dir() else folder
    try:
        config = (where / CONFIG).stat()
    except OSError:
        return where, ()
    return where, (config.st_ino, config.st_mtime_ns, config.st_size)


def _check_unchanged(folder: Path, before: tuple[Path, tuple[int, ...]]) -> None:
    if _seen(folder) != before:
        raise StoreError(
            f"a model must stay while it is read, found that `{folder}` was replaced; read it again"
        ) from None


def _lay_out(folder: Path) -> None:
    """Put the files of a whole new model where every reader looks for them."""
    new = folder / _NEW
    if not new.is_dir():
        return
    names = {path.name for path in new.iterdir()}
    (folder / CONFIG).unlink(missing_ok=True)
    for name in sorted(names - {CONFIG}):
        _place(new / name, folder / name)
    for old in files_of_a_model(folder):
        if old.name not in names:
            old.unlink()
    _place(new / CONFIG, folder / CONFIG)
    sync(folder)
    gone = folder / f"{_GONE}{os.getpid()}"
    new.rename(gone)
    _clear(gone)


def _place(source: Path, target: Path) -> None:
    """The same file under another name; where there are no links, a copy. Never half of it."""
    spare = target.with_name(f"{_STAGE}{target.name}")
    spare.unlink(missing_ok=True)
    try:
        os.link(source, spare)
    except OSError:
        shutil.copyfile(source, spare)
        sync(spare)
    spare.replace(target)
    spare.unlink(missing_ok=True)  # stays where both were one file already


def _clear(path: Path) -> None:
    """Remove what means nothing; if that fails, it is in nobody's way."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
