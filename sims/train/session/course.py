"""The course of one training: steps, points of its curve, checkpoints; stoppable after any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch

from bridges.reasoning.reasoner import Reasoner
from neuro.errors import StoreError
from sims.dataset.build import Stopped
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.loop.trainer import Trainer
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import Interrupt

__all__ = ["Point", "follow", "resume"]

Point: TypeAlias = Mapping[str, float]


def resume(trainer: Trainer, folder: TrainingFolder, arm: str, *, config_hash: str) -> None:
    """Bring the trainer, and the log, to where the last checkpoint left them, if there is one.

    Every process reads the checkpoint; the first one mends the log.

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
            trainer.restore(tensors, header["state"])
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise StoreError(
                f"`{file}` must be a checkpoint of this training, found tensors that do not fit "
                "its model; delete it to start over"
            ) from None
    if trainer.world.first:
        folder.rewind_log(arm, trainer.step)


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
    does both again, to the same end.

    Args:
        point: Measures the averaged weights. Where `keep_best` is given, `score` is what counts.
        keep_best: Called with the averaged weights and the step, whenever no score was higher.
        about: Kept in the checkpoint: `config_hash`, by which `resume` knows it, `git_commit`.
        progress: Called with the steps done.
        told: Called with each point of the curve.

    Raises:
        Stopped: if an interrupt was asked for; the step in hand is finished and kept.
        TrainingError: if a number is not finite; the last checkpoint stays as it was.
        StoreError: if a file cannot be written; the last one stays as it was.
    """
    spec, world = trainer.spec, trainer.world
    while trainer.step < spec.steps:
        rate = trainer.rate
        trainer.advance()
        step = trainer.step
        progress(step)
        at_end = step == spec.steps
        if step % spec.evaluate_every == 0 or at_end:
            found = {"step": step, "rate": rate, **trainer.averages(), **point(trainer.ema.model)}
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
            raise Stopped(f"{step} of {spec.steps} steps of {_named(arm)} are kept")


def _save(trainer: Trainer, folder: TrainingFolder, arm: str, about: Mapping[str, Any]) -> None:
    tensors, state = trainer.state()
    if trainer.world.first:
        header = {"arm": arm, **about, "state": state}
        write_tensors(folder.checkpoint_file(arm), tensors, header, kind="checkpoint")


def _named(arm: str) -> str:
    return f"the model `{arm}`" if arm else "the model"
