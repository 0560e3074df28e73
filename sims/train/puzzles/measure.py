"""How well a reasoner solves puzzles: with every supervision step, or until it is content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch
from bridges.reasoning.evaluation import Answered, evaluate
from bridges.reasoning.losses import answer_loss
from bridges.reasoning.reasoner import Reasoner
from sims.dataset.build import Stopped
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSplit
from sims.train.loop.processes import ALONE, World
from sims.train.loop.trees import mapped
from sims.train.puzzles.source import as_batch
from sims.train.statistics import proportion

__all__ = ["answered", "measured"]


def measured(
    model: Reasoner,
    split: PuzzleSplit,
    format: PuzzleFormat,
    examples: NDArray[np.int64],
    *,
    batch: int,
    halting: bool = False,
    world: World = ALONE,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Shares of examples and of cells that are right, and the steps it took.

    Every process answers its share of the examples, and all get the same figures.

    Args:
        examples: Of the split.
        batch: Examples at a time.
        halting: Whether an answer may end when the halt head is content.
        stop: Asked after each batch whether to stop; where one process does, all do.

    Returns:
        `right`, `of`, `accuracy`, `interval` of whole examples; `cells`, the share of cells;
        `loss`, of the answers; `steps`, the mean number of supervision steps.

    Raises:
        Stopped: if `stop` said so, in every process alike.
    """
    sums = torch.zeros(6, dtype=torch.float64)
    mine = examples[world.rank :: world.size]
    for given, found in answered(model, split, format, mine, batch=batch, halting=halting):
        counted = given.labels != IGNORED
        right = (found.predictions == given.labels) & counted
        exact = right.sum(-1) == counted.sum(-1)
        sums[:5] += torch.stack([
            exact.sum().double(), right.sum().double(), counted.sum().double(),
            answer_loss(found.logits, given.labels).sum().double(), found.steps.sum().double(),
        ]).cpu()  # fmt: skip
        if stop():
            sums[5] = 1
            break
    exact_, cells, of_cells, loss, steps, stopped = world.summed(sums).tolist()
    if stopped:
        raise Stopped("what was trained is kept, and will be measured again")
    n = max(1, examples.size)
    return {
        **proportion(int(exact_), int(examples.size)),
        "cells": cells / max(1.0, of_cells), "loss": loss / n, "steps": steps / n,
    }  # fmt: skip


def answered(
    model: Reasoner,
    split: PuzzleSplit,
    format: PuzzleFormat,
    examples: NDArray[np.int64],
    *,
    batch: int,
    halting: bool = False,
) -> Iterator[tuple[Batch, Answered]]:
    """Batches of examples and what the model answers, in order."""
    device = model.start_y.device
    vectors = model.puzzles is not None

    def there(part: Tensor) -> Tensor:
        return part.to(device)

    for first in range(0, examples.size, batch):
        some = as_batch(split, format, examples[first : first + batch], puzzle_vectors=vectors)
        given = mapped(some, there)
        yield given, evaluate(model, given, halting=halting)
