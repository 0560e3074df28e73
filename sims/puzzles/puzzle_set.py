"""A puzzle set in memory or mapped from a disk: what a trainer is given.

    group (a puzzle as it was made) -> puzzle (one augmentation of it) -> examples

An example is a board as a row of tokens, and its answer as another row of the same length. For
Sudoku and mazes a puzzle is one example; for ARC it is all examples of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuro.errors import EmberError

__all__ = ["IGNORED", "Kind", "PuzzleError", "PuzzleFormat", "PuzzleSet", "PuzzleSplit", "Tokens"]

IGNORED = -100
"""Label of a token that is not marked, in batches; PyTorch's cross-entropy leaves it out."""

Kind: TypeAlias = Literal["sudoku", "maze", "arc", "other"]
Tokens: TypeAlias = NDArray[np.integer[Any]]


class PuzzleError(EmberError, ValueError):
    """Puzzles cannot be made as asked, or a set of them does not hold together."""


@dataclass(frozen=True)
class PuzzleFormat:
    """What the tokens of a set are.

    Attributes:
        kind: What the boards are; `other` for a set whose maker did not say.
        rows, columns: Of a board; `rows * columns` is its length in tokens.
        vocabulary: Tokens are 0 … `vocabulary - 1`.
        pad_id: The token that fills up.
        ignore_label_id: The label that is not marked (it becomes `IGNORED` in batches), or None.
        blank_identifier_id: The puzzle identifier that means nothing.
        n_identifiers: Puzzle identifiers are 0 … `n_identifiers - 1`.
        box: For Sudoku the rows and columns of a box, such as (2, 3).
    """

    kind: Kind
    rows: int
    columns: int
    vocabulary: int
    pad_id: int = 0
    ignore_label_id: int | None = 0
    blank_identifier_id: int = 0
    n_identifiers: int = 1
    box: tuple[int, int] | None = None

    @property
    def length(self) -> int:
        """Tokens of an example."""
        return self.rows * self.columns


@dataclass(frozen=True, eq=False)
class PuzzleSplit:
    """The examples of one split; the first two arrays may be mapped from files.

    Attributes:
        inputs: `(n_examples, length)` tokens of the boards.
        labels: `(n_examples, length)` tokens of the answers.
        puzzle_identifiers: `(n_puzzles,)`
        puzzle_indices: `(n_puzzles + 1,)` where the examples of each puzzle begin.
        group_indices: `(n_groups + 1,)` where the puzzles of each group begin.
        grades: `(n_groups,)` how hard each is, or None: guesses of a Sudoku, steps of a maze's
            shortest path.
    """

    inputs: Tokens
    labels: Tokens
    puzzle_identifiers: Tokens
    puzzle_indices: Tokens
    group_indices: Tokens
    grades: Tokens | None = None

    def __len__(self) -> int:
        """How many examples."""
        return len(self.inputs)

    @property
    def n_puzzles(self) -> int:
        """Augmented puzzles counted each."""
        return len(self.puzzle_indices) - 1

    @property
    def n_groups(self) -> int:
        """Puzzles as they were made."""
        return len(self.group_indices) - 1

    def puzzle_of(self, examples: Tokens) -> NDArray[np.int64]:
        """To which puzzle each example belongs."""
        return np.searchsorted(self.puzzle_indices, examples, side="right") - 1


@dataclass(frozen=True, eq=False)
class PuzzleSet:
    """Puzzles to train on and others to test on.

    Attributes:
        format: What the tokens are.
        train, test: The two splits.
        identifiers: Name of each puzzle identifier, or empty.
        about: JSON-ready: how the set was made, as far as it says.
    """

    format: PuzzleFormat
    train: PuzzleSplit
    test: PuzzleSplit
    identifiers: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def split(self, name: str) -> PuzzleSplit:
        """`train` or `test`.

        Raises:
            PuzzleError: if it is neither.
        """
        if name not in ("train", "test"):
            raise PuzzleError(f"a split must be `train` or `test`, found `{name}`")
        return self.train if name == "train" else self.test
