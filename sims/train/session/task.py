"""What is learned, and what it is learned in: a task, and the session of one training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import torch

from bridges.reasoning.reasoner import Reasoner
from sims.config.puzzles import PuzzleTrainConfig
from sims.config.train import TrainConfig
from sims.store.provenance import git_commit
from sims.train.loop.device import chosen_device
from sims.train.loop.processes import World
from sims.train.loop.trainer import Trainer
from sims.train.session.course import Point, follow, resume
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import Interrupt
from sims.train.session.stage import Stage
from sims.train.session.tensorboard import Board

__all__ = ["Session", "Task"]

Made = TypeVar("Made")
Config: TypeAlias = TrainConfig | PuzzleTrainConfig


class Task(Protocol):
    """What a training learns: puzzles, or what spikes mean."""

    @property
    def config(self) -> Config:
        """What to train, and how."""

    def identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """All that decides the outcome, JSON-ready, with `config`: what was asked for.

        Called before anything is written, so what is not there to learn from is refused here.
        """

    def train(self, session: Session) -> dict[str, Any]:
        """Train what is not trained yet, in every process, and give what the first one found.

        Raises:
            Stopped: if `session.interrupt` asked for it; what is done is kept.
        """

    def summary(self, outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterable[str]:
        """Lines that say what came of it."""


@dataclass(frozen=True, eq=False)
class Session:
    """What a task trains in.

    Attributes:
        asked: The resolved config, without where things lie.
        config_hash: Of the whole config.
    """

    config: Config
    asked: Mapping[str, Any]
    config_hash: str
    folder: TrainingFolder
    world: World
    stage: Stage
    interrupt: Interrupt

    @property
    def cache(self) -> Path:
        """The folder of what is made once and learned from by many trainings."""
        return Path(self.config.output.cache or self.folder.path.parent / "datasets")

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return chosen_device(self.config.training.device, self.world.local_rank)

    def shared(self, make: Callable[[], Made]) -> Made:
        """What `make` reads, or makes if it is not there: the first process before the others."""
        if self.world.first:
            made = make()
            self.world.wait()
            return made
        self.world.wait()
        return make()

    def follow(
        self,
        trainer: Trainer,
        arm: str,
        *,
        config_hash: str,
        what: str,
        point: Callable[[Reasoner], Point],
        keep_best: Callable[[Reasoner, int], None] | None = None,
        told: Callable[[Point, Callable[..., None]], None] = lambda found, show: None,
    ) -> None:
        """Train to the last step, from where the last checkpoint left this model.

        Args:
            config_hash: By which its checkpoint knows it.
            what: Stands at the bar.
            told: Called with each point of the curve, and the bar to show it at.
            point, keep_best: See `sims.train.session.course.follow`.
        """
        spec, stage = trainer.spec, self.stage
        if spec.compile:
            with stage.timed("compile"), stage.bar("compiling, and comparing with eager"):
                trainer.compile()
        resume(trainer, self.folder, arm, config_hash=config_hash)
        wanted = self.config.output.tensorboard and self.world.first
        writer = Board(self.folder, wanted, trainer.step, arm)
        with stage.timed("train"), writer, stage.bar(what, spec.steps, trainer.step) as show:

            def shown(found: Point) -> None:
                writer.write(found)
                told(found, show)

            follow(
                trainer, self.folder, arm, point=point, keep_best=keep_best,
                interrupt=self.interrupt, progress=show, told=shown,
                about={"config_hash": config_hash, "git_commit": git_commit()},
            )  # fmt: skip
