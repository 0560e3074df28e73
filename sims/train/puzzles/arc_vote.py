"""ARC as it is scored: augmentations of a test puzzle vote, and two attempts count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridges.reasoning.reasoner import Reasoner
from neuro.errors import ConfigError
from sims.dataset.build import Stopped
from sims.puzzles.arc_augment import Augmentation, grid_of_tokens
from sims.puzzles.arc_tasks import ArcTask
from sims.puzzles.puzzle_set import PuzzleSet
from sims.puzzles.scoring import arc_score, submission
from sims.puzzles.voting import ArcBallot
from sims.train.loop.processes import ALONE, World
from sims.train.puzzles.measure import answered

__all__ = ["check_votable", "tasks_of", "voted"]


def check_votable(puzzles: PuzzleSet) -> None:
    """Refuse puzzles whose augmentations cannot be undone.

    Raises:
        ConfigError: if the puzzles are not ARC's, or their augmentations have no names.
    """
    if puzzles.format.kind != "arc" or not puzzles.identifiers:
        raise ConfigError(
            f"evaluation.votes: expected puzzles of ARC with their identifiers, found "
            f"{puzzles.format.kind}; leave it out"
        )


def voted(
    model: Reasoner,
    puzzles: PuzzleSet,
    groups: NDArray[np.int64],
    *,
    votes: int,
    batch: int,
    world: World = ALONE,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Share of tasks solved by vote, as the ARC Prize counts.

    Every process asks for its share of the tasks, and all get the same figures.

    Args:
        groups: Tasks of the test split.
        votes: Augmentations of each, itself the first, that are asked; fewer where it has fewer.
        stop: Asked after each batch whether to stop; where one process does, all do.

    Returns:
        `score` (mean over tasks of the share of its test inputs solved), `outputs`,
        `whole_tasks`, `n_tasks`, `votes`.

    Raises:
        ConfigError: as `check_votable`.
        Stopped: if `stop` said so, in every process alike.
    """
    check_votable(puzzles)
    mine = groups[world.rank :: world.size]
    ballot = ArcBallot(puzzles.identifiers)
    examples = _examples(puzzles, mine, votes)
    first, stopping = 0, False
    for given, found in answered(model, puzzles.test, puzzles.format, examples, batch=batch):
        some = examples[first : first + given.labels.shape[0]]
        first += some.size
        ballot.cast(
            np.asarray(puzzles.test.inputs[some]),
            np.asarray(puzzles.test.puzzle_identifiers)[puzzles.test.puzzle_of(some)],
            found.predictions.cpu().numpy(), found.halt.sigmoid().cpu().double().numpy(),
        )  # fmt: skip
        if stopping := stop():
            break
    tasks = tasks_of(puzzles, mine)
    sums = torch.zeros(5, dtype=torch.float64)
    sums[4] = stopping
    if tasks and not stopping:
        score, outputs = arc_score(submission(ballot, tasks), tasks), _outputs(tasks)
        sums[:4] += torch.tensor([
            score.score * score.n_tasks, score.outputs * outputs, outputs,
            score.whole_tasks * score.n_tasks,
        ], dtype=torch.float64)  # fmt: skip
    solved, right, outputs_, whole, stopped = world.summed(sums).tolist()
    if stopped:
        raise Stopped("what was trained is kept, and will be measured again")
    n = max(1, int(groups.size))
    return {
        "score": solved / n, "outputs": right / max(1.0, outputs_), "whole_tasks": whole / n,
        "n_tasks": int(groups.size), "votes": votes,
    }  # fmt: skip


def tasks_of(puzzles: PuzzleSet, groups: NDArray[np.int64]) -> dict[str, ArcTask]:
    """The test pairs of groups, read back from their first puzzle, which is as it was given."""
    split, tasks = puzzles.test, {}
    for puzzle in np.asarray(split.group_indices)[groups]:
        name, _ = Augmentation.of(puzzles.identifiers[int(split.puzzle_identifiers[puzzle])])
        rows = range(int(split.puzzle_indices[puzzle]), int(split.puzzle_indices[puzzle + 1]))
        pairs = tuple(
            (grid_of_tokens(split.inputs[row]), grid_of_tokens(split.labels[row])) for row in rows
        )
        tasks[name] = ArcTask(name, (), pairs)
    return tasks


def _examples(puzzles: PuzzleSet, groups: NDArray[np.int64], votes: int) -> NDArray[np.int64]:
    split, found = puzzles.test, [np.zeros(0, np.int64)]
    for group in groups:
        first, beyond = (int(split.group_indices[group + k]) for k in (0, 1))
        last = min(beyond, first + votes)
        found.append(np.arange(split.puzzle_indices[first], split.puzzle_indices[last]))
    return np.concatenate(found)


def _outputs(tasks: dict[str, ArcTask]) -> int:
    return sum(len(task.test) for task in tasks.values())
