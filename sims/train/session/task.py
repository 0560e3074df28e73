"""What is learned, and what it is learned in: a task, and the session of one training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import torch

from bridges.reasoning.reasoner import Reasoner
from sims.config.puzzles import PuzzleTrainConfig
from sims.config.train import TrainConfig
from sims.dataset.build import Stopped
from sims.store.provenance import git_commit
from sims.train.loop.device import chosen_device
from sims.train.loop.processes import ProcessError, World
from sims.train.loop.trainer import Trainer
from sims.train.session.course import Point, follow, resume
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import Interrupt
from sims.train.session.stage import Stage
from sims.train.session.tensorboard import Board

__all__ = ["Session", "Task", "together"]

Made = TypeVar("Made")
Config: TypeAlias = TrainConfig | PuzzleTrainConfig

_FAILED = 1  # below every exit status that says who asked to stop


class Task(Protocol):
    """What a training learns: puzzles, or what spikes mean."""

    @property
    def config(self) -> Config:
        """What to train, and how."""

    def identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """All that decides the outcome, JSON-ready, with `config`: what was asked for, but for
        where things lie whose content is known.

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
        asked: The resolved config that the folder was started with, without where things lie.
            What it leaves free, such as the device, may be another in `config`.
        config_hash: Of the whole config that the folder was started with.
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
        world = self.world
        return chosen_device(self.config.training.device, world.local_rank, world.local_size)

    def shared(self, make: Callable[[], Made]) -> Made:
        """What `make` reads, or makes if it is not there: the first process before the others.

        Raises:
            Stopped, ProcessError: as `together`.
        """
        made: list[Made] = []
        for first in (True, False):
            with together(self.world, self.interrupt):
                if self.world.first == first:
                    made.append(make())
        return made[0]

    def alike(self, make: Callable[[], Made]) -> Made:
        """What every process makes for itself; `make` may end with `Stopped` in some of them.

        Raises:
            Stopped, ProcessError: as `together`.
        """
        with together(self.world, self.interrupt):
            return make()

    def stop_if_asked(self, kept: str) -> None:
        """End what this process does, for itself, between two parts of it.

        Raises:
            Stopped: if the user, or the batch system, has asked to; it says what is kept.
        """
        if self.interrupt.asked:
            raise Stopped(kept)

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


@contextmanager
def together(world: World, interrupt: Interrupt) -> Iterator[None]:
    """A part at whose end the processes meet: where one fails or stops in it, all of them end.

    Nothing may be exchanged within the block, as not all may come to it.

    Raises:
        Stopped: if another process stopped.
        ProcessError: if another process failed; it says why itself.
    """
    try:
        yield
    except Exception as error:
        with suppress(ProcessError):  # it is this one's error that is to be said
            world.highest(interrupt.status if isinstance(error, Stopped) else _FAILED)
        raise
    found = world.highest(0)
    if found == _FAILED:
        raise ProcessError("another process of this training could not go on; see what it said")
    if found:
        interrupt.status = found
        raise Stopped("what was done before is kept")
