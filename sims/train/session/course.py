"""The course of one training: steps, points of its curve, checkpoints; stoppable after any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch

from bridges.reasoning.reasoner import Reasoner
from neuro.errors import StoreError
from sims.dataset.build import Stopped
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.loop.non_finite import TrainingError
from sims.train.loop.trainer import Trainer
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import Interrupt

__all__ = ["Point", "follow", "read_best", "resume"]

Point: TypeAlias = Mapping[str, float]


def resume(trainer: Trainer, folder: TrainingFolder, arm: str, *, config_hash: str) -> None:
    """Bring the trainer, and the log, to where the last checkpoint left them, if there is one.

    Every process reads the checkpoint; the first one mends the log.

    Raises:
        StoreError: if the checkpoint is damaged or of another training, or what was written
            before it is gone or damaged: the log, or the best weights.
    """
    file = folder.checkpoint_file(arm)
    if file.exists():
        tensors, header = read_tensors(file, kind="checkpoint")
        if (header.get("config_hash"), header.get("arm")) != (config_hash, arm):
            raise StoreError(
                f"`{file}` must be a checkpoint of this training, found one of another; "
                "delete it to start over"
            )
        try:
            trainer.restore(tensors, header["state"])
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise StoreError(
                f"`{file}` must be a checkpoint of this training, found tensors that do not fit "
                "its model; delete it to start over"
            ) from None
    if trainer.best is not None:  # found now, and not when all steps are done
        read_best(folder, arm)
    if trainer.world.first:
        folder.rewind_log(arm, trainer.step - trainer.due)
        every, last = trainer.spec.evaluate_every, trainer.spec.steps
        there = {entry["step"] for entry in folder.read_log() if entry["arm"] == arm}
        for step in range(1, trainer.step + 1 - trainer.due):
            if (step % every == 0 or step == last) and step not in there:
                raise StoreError(
                    f"`{folder.log_file}` must hold the learning curve up to step {trainer.step}, "
                    f"found no point of step {step}; put it back, or delete `{file}` to start over"
                )


def read_best(folder: TrainingFolder, arm: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the header of the weights that were best by validation.

    Raises:
        StoreError: if the file is missing or damaged; it says what starts over, for which it is
            not enough to delete that file.
    """
    return read_tensors(
        folder.best_file(arm), kind="model",
        advice=f"put it back, or delete `{folder.checkpoint_file(arm)}` to start over",
    )  # fmt: skip


def follow(
    trainer: Trainer,
    folder: TrainingFolder,
    arm: str,
    *,
    point: Callable[[Reasoner], Point],
    keep_best: Callable[[Reasoner, int], None] | None = None,
    interrupt: Interrupt,
    about: Mapping[str, str],
    progress: Callable[[int], None] = lambda step: None,
    told: Callable[[Point], None] = lambda point: None,
) -> None:
    """Train to the last step, from wherever the trainer is.

    A point of the curve is logged, and the best weights are kept, before the checkpoint of the
    same step is made, so neither ever lacks what a checkpoint has behind it; a resumed training
    does both again, to the same end. A training that is stopped while a point is measured keeps
    the step, and measures when it goes on.

    Args:
        point: Measures the averaged weights. Where `keep_best` is given, `score` is what counts.
        keep_best: Called with the averaged weights and the step, whenever no score was higher.
        about: Kept in the checkpoint: `config_hash`, by which `resume` knows it, `git_commit`.
        progress: Called with the steps done.
        told: Called with each point of the curve.

    Raises:
        Stopped: if an interrupt was asked for; the step in hand is finished and kept.
        TrainingError: if a number is not finite; the step before is kept, if its weights are good.
        StoreError: if a file cannot be written; the last one stays as it was.
    """
    spec, world = trainer.spec, trainer.world
    while trainer.step < spec.steps or trainer.due:
        if not trainer.due:
            try:
                trainer.advance()
            except TrainingError as error:
                raise _kept(error, trainer, folder, arm, about) from None
            progress(trainer.step)
        step, at_end = trainer.step, trainer.step == spec.steps
        trainer.due = step % spec.evaluate_every == 0 or at_end
        if trainer.due:
            try:
                measured = point(trainer.ema.model)
            except Stopped:
                _save(trainer, folder, arm, about)
                raise Stopped(_steps_kept(trainer, arm)) from None
            found = {"step": step, "rate": trainer.rate, **trainer.averages(), **measured}
            trainer.due = False
            if keep_best is not None and (
                trainer.best is None or found["score"] >= trainer.best[0]
            ):
                trainer.best = (found["score"], step)
                if world.first:
                    keep_best(trainer.ema.model, step)
            if world.first:
                folder.log({"arm": arm, **found})
            told(found)
        stop = bool(world.summed(torch.tensor(float(interrupt.asked))))
        if step % spec.checkpoint_every == 0 or at_end or stop:
            _save(trainer, folder, arm, about)
        if stop and not at_end:
            raise Stopped(_steps_kept(trainer, arm))


def _kept(
    error: TrainingError,
    trainer: Trainer,
    folder: TrainingFolder,
    arm: str,
    about: Mapping[str, Any],
) -> TrainingError:
    """The error, which says too what there is to go on from."""
    if trainer.sound and trainer.step:
        _save(trainer, folder, arm, about)
        return TrainingError(f"{error}; step {trainer.step}, the last good one, is kept")
    return TrainingError(f"{error}; the last checkpoint is as it was")


def _save(trainer: Trainer, folder: TrainingFolder, arm: str, about: Mapping[str, Any]) -> None:
    tensors, state = trainer.state()
    if trainer.world.first:
        header = {"arm": arm, **about, "state": state}
        write_tensors(folder.checkpoint_file(arm), tensors, header, kind="checkpoint")


def _steps_kept(trainer: Trainer, arm: str) -> str:
    named = f"the model `{arm}`" if arm else "the model"
    return f"{trainer.step} of {trainer.spec.steps} steps of {named} are kept"
