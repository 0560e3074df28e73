"""Which puzzles are kept, and for which split: nothing that is tested on is ever trained on.

Candidates come in the order of their numbers, each known by a key that equivalent puzzles share
(its canonical form), and, where more than the puzzle is to be held out, by a family: what no
puzzle of one split may have in common with one of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from sims.puzzles.puzzle_set import PuzzleError

__all__ = ["BARREN", "Candidate", "Division", "Progress", "Split", "divide", "numbered"]

Split: TypeAlias = Literal["train", "test"]

BARREN = 200_000
"""Candidates in a row of which none was kept, after which the search is given up; engineering
choice: 70 s of 9x9 boards on one core."""


class Progress(Protocol):
    """Called now and then with how many puzzles there are, of how many."""

    def __call__(self, done: int, of: int) -> None:
        """`done` of `of`."""


class Candidate(Protocol):
    """A puzzle that may be kept."""

    @property
    def key(self) -> bytes:
        """The same for equivalent puzzles, and for no others."""

    @property
    def family(self) -> bytes:
        """What is held out as a whole; empty if puzzles are held out one by one."""


P = TypeVar("P", bound=Candidate)
T = TypeVar("T")


class Division(Generic[P]):
    """Puzzles kept so far.

    No two have the same key. Puzzles without a family fill `test` first and then `train`, so that
    a larger training set of the same seed holds the smaller one and is tested on the same puzzles.
    A new family goes to the split that is less filled, and takes its puzzles with it.
    """

    def __init__(self, *, train: int, test: int) -> None:
        self.wanted = {"test": test, "train": train}
        self.kept: dict[Split, list[P]] = {"test": [], "train": []}
        self._keys: set[bytes] = set()
        self._families: dict[bytes, Split] = {}

    @property
    def n_kept(self) -> int:
        """In both splits."""
        return sum(map(len, self.kept.values()))

    @property
    def full(self) -> bool:
        """Whether no more is wanted."""
        return self.n_kept == sum(self.wanted.values())

    def offer(self, puzzle: P) -> bool:
        """Keep it, if it is new and its split has room; says whether it was kept."""
        if puzzle.key in self._keys:
            return False
        split = self._families.get(puzzle.family) if puzzle.family else None
        if split is None:
            split = self._next() if puzzle.family else self._first()
        if split is None or len(self.kept[split]) >= self.wanted[split]:
            return False
        if puzzle.family:
            self._families[puzzle.family] = split
        self._keys.add(puzzle.key)
        self.kept[split].append(puzzle)
        return True

    def _first(self) -> Split | None:
        for split, kept in self.kept.items():
            if len(kept) < self.wanted[split]:
                return split
        return None

    def _next(self) -> Split | None:
        open_ = [split for split, kept in self.kept.items() if len(kept) < self.wanted[split]]
        return min(
            open_, key=lambda split: len(self.kept[split]) / self.wanted[split], default=None
        )


def divide(
    candidates: Iterable[tuple[int, Iterable[P]]],
    *,
    train: int,
    test: int,
    progress: Progress = lambda done, of: None,
) -> Division[P]:
    """Fill both splits from chunks of candidates, `(how many were tried, those that will do)`.

    Raises:
        PuzzleError: if `BARREN` candidates in a row brought nothing.
    """
    division: Division[P] = Division(train=train, test=test)
    tried, barren, of = 0, 0, train + test
    progress(0, of)
    for n, puzzles in candidates:
        before = division.n_kept
        for puzzle in puzzles:
            division.offer(puzzle)
        tried += n
        barren = 0 if division.n_kept > before else barren + n
        progress(division.n_kept, of)
        if division.full:
            break
        if barren >= BARREN:
            raise PuzzleError(
                f"found {division.n_kept:,} of {of:,} puzzles that differ from each other, and "
                f"none among the last {barren:,} of {tried:,} tried; ask for fewer, or for a "
                "wider range"
            )
    return division


def numbered(make: Callable[[int], T], *, workers: int) -> Iterator[T]:
    """`make(0)`, `make(1)`, … without end, in that order, made `workers` at a time.

    Raises:
        PuzzleError: if `workers` is not positive.
    """
    if workers < 1:
        raise PuzzleError(f"there must be at least 1 worker, found {workers}")
    pool = ThreadPoolExecutor(max_workers=workers)
    waiting: list[Future[T]] = []
    number = 0
    try:
        while True:
            while len(waiting) < 2 * workers:
                waiting.append(pool.submit(make, number))
                number += 1
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
