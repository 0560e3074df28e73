"""One training from beginning to end, whatever it learns; stoppable anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import torch

from bridges.reasoning.reasoner import Reasoner
from sims.config.puzzles import PuzzleTrainConfig
from sims.config.train import TrainConfig
from sims.dataset.build import Stopped
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.course import Point, follow, resume
from sims.train.device import chosen_device, torch_threads
from sims.train.folder import TrainingFolder
from sims.train.interrupt import Interrupt, catch_interrupt
from sims.train.processes import World, launched
from sims.train.stage import Stage
from sims.train.tensorboard import Board
from sims.train.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Session", "Task", "run_session"]

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
            point, keep_best: See `sims.train.course.follow`.
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


def run_session(task: Task, about: Mapping[str, Any], out: Path, console: Console) -> int:
    """Train, or go on, or say that it is done; see `sims.train.run_training`.

    `about` is JSON-ready: `config` (resolved), `config_hash`, and what else is worth keeping.
    """
    config, folder = task.config, TrainingFolder(out)
    asked = {key: value for key, value in about["config"].items() if key != "output"}
    with launched(chosen_device(config.training.device).type) as world:
        stage = Stage(console, quiet=not world.first)
        started = {**about, "versions": versions(), "git_commit": git_commit()}
        del started["config"]
        known = world.first and folder.claim({**task.identity(asked), "about": started})
        world.wait()
        if folder.result_file.is_file():
            stage.say(f"already trained: {folder.result_file}")
            return 0
        if known:
            stage.say(f"going on with the training in {out}")
        with catch_interrupt() as interrupt, torch_threads(config.training.threads):
            session = Session(
                config, asked, about["config_hash"], folder, world, stage, interrupt
            )  # fmt: skip
            try:
                found = task.train(session)
            except Stopped as stopped:
                stage.say(f"stopped: {stopped} in {out}; the same command goes on from there")
                return interrupt.status
            if world.first:
                outcome = _outcome(session, found)
                write_json(folder.result_file, outcome, force=True)
                for line in task.summary(outcome, folder):
                    stage.say(line)
    return 0


def _outcome(session: Session, found: Mapping[str, Any]) -> dict[str, Any]:
    """The whole result: what was found, and of which training it is."""
    return {
        "format": "ember-training", "version": 1,
        "name": session.config.name, "seed": session.config.seed,
        "config_hash": session.config_hash, "git_commit": git_commit(), "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **found,
        "timings": {what: round(taken, 3) for what, taken in session.stage.timings.items()},
    }  # fmt: skip
