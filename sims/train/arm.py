"""Training one model: steps, points of its curve, checkpoints; stoppable between any two steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from neuro.errors import StoreError
from sims.dataset.build import Stopped
from sims.train.checkpoint import read_tensors, write_tensors
from sims.train.folder import TrainingFolder
from sims.train.interrupt import Interrupt
from sims.train.learner import Learner
from sims.train.results import score

__all__ = ["resume", "train_arm"]


def resume(learner: Learner, folder: TrainingFolder, arm: str, *, config_hash: str) -> None:
    """Bring the learner, and the log, to where the last checkpoint left them, if there is one.

    Raises:
        StoreError: if the checkpoint is damaged or of another training.
    """
    file = folder.checkpoint_file(arm)
    if file.is_file():
        tensors, header = read_tensors(file, kind="checkpoint")
        if (header.get("config_hash"), header.get("arm")) != (config_hash, arm):
            raise StoreError(
                f"`{file}` must be a checkpoint of this training, found one of another; "
                "delete it to start over"
            )
        try:
            learner.restore(tensors, header["state"])
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise StoreError(
                f"`{file}` must be a checkpoint of this training, found tensors that do not fit "
                "its model; delete it to start over"
            ) from None
    folder.rewind_log(arm, learner.step)


def train_arm(
    learner: Learner,
    folder: TrainingFolder,
    arm: str,
    *,
    held_out: tuple[Tensor, Tensor],
    evaluate_every: int,
    checkpoint_every: int,
    interrupt: Interrupt,
    about: Mapping[str, str],
    progress: Callable[[int], None] = lambda step: None,
) -> None:
    """Train to the last step, from wherever the learner is.

    A point of the curve is logged before the checkpoint of the same step is made, so a log
    never lacks what a checkpoint has behind it.

    Args:
        held_out: Inputs and labels for the curve; nothing is chosen by them.
        about: Kept in the checkpoint: `config_hash`, by which `resume` knows it, `git_commit`.
        progress: Called with the steps done.

    Raises:
        Stopped: if an interrupt was asked for; the step in hand is finished and kept.
    """
    last = learner.settings.steps
    while learner.step < last:
        learner.advance()
        progress(learner.step)
        at_end = learner.step == last
        if learner.step % evaluate_every == 0 or at_end:
            folder.log({"arm": arm, **_point(learner, *held_out)})
            learner.recent = []
        if learner.step % checkpoint_every == 0 or at_end or interrupt.asked:
            tensors, state = learner.state()
            write_tensors(
                folder.checkpoint_file(arm), tensors, {"arm": arm, **about, "state": state},
                kind="checkpoint",
            )  # fmt: skip
        if interrupt.asked and not at_end:
            raise Stopped(f"{learner.step} of {last} steps of the model `{arm}` are kept")


def _point(learner: Learner, inputs: Tensor, labels: Tensor) -> dict[str, float]:
    recent = learner.recent
    loss, right = score(learner.ema.model, inputs, labels, budget=learner.settings.max_steps)
    halted = [report.halted_after for report in recent if report.halted_after]
    return {
        "step": learner.step,
        "loss": float(np.mean([report.loss for report in recent])),
        "train_accuracy": float(np.mean([report.accuracy for report in recent])),
        "test_loss": loss,
        "test_accuracy": right,
        "halted_after": float(np.mean(halted)) if halted else 0.0,
    }
