"""What an answer is worth: whole boards, and ARC's official score of two attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sims.puzzles.arc_tasks import ArcTask
from sims.puzzles.puzzle_set import IGNORED, PuzzleError, Tokens
from sims.puzzles.voting import ArcBallot

__all__ = ["ATTEMPTS", "ArcScore", "Submission", "arc_score", "right", "submission", "to_json"]

ATTEMPTS = 2
"""At each test input, as the ARC Prize counts."""

Submission: TypeAlias = Mapping[str, Sequence[Sequence[NDArray[np.uint8]]]]
"""Task -> test input -> attempts."""


def right(predictions: Tokens, labels: Tokens) -> NDArray[np.bool_]:
    """Which boards are right in every token that is marked, `(n,)`.

    Args:
        predictions, labels: `(n, length)` tokens; labels may be `IGNORED`.

    Raises:
        PuzzleError: if their shapes differ.
    """
    if predictions.shape != labels.shape:
        raise PuzzleError(
            f"predictions must have the shape of the labels, {labels.shape}, found "
            f"{predictions.shape}"
        )
    return ((predictions == labels) | (labels == IGNORED)).all(axis=1)


@dataclass(frozen=True)
class ArcScore:
    """How many were solved.

    Attributes:
        score: Mean over tasks of the share of its test inputs that were solved: what ARC Prize
            and the public evaluators report.
        outputs: Share of all test inputs that were solved.
        whole_tasks: Share of tasks of which every test input was solved.
        n_tasks: Tasks that were asked; one that was not answered counts as not solved.
    """

    score: float
    outputs: float
    whole_tasks: float
    n_tasks: int


def arc_score(answers: Submission, tasks: Mapping[str, ArcTask]) -> ArcScore:
    """Score attempts: a test input is solved if one of at most two equals its output, exactly.

    Raises:
        PuzzleError: if there are more than two attempts, answers to what was not asked, or no
            tasks.
    """
    if not tasks:
        raise PuzzleError("there must be a task to score, found none")
    unknown = sorted(answers.keys() - tasks.keys())
    if unknown:
        raise PuzzleError(f"every answer must be to a task of the set, found `{unknown[0]}`")
    solved: list[list[bool]] = []
    for name, task in tasks.items():
        given = answers.get(name, ())
        if len(given) > len(task.test) or any(len(attempts) > ATTEMPTS for attempts in given):
            raise PuzzleError(
                f"`{name}` must have at most {ATTEMPTS} attempts at each of its {len(task.test)} "
                "test inputs, found more"
            )
        solved.append([
            any(np.array_equal(attempt, output) for attempt in attempts)
            for (_, output), attempts in zip(
                task.test, [*given, *[()] * (len(task.test) - len(given))], strict=True
            )
        ])  # fmt: skip
    return ArcScore(
        score=float(np.mean([np.mean(task) for task in solved])),
        outputs=float(np.mean([one for task in solved for one in task])),
        whole_tasks=float(np.mean([all(task) for task in solved])),
        n_tasks=len(tasks),
    )


def submission(ballot: ArcBallot, tasks: Mapping[str, ArcTask]) -> Submission:
    """The two best answers to each test input, as they were voted."""
    return {
        name: [
            [vote.grid for vote in ballot.ranked(name, asked)[:ATTEMPTS]] for asked, _ in task.test
        ]
        for name, task in tasks.items()
    }


def to_json(answers: Submission) -> dict[str, list[dict[str, Any]]]:
    """The submission in the form of the ARC Prize; a missing attempt repeats the first, or is 0."""
    return {
        name: [
            {
                f"attempt_{k + 1}": (
                    attempts[min(k, len(attempts) - 1)].tolist() if attempts else [[0]]
                )
                for k in range(ATTEMPTS)
            }
            for attempts in given
        ]
        for name, given in answers.items()
    }
