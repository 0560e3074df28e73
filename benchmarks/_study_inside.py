"""A look into one trained reasoner: when it halts, and how its latent state moves as it thinks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _study_run import Training
from numpy.typing import ArrayLike

from bridges.reasoning.carry import IGNORED
from bridges.reasoning.evaluation import refinement
from sims.config import load
from sims.train import load_model
from sims.train.puzzles.data import examples_of, held_out, puzzle_set
from sims.train.puzzles.measure import answered
from sims.train.puzzles.source import as_batch

__all__ = ["hardest", "inside", "principal"]

FOLLOWED = 64
"""Puzzles whose latent states give the components: an engineering choice, as is the next."""
SHOWN = 24
"""Puzzles whose way is drawn."""


def inside(training: Training, datasets: Path) -> dict[str, Any] | None:
    """What is drawn of a training on puzzles; None for one on spikes.

    Returns:
        `data`: of its result. `example`: the puzzle that was solved the latest, its `solution`
        and the answer after each of the `steps`. `halting`: how many held-out puzzles halted
        after each step, `right` and `wrong`. `latent`: `paths` (puzzles, steps, 2) of the first
        principal components of z, all positions together, from where it ends; `share` of the
        variance of each; `solved`.
    """
    result = json.loads((training.folder / "result.json").read_text(encoding="utf-8"))
    if result.get("task") != "puzzles":
        return None
    config = load(training.config, training.overrides).config
    puzzles, _ = puzzle_set(config.data, seed=config.seed, folder=datasets)
    model = load_model(training.folder / "best.safetensors").model
    _, tested = held_out(puzzles.test, validation=config.evaluation.validation, seed=config.seed)
    examples = examples_of(puzzles.test, tested)
    counts = np.zeros((2, model.settings.steps_max), dtype=int)
    batches = answered(
        model, puzzles.test, puzzles.format, examples, batch=config.evaluation.batch, halting=True
    )
    for given, found in batches:
        whole = ((found.predictions == given.labels) | (given.labels == IGNORED)).all(-1)
        np.add.at(counts, (whole.long().numpy(), found.steps.numpy() - 1), 1)
    some = as_batch(
        puzzles.test, puzzles.format, examples[:FOLLOWED],
        puzzle_vectors=model.puzzles is not None,
    )  # fmt: skip
    course = refinement(model, some)
    states = course.y if course.z is None else course.z
    flat = states.flatten(2).transpose(0, 1).to(torch.float64).numpy()
    # Seen from where each ends: else the components tell puzzles apart, and not steps.
    paths, share = principal(flat - flat[:, -1:])
    paths -= paths[:, -1:]
    right = ((course.predictions == some.labels) | (some.labels == IGNORED)).all(-1).numpy()
    one = hardest(right)
    return {
        "seed": training.seed,
        "variant": training.variant,
        "data": result["data"],
        "example": {
            "puzzle": np.asarray(puzzles.test.inputs[examples[one]]).tolist(),
            "solution": some.labels[one].tolist(),
            "steps": course.predictions[:, one].tolist(),
        },
        "halting": {"wrong": counts[0].tolist(), "right": counts[1].tolist()},
        "latent": {
            "paths": paths[:SHOWN].round(4).tolist(),
            "share": share.round(4).tolist(),
            "solved": right[-1, :SHOWN].tolist(),
        },
    }


def hardest(right: np.ndarray) -> int:
    """Of items whose answers were `right` or not after each step, `(steps, items)`, that which
    was the last to become right and stay so; the first item where none did."""
    wrong_until = np.where(right[::-1].all(0), 0, len(right) - right[::-1].argmin(0))
    return int(np.where(right[-1], wrong_until, -1).argmax())


def principal(states: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """States `(items, steps, features)` along their first two principal components, and the share
    of the variance that each of these has. What all have in common is taken off first."""
    given = np.asarray(states, dtype=np.float64)
    rows = given.reshape(-1, given.shape[-1])
    rows = rows - rows.mean(0)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    along = left[:, :2] * sizes[:2]
    share = sizes[:2] ** 2 / max(float((sizes**2).sum()), np.finfo(float).tiny)
    return along.reshape(*given.shape[:2], 2), share
