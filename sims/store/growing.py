"""The run file while its run goes on: where it lies, how it is saved, and how it ends.

Until its first checkpoint it lies in a hidden folder, like everything that is being written, and
vanishes with the process. From then on it lies in `NAME.h5.partial/` beside its target:

    NAME.h5                 the file itself, of which `checkpoint.npz` knows what is whole
    checkpoint.npz          what the run goes on from; there in one step, or not
    undo.npz                while the file is being closed: how to go back to the checkpoint

A run that ends as it should moves the file to its place and leaves nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from neuro.disk import sync
from neuro.errors import StoreError
from neuro.files.hdf5 import DAMAGE, trust_hdf5
from neuro.files.lock import is_held
from sims.store.atomic import hidden_folder, move_file, naming, resolved
from sims.store.checkpoint import (
    Checkpoint,
    read_checkpoint,
    read_patches,
    write_checkpoint,
    write_patches,
)
from sims.store.identity import difference
from sims.store.journal import JournaledFile, Patches

__all__ = ["GrowingFile", "find_checkpoint", "growing_file", "partial_folder"]

_CHECKPOINT, _UNDO = "checkpoint.npz", "undo.npz"
_TOUCH_S = 600.0  # a hidden folder that nobody touched for a day counts as left behind


def partial_folder(path: str | os.PathLike[str]) -> Path:
    """Where the unfinished run of the file `path` lies."""
    target = resolved(path)
    return target.with_name(f"{target.name}.partial")


def find_checkpoint(
    path: str | os.PathLike[str], identity: Callable[[], Mapping[str, Any]], *, force: bool
) -> Checkpoint | None:
    """The checkpoint that a run to `path` can go on from, if there is one.

    Args:
        identity: Of the run that is about to start; asked for only if there is a checkpoint.
        force: Start over where the checkpoint is damaged or another run's.

    Raises:
        StoreError: if it is, and not `force`; or if that run is still going on.
    """
    folder = partial_folder(path)
    data = folder / resolved(path).name
    if not data.is_file() or _is_same(data, resolved(path)):  # nothing there, or it is in place
        return None
    if is_held(data):
        raise StoreError(
            f"`{data}` is open in another process, which may be the same run; wait for it or end it"
        )
    if not (folder / _CHECKPOINT).exists():
        return None
    try:
        found = read_checkpoint(folder / _CHECKPOINT)
        if what := difference(found.identity, identity()):
            raise StoreError(
                f"`{folder}` holds an unfinished run, in which {what}; start over with `--force`, "
                f"or give another --out"
            )
    except StoreError:
        if force:
            return None
        raise
    return found


@contextmanager
def growing_file(
    path: str | os.PathLike[str], found: Checkpoint | None = None
) -> Iterator[GrowingFile]:
    """The file to be written to `path`, empty or as it was at a checkpoint.

    Unless `publish` or `keep` was called within the block, nothing remains of it but the last
    checkpoint.

    Raises:
        StoreError: if it cannot be written.
    """
    parent = resolved(path).parent
    new = not parent.exists()
    with ExitStack() as stack:
        with naming(path):
            parent.mkdir(exist_ok=True)
            stack.callback(_remove_empty, parent if new else None)
            hidden = stack.enter_context(hidden_folder(parent))
            growing = GrowingFile(path, hidden, found)
            stack.callback(growing.close)
        yield growing


class GrowingFile:
    """An HDF5 file that can be gone back to; see `growing_file`.

    Attributes:
        path: Where it is to go.
        file: What to write to.
        saved_ms: Simulated time of the checkpoint there is, or None.
    """

    def __init__(
        self, path: str | os.PathLike[str], hidden: Path, found: Checkpoint | None
    ) -> None:
        self.path, self._target = path, resolved(path)
        self._partial = partial_folder(path)
        self._folder = hidden if found is None else self._partial
        self._touched = time.monotonic()
        self.saved_ms = None if found is None else found.reached_ms
        if found is None:
            self._raw = JournaledFile(self._data)
            self.file = h5py.File(self._raw, "w", track_order=True)
            return
        undo = self._partial / _UNDO
        patches = [*found.patches, *read_patches(undo)]
        self._raw = JournaledFile(self._data, floor=found.floor, patches=patches, sums=found.sums)
        undo.unlink(missing_ok=True)
        try:
            self.file = h5py.File(self._raw, "r+")
        except DAMAGE:
            self._raw.close()
            raise StoreError(
                f"`{self._data}` does not fit its checkpoint; start over with `--force`"
            ) from None

    @property
    def _data(self) -> Path:
        return self._folder / self._target.name

    @property
    def _shown(self) -> Path:
        """The unfinished file as the user would type it."""
        beside = Path(self.path).with_name(self._partial.name)
        return (beside if beside.exists() else self._partial) / self._target.name

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within the block the file is written to; what the disk does not take is one line.

        Raises:
            StoreError: if it has not taken everything.
        """
        with naming(self.path):
            try:
                yield
            finally:
                self._raw.check()  # rather than what HDF5 makes of it
        if self._folder != self._partial and time.monotonic() - self._touched > _TOUCH_S:
            self._touched = time.monotonic()
            with suppress(OSError):
                os.utime(self._folder)

    def save(self, checkpoint: Checkpoint) -> None:
        """Make `checkpoint`, of this moment, the one to go on from.

        Raises:
            StoreError: if the disk does not take it; the one before still holds then.
        """

        def record(floor: int, patches: Patches, sums: Sequence[int]) -> None:
            whole = replace(checkpoint, floor=floor, patches=patches, sums=sums)
            write_checkpoint(self._folder / _CHECKPOINT, whole)
            if self._folder != self._partial:
                self._move_to_partial(_CHECKPOINT)

        with self.writing():
            self.file.flush()
        with naming(self.path):
            self._raw.commit(record)
        self.saved_ms = checkpoint.reached_ms

    def publish(self, *, force: bool) -> None:
        """Close the file and move it to its place; nothing else is left.

        Raises:
            StoreError: if the disk does not take it; or if another file has come to be there and
                not `force`: the run is then whole in the folder of unfinished ones.
        """
        with naming(self.path):
            self._seal()
            try:
                move_file(self._data, self._target, self.path, force=force)
            except StoreError as error:
                if self._folder != self._partial:
                    self._move_to_partial()
                raise StoreError(f"{error}; the run is whole in `{self._shown}`") from None
            sync(self._target.parent)
            self._data.unlink(missing_ok=True)
            trust_hdf5(self._target)
            with suppress(StoreError):  # another run to the same place: its own affair
                self._clear()

    def keep(self, *, resumable: bool) -> Path:
        """Close the file, leave it in the folder of unfinished runs, and return its path there.

        Args:
            resumable: Whether the checkpoint stays, to go on from.

        Raises:
            StoreError: if the disk does not take it.
        """
        with naming(self.path):
            self._seal()
            if self._folder != self._partial:
                self._move_to_partial()
            if not resumable:
                for name in (_CHECKPOINT, _UNDO):
                    (self._partial / name).unlink(missing_ok=True)
            sync(self._partial)
            trust_hdf5(self._data)
        return self._shown

    def close(self) -> None:
        """Let the file go as it is; what was not saved is not kept."""
        with suppress(OSError, RuntimeError, ValueError):
            self.file.close()
        self._raw.close()

    def _seal(self) -> None:
        with self.writing():
            self.file.close()
        self._raw.seal(lambda patches: write_patches(self._folder / _UNDO, patches))

    def _move_to_partial(self, *others: str) -> None:
        """From the hidden folder, over whatever another run had left; `others` follow the file."""
        self._clear()
        self._partial.mkdir(exist_ok=True)
        for name in (self._target.name, *others):
            os.replace(self._folder / name, self._partial / name)
        sync(self._partial)
        sync(self._partial.parent)
        self._folder = self._partial

    def _clear(self) -> None:
        """Remove what this run, or an earlier one to the same place, has left unfinished."""
        data = self._partial / self._target.name
        if self._folder != self._partial and is_held(data):
            raise StoreError(f"another run to `{self.path}` is going on; give another --out")
        for name in (_CHECKPOINT, _UNDO, self._target.name):
            (self._partial / name).unlink(missing_ok=True)
        _remove_empty(self._partial)


def _remove_empty(folder: Path | None) -> None:
    if folder is not None:
        with suppress(OSError):  # not there, or something is in it
            folder.rmdir()


def _is_same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False
