"""Learning to solve puzzles: the puzzles, one reasoner, and what chooses among its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.reasoning.reasoner import Reasoner
from sims.config.puzzles import PuzzleTrainConfig
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet
from sims.train.loop.trainer import Trainer
from sims.train.loop.untrained import new_reasoner
from sims.train.puzzles.arc_vote import check_votable
from sims.train.puzzles.data import digest_of, examples_of, held_out, puzzle_set
from sims.train.puzzles.measure import measured
from sims.train.puzzles.model import PuzzleModel, save_puzzle_model, settings_of
from sims.train.puzzles.results import conclude, summary
from sims.train.puzzles.source import puzzle_source
from sims.train.session.course import Point
from sims.train.session.folder import TrainingFolder
from sims.train.session.task import Session

__all__ = ["PuzzleTask"]

ARM = ""  # the only model of its folder

# By which settings that contradict are refused before puzzles are made, which can take long.
ANY_FORMAT = PuzzleFormat("other", rows=1, columns=1, vocabulary=2)


class PuzzleTask:
    """What a training on puzzles does in a session; see `sims.train.session.task.Task`."""

    def __init__(self, config: PuzzleTrainConfig) -> None:
        self.config = config

    def identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        # Where puzzles are read from does not matter.
        data = {key: value for key, value in asked["data"].items() if key != "path"}
        return {"config": {**asked, "data": data}}

    def train(self, session: Session) -> dict[str, Any]:
        config, stage = self.config, session.stage
        settings_of(config, ANY_FORMAT)
        with stage.timed("data"), stage.bar("puzzles") as show:

            def progress(done: int, of: int) -> None:
                show(done, of)
                session.stop_if_asked(f"{done} of {of} puzzles were made, none of them is kept")

            puzzles, _ = session.shared(lambda: puzzle_set(
                config.data, seed=config.seed, folder=session.cache, progress=progress
            ))  # fmt: skip
        if config.evaluation.votes is not None:
            check_votable(puzzles)
        trainer = Trainer(
            new_reasoner(settings_of(config, puzzles.format), seed=config.seed).to(session.device),
            puzzle_source(puzzles, seed=config.seed, puzzle_vectors=config.reasoner.puzzle_vectors),
            config.training, seed=config.seed, world=session.world,
        )  # fmt: skip
        chosen, tested = held_out(
            puzzles.test, validation=config.evaluation.validation, seed=config.seed
        )

        def measure(
            model: Reasoner, groups: NDArray[np.int64], *, halting: bool = False
        ) -> dict[str, Any]:
            return measured(
                model, puzzles.test, puzzles.format, examples_of(puzzles.test, groups),
                batch=config.evaluation.batch, halting=halting, world=session.world,
                stop=lambda: session.interrupt.asked,
            )  # fmt: skip

        def point(model: Reasoner) -> dict[str, float]:
            found = measure(model, chosen)
            # Cells break ties while no board is whole yet.
            return {
                "test_loss": found["loss"], "test_accuracy": found["accuracy"],
                "test_cells": found["cells"], "score": found["accuracy"] + 1e-3 * found["cells"],
            }  # fmt: skip

        best_file = session.folder.best_file(ARM)

        def keep(model: Reasoner, step: int, file: Path = best_file) -> None:
            about = {"name": config.name, "config_hash": session.config_hash, "step": step}
            save_puzzle_model(file, PuzzleModel(model, puzzles.format, about))

        def told(found: Point, show: Callable[..., None]) -> None:
            show(note=f"{found['test_accuracy']:.1%} solved")
            stage.note(
                f"step {found['step']} of {config.training.steps}: loss {found['loss']:.4f}, "
                f"{found['test_accuracy']:.1%} solved whole, {found['test_cells']:.1%} of cells"
            )

        session.follow(
            trainer, ARM, config_hash=_training_hash(self.identity(session.asked), puzzles),
            what="training", point=point, keep_best=keep, told=told,
        )  # fmt: skip
        if session.world.first:
            keep(trainer.ema.model, trainer.step, session.folder.model_file)
        session.world.wait()
        return conclude(session, config.evaluation, trainer, puzzles, tested, measure)

    def summary(self, outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterator[str]:
        return summary(outcome, folder)


def _training_hash(identity: Mapping[str, Any], puzzles: PuzzleSet) -> str:
    """By which a checkpoint knows its training: what was asked for, and the puzzles."""
    text = json.dumps([identity, digest_of(puzzles)], sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
