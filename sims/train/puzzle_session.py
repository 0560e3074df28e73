"""One training on puzzles from beginning to end: puzzles, model, training, what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridges.reasoning.evaluation import refinement
from bridges.reasoning.reasoner import Reasoner, parameter_count
from sims.config.puzzles import PuzzleTrainConfig
from sims.dataset.build import Stopped
from sims.puzzles.puzzle_set import PuzzleSet
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.arc_vote import voted
from sims.train.course import follow, resume
from sims.train.device import chosen_device, torch_threads
from sims.train.folder import TrainingFolder
from sims.train.interrupt import Interrupt, catch_interrupt
from sims.train.measure import measured
from sims.train.processes import World, launched
from sims.train.puzzle_data import digest_of, examples_of, held_out, puzzle_set
from sims.train.puzzle_model import TASK, PuzzleModel, new_reasoner, save_puzzle_model, settings_of
from sims.train.source import as_batch, puzzle_source
from sims.train.stage import Stage
from sims.train.tensorboard import Board
from sims.train.trainer import Trainer
from sims.train.trees import mapped

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PuzzleSession"]

ARM = ""  # the only model of its folder


class PuzzleSession:
    """A training of `config` in `out`.

    Args:
        config: What to train.
        about: JSON-ready provenance: `config` (resolved), `config_hash`, `config_text`,
            `config_path`, `overrides`.
        out: Its folder, new or one in which the same training was stopped.
        console: Where progress and outcome are shown.
    """

    def __init__(
        self, config: PuzzleTrainConfig, about: dict[str, Any], out: Path, console: Console
    ) -> None:
        self.config, self.about, self.out, self.console = config, about, out, console
        self.folder = TrainingFolder(out)

    def run(self) -> int:
        """Train, or go on, or say that it is done.

        Returns:
            0; 130 after ctrl-C or 143 after SIGTERM, when all that was done is kept.

        Raises:
            ConfigError: if a GPU is asked for that is not there, or two settings contradict.
            StoreError: if `out` holds something else, or a file is damaged or cannot be written.
            TrainingError: if a number is not finite.
        """
        device = chosen_device(self.config.training.device)
        with launched(device.type) as world:
            stage = Stage(self.console, quiet=not world.first)
            known = self._claim() if world.first else False
            world.wait()
            if self.folder.result_file.is_file():
                stage.say(f"already trained: {self.folder.result_file}")
                return 0
            if known:
                stage.say(f"going on with the training in {self.out}")
            with catch_interrupt() as interrupt, torch_threads(self.config.training.threads):
                try:
                    self._train(world, stage, interrupt)
                except Stopped as stopped:
                    stage.say(
                        f"stopped: {stopped} in {self.out}; the same command goes on from there"
                    )
                    return interrupt.status
        return 0

    def _claim(self) -> bool:
        return self.folder.claim({
            **self.identity,
            "about": {
                **{key: value for key, value in self.about.items() if key != "config"},
                "versions": versions(), "git_commit": git_commit(),
            },
        })  # fmt: skip

    @property
    def identity(self) -> dict[str, Any]:
        """What was asked for, JSON-ready; where puzzles are read from does not matter."""
        chosen = {key: value for key, value in self.about["config"].items() if key != "output"}
        chosen["data"] = {key: value for key, value in chosen["data"].items() if key != "path"}
        return {"config": chosen}

    def _training_hash(self, puzzles: PuzzleSet) -> str:
        """By which a checkpoint knows its training: what was asked for, and the puzzles."""
        text = json.dumps([self.identity, digest_of(puzzles)], sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    def _train(self, world: World, stage: Stage, interrupt: Interrupt) -> None:
        config, training = self.config, self.config.training
        puzzles = self._puzzles(world, stage)
        settings = settings_of(config, puzzles.format)
        device = chosen_device(training.device, world.local_rank)
        trainer = Trainer(
            new_reasoner(settings, seed=config.seed).to(device),
            puzzle_source(puzzles, seed=config.seed, puzzle_vectors=config.reasoner.puzzle_vectors),
            training, seed=config.seed, world=world,
        )  # fmt: skip
        if training.compile:
            with stage.timed("compile"), stage.bar("compiling, and comparing with eager"):
                trainer.compile()
        training_hash = self._training_hash(puzzles)
        resume(trainer, self.folder, ARM, config_hash=training_hash)
        chosen, tested = held_out(
            puzzles.test, validation=config.evaluation.validation, seed=config.seed
        )

        def measure(
            model: Reasoner, groups: NDArray[np.int64], *, halting: bool = False
        ) -> dict[str, Any]:
            return measured(
                model, puzzles.test, puzzles.format, examples_of(puzzles.test, groups),
                batch=config.evaluation.batch, halting=halting, world=world,
            )  # fmt: skip

        def point(model: Reasoner) -> dict[str, float]:
            found = measure(model, chosen)
            # Cells break ties while no board is whole yet.
            return {
                "test_loss": found["loss"], "test_accuracy": found["accuracy"],
                "test_cells": found["cells"], "score": found["accuracy"] + 1e-3 * found["cells"],
            }  # fmt: skip

        def keep_best(model: Reasoner, step: int) -> None:
            save_puzzle_model(self.folder.best_file, self._model(model, puzzles, step))

        writer = Board(self.folder, config.output.tensorboard and world.first, trainer.step)
        with (
            stage.timed("train"),
            writer,
            stage.bar("training", training.steps, trainer.step) as show,
        ):

            def told(found: Mapping[str, float]) -> None:
                writer.write(found)
                show(note=f"{found['test_accuracy']:.1%} solved")
                stage.note(
                    f"step {found['step']} of {training.steps}: loss {found['loss']:.4f}, "
                    f"{found['test_accuracy']:.1%} solved whole, {found['test_cells']:.1%} of cells"
                )

            follow(
                trainer, self.folder, ARM, point=point, keep_best=keep_best, interrupt=interrupt,
                about={"config_hash": training_hash, "git_commit": git_commit()},
                progress=show, told=told,
            )  # fmt: skip
        self._conclude(trainer, puzzles, tested, measure, stage)

    def _puzzles(self, world: World, stage: Stage) -> PuzzleSet:
        """The first process makes them, if they are not there; then all read them."""
        config = self.config
        folder = Path(config.output.cache or self.out.parent / "datasets")
        with stage.timed("data"), stage.bar("puzzles") as show:
            if world.first:
                puzzle_set(config.data, seed=config.seed, folder=folder, progress=show)
            world.wait()
            return puzzle_set(config.data, seed=config.seed, folder=folder)[0]

    def _model(self, model: Reasoner, puzzles: PuzzleSet, step: int) -> PuzzleModel:
        about = {
            "name": self.config.name, "config_hash": self.about["config_hash"], "step": step
        }  # fmt: skip
        return PuzzleModel(model, puzzles.format, about)

    def _conclude(
        self,
        trainer: Trainer,
        puzzles: PuzzleSet,
        tested: NDArray[np.int64],
        measure: Callable[..., dict[str, Any]],
        stage: Stage,
    ) -> None:
        """Measure the best weights on puzzles that chose nothing, and write what was found."""
        from sims.train import load_model

        last = trainer.ema.model
        if trainer.world.first:
            save_puzzle_model(self.folder.model_file, self._model(last, puzzles, trainer.step))
        trainer.world.wait()
        best = load_model(self.folder.best_file).model.to(trainer.device)
        with stage.timed("evaluate"):
            sets = {
                "best": measure(best, tested), "last": measure(last, tested),
                "halting": measure(best, tested, halting=True),
            }  # fmt: skip
            votes, vote = self.config.evaluation.votes, None
            if votes is not None:
                vote = voted(
                    best, puzzles, tested, votes=votes, batch=self.config.evaluation.batch,
                    world=trainer.world,
                )  # fmt: skip
        if not trainer.world.first:
            return
        example = _example(best, puzzles, tested)
        log = [{key: value for key, value in entry.items() if key != "arm"}
               for entry in self.folder.read_log()]  # fmt: skip
        outcome = {
            "format": "ember-training", "version": 1, "task": TASK,
            "name": self.config.name, "seed": self.config.seed,
            "config_hash": self.about["config_hash"], "git_commit": git_commit(),
            "versions": versions(), "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": {
                "kind": puzzles.format.kind, "rows": puzzles.format.rows,
                "columns": puzzles.format.columns, "box": puzzles.format.box,
                "train": puzzles.train.n_groups, "test": int(tested.size),
                "examples": len(puzzles.train),
            },
            "reasoner": {"parameters": parameter_count(best), "budget": best.settings.steps_max},
            "best_step": trainer.best[1] if trainer.best else trainer.step,
            "sets": sets,
            "vote": vote,
            "curve": {key: [entry[key] for entry in log] for key in log[0]},
            "example": example,
            "timings": {what: round(taken, 3) for what, taken in stage.timings.items()},
        }  # fmt: skip
        self._draw(outcome)
        write_json(self.folder.result_file, outcome, force=True)
        self._summarise(outcome, puzzles, stage)

    def _draw(self, outcome: dict[str, Any]) -> None:
        from sims.report import figures
        from sims.store.atomic import write_bytes

        picture = figures.png(figures.puzzle_curves(outcome))
        write_bytes(self.folder.curve_file, picture, force=True)

    def _summarise(self, outcome: dict[str, Any], puzzles: PuzzleSet, stage: Stage) -> None:
        from sims.terminal.puzzle_boards import boards

        example = outcome["example"]
        puzzle, answer, truth = (
            np.array(example[name]) for name in ("puzzle", "answer", "solution")
        )
        width = stage.console.width
        stage.show(boards(puzzles.format, puzzle, answer, width=width, truth=truth))
        found, halting = outcome["sets"]["best"], outcome["sets"]["halting"]
        low, high = found["interval"]
        stage.say(
            f"{found['right']} of {found['of']} held-out puzzles solved whole: "
            f"{found['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}), "
            f"{found['cells']:.2%} of cells, in {found['steps']:.0f} steps of thinking"
        )
        stage.say(
            f"when it may stop by itself: {halting['accuracy']:.1%} in {halting['steps']:.1f} "
            f"steps; weights of step {outcome['best_step']}, best by validation"
        )
        if vote := outcome["vote"]:
            stage.say(
                f"ARC's score, two attempts by a vote of up to {vote['votes']} augmentations: "
                f"{vote['score']:.1%} of {vote['n_tasks']} tasks"
            )
        stage.say(f"written: {self.folder.result_file}, {self.folder.curve_file}")
        stage.say(f"see it with: ember report {self.out}")


def _example(model: Reasoner, puzzles: PuzzleSet, groups: NDArray[np.int64]) -> dict[str, Any]:
    """A puzzle, its solution, and the answer after each step of thinking."""
    examples = examples_of(puzzles.test, groups)[:1]
    batch = as_batch(
        puzzles.test, puzzles.format, examples, puzzle_vectors=model.puzzles is not None
    )
    course = refinement(model, mapped(batch, lambda part: part.to(model.start_y.device)))
    steps = course.predictions[:, 0].cpu().numpy()
    return {
        "puzzle": np.asarray(puzzles.test.inputs[examples[0]]).tolist(),
        "solution": batch.labels[0].tolist(),
        "answer": steps[-1].tolist(),
        "steps": steps.tolist(),
        "halt": course.halt[:, 0].cpu().tolist(),
    }
