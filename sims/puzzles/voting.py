"""One answer out of many: those to the augmentations of a puzzle, brought back, and counted.

The answer that was given most often comes first; of several, the one its giver was surer of, by
the mean of `q`, the halt head's probability that it is right (as in the public evaluators).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sims.puzzles.arc_augment import Augmentation, grid_of_tokens
from sims.puzzles.puzzle_set import PuzzleError, Tokens

__all__ = ["ArcBallot", "Vote", "ranked"]


@dataclass(frozen=True, eq=False)
class Vote:
    """An answer, how often it was given, and the mean of `q`."""

    grid: NDArray[np.uint8]
    count: int
    q: float


def ranked(answers: Iterable[tuple[NDArray[np.uint8], float]]) -> list[Vote]:
    """Answers and their `q`, counted: the best first, by count, then by mean `q`.

    Of answers that are equal in both, the one given first comes first.
    """
    grids: dict[tuple[tuple[int, ...], bytes], NDArray[np.uint8]] = {}
    qs: dict[tuple[tuple[int, ...], bytes], list[float]] = {}
    for grid, q in answers:
        key = (grid.shape, grid.tobytes())
        grids.setdefault(key, grid)
        qs.setdefault(key, []).append(float(q))
    votes = [Vote(grids[key], len(q), sum(q) / len(q)) for key, q in qs.items()]
    return sorted(votes, key=lambda vote: (-vote.count, -vote.q))


class ArcBallot:
    """Collects answers to augmented ARC puzzles, in any order and from any number of batches.

    Args:
        identifiers: Name of each puzzle identifier, from `PuzzleSet.identifiers`.
    """

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._names = tuple(identifiers)
        self._answers: dict[tuple[str, bytes], list[tuple[NDArray[np.uint8], float]]] = {}

    def cast(self, inputs: Tokens, puzzles: Tokens, predictions: Tokens, q: ArrayLike) -> None:
        """Add a batch.

        Args:
            inputs, predictions: `(n, 900)` tokens.
            puzzles: `(n,)` puzzle identifiers; 0, which fills up a batch, is passed over.
            q: `(n,)` how sure of each.

        A prediction that shows no grid is no vote.

        Raises:
            PuzzleError: if lengths differ, `q` is not finite, or an identifier has no name.
        """
        sure = np.asarray(q, np.float64)
        if not len(inputs) == len(puzzles) == len(predictions) == sure.size:
            raise PuzzleError(
                f"a batch must have as many of each, found {len(inputs)} inputs, {len(puzzles)} "
                f"puzzles, {len(predictions)} predictions and {sure.size} of q"
            )
        if not np.isfinite(sure).all():
            raise PuzzleError("every q must be finite, found one that is not")
        for tokens, number, prediction, certain in zip(
            inputs, puzzles, predictions, sure, strict=True
        ):
            if not 0 <= number < len(self._names):
                raise PuzzleError(
                    f"a puzzle identifier must be 0 to {len(self._names) - 1}, found {number}"
                )
            if number == 0:
                continue
            task, augmentation = Augmentation.of(self._names[int(number)])
            answer = grid_of_tokens(prediction)
            asked = augmentation.inverse(grid_of_tokens(tokens))
            answers = self._answers.setdefault((task, _key(asked)), [])
            if answer.size:
                answers.append((augmentation.inverse(answer), float(certain)))

    def ranked(self, task: str, test_input: NDArray[np.uint8]) -> list[Vote]:
        """Answers to one test input of a task, the best first."""
        return ranked(self._answers.get((task, _key(test_input)), []))


def _key(grid: NDArray[np.uint8]) -> bytes:
    return bytes(grid.shape) + grid.tobytes()
