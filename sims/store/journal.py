"""A file that only grows between two points at which it is whole, whatever kills the writer.

HDF5 rewrites its own tables anywhere in a file, so that a process killed while it writes leaves
something nobody can read. Here everything below the length that the file had at the last `commit`
is kept in memory until the next one: with that length, and with what `commit` hands out, the file
of that moment can be made again from whatever a kill leaves.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from neuro.errors import StoreError
from neuro.files.lock import take
from neuro.files.seal import BLOCK, seal_of

__all__ = ["JournaledFile", "Patches"]

Patches = Sequence[tuple[int, bytes]]
"""Offsets, and what stands there."""

_PAGE = 4096


class JournaledFile:
    """What HDF5's driver for Python's file objects writes to.

    An error of the disk does not reach HDF5, which would crash the interpreter or lose the error
    while objects are closed (seen with HDF5 2.0 and h5py 3.16): it is kept for `check`, and
    nothing more is written.

    Args:
        floor, patches: Go back to a commit: cut to that length, and put these in place.
        sums: CRC-32 of each MiB of the file at that commit.

    Raises:
        StoreError: if another process holds the file, or it is not as it was at the commit.
        OSError: if it cannot be opened.
    """

    def __init__(
        self, path: Path, *, floor: int = 0, patches: Patches = (), sums: Sequence[int] = ()
    ) -> None:
        self._failure: OSError | None = None
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not take(self._handle):
                raise StoreError(f"`{path}` is open in another process; wait for it or end it")
            os.ftruncate(self._handle, floor)
            for offset, content in patches:
                _write(self._handle, content, offset)
            if patches:
                os.fsync(self._handle)
            self._floor = self._size = floor
            self._at = 0
            self._pages: dict[int, bytearray] = {}
            self._sums: dict[int, int] = {}
            self._unsummed = set(range(-(-floor // BLOCK)))
            if floor and self._all_sums() != list(sums):
                raise StoreError(f"`{path}` does not fit its checkpoint; start over with `--force`")
        except BaseException:
            os.close(self._handle)
            raise

    # ------------------------------------------------------------------ what HDF5 calls

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to `offset`, counted from the start or from the end."""
        self._at = offset + (self._size if whence == os.SEEK_END else 0)
        return self._at

    def tell(self) -> int:
        """Where the next read or write begins."""
        return self._at

    def read(self, size: int) -> bytes:
        """`size` bytes; zeros where nothing was written."""
        content = bytearray(size)
        try:
            found = os.pread(self._handle, size, self._at)
        except OSError as error:
            found, self._failure = b"", self._failure or error
        content[: len(found)] = found
        for number, low, high in self._below(self._at, size):
            if (page := self._pages.get(number)) is not None:
                start = number * _PAGE
                content[low - self._at : high - self._at] = page[low - start : high - start]
        self._at += size
        return bytes(content)

    def write(self, content: bytes) -> int:
        """Write below the floor to memory, and above it to the disk."""
        at, size = self._at, len(content)
        view = memoryview(content)
        for number, low, high in self._below(at, size):
            start = number * _PAGE
            self._page(number)[low - start : high - start] = view[low - at : high - at]
        below = max(0, min(size, self._floor - at))
        if below < size and self._failure is None:
            try:
                _write(self._handle, view[below:], at + below)
            except OSError as error:
                self._failure = error
        self._at = at + size
        first = min(at, self._size)  # what lies between the end and a write behind it is new too
        self._size = max(self._size, self._at)
        self._unsummed.update(range(first // BLOCK, -(-self._at // BLOCK)))
        return size

    def truncate(self, size: int) -> int:
        """Cut or lengthen; what was there at the last commit stays on the disk."""
        for number, low, high in self._below(size, self._size - size):
            start = number * _PAGE
            self._page(number)[low - start : high - start] = bytes(high - low)
        ends = sorted((self._size, size))
        self._unsummed.update(range(ends[0] // BLOCK, -(-ends[1] // BLOCK)))
        self._size = size
        if self._failure is None:
            try:
                os.ftruncate(self._handle, max(size, self._floor))
            except OSError as error:
                self._failure = error
        return size

    def flush(self) -> None:
        """Nothing: only a commit has to reach the disk."""

    # ------------------------------------------------------------------ what its owner calls

    def check(self) -> None:
        """Raise the first error of the disk, if there was one."""
        if self._failure is not None:
            raise self._failure

    def commit(self, record: Callable[[int, Patches, Sequence[int]], None]) -> None:
        """Make the file of this moment, to which HDF5 was flushed, one that can be gone back to.

        Args:
            record: Puts the length, the patches and the sums in a safe place, in one step.

        Raises:
            OSError: if the disk failed; the last commit still holds.
        """
        self.check()
        os.fsync(self._handle)
        sums = self._all_sums()
        self.check()
        record(self._size, self._changes(), sums)
        self._apply()

    def seal(self, keep: Callable[[Patches], None]) -> None:
        """Bring everything to the disk, sealed, without a commit: the last one can still be gone
        back to.

        Args:
            keep: Puts what is about to be overwritten in a safe place, to go back with it too.

        Raises:
            OSError: if the disk failed; the last commit still holds.
        """
        self.check()
        places = [(at, len(new)) for at, new in self._changes()]
        if self._size < self._floor:
            places.append((self._size, self._floor - self._size))
        if places:
            keep([(at, os.pread(self._handle, size, at)) for at, size in places])
        self._apply()
        self.add_seal()
        os.fsync(self._handle)

    def add_seal(self) -> None:
        """Put the seal of `neuro.files.seal` behind a file that nothing is written to any more.

        Raises:
            OSError: if the disk failed.
        """
        self.check()
        _write(self._handle, seal_of(self._size, self._all_sums()), self._size)
        self.check()

    def close(self) -> None:
        """Let the file go, as it is on the disk; what was not committed or sealed is lost."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _below(self, at: int, size: int) -> Iterator[tuple[int, int, int]]:
        """Of a stretch, what lies below the floor: number of each page, first byte, end."""
        end = min(at + size, self._floor)
        while at < end:
            number = at // _PAGE
            high = min((number + 1) * _PAGE, end)
            yield number, at, high
            at = high

    def _all_sums(self) -> list[int]:
        """CRC-32 of each MiB; only those that were written to are read again."""
        n = -(-self._size // BLOCK)
        at = self._at
        for number in sorted(number for number in self._unsummed if number < n):
            self._at = number * BLOCK
            self._sums[number] = zlib.crc32(self.read(min(BLOCK, self._size - self._at)))
        self._at = at
        self._unsummed.clear()
        return [self._sums[number] for number in range(n)]

    def _changes(self) -> list[tuple[int, bytes]]:
        return [
            (number * _PAGE, bytes(page[: self._floor - number * _PAGE]))
            for number, page in sorted(self._pages.items())
        ]

    def _apply(self) -> None:
        for at, content in self._changes():
            _write(self._handle, content, at)
        self._pages.clear()
        os.ftruncate(self._handle, self._size)
        self._floor = self._size

    def _page(self, number: int) -> bytearray:
        if number not in self._pages:
            page = bytearray(_PAGE)
            found = os.pread(self._handle, _PAGE, number * _PAGE)
            page[: len(found)] = found
            self._pages[number] = page
        return self._pages[number]


def _write(handle: int, content: bytes | memoryview, at: int) -> None:
    view = memoryview(content)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done
