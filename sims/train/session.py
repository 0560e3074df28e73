"""One training from beginning to end: data, features, models, results; stoppable anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bridges.reasoning.modulation import budget_factor
from bridges.reasoning.reasoner import Reasoner
from sims.config.train import TrainConfig
from sims.dataset.build import Stopped, dataset_file, identity, material, spike_dataset
from sims.dataset.spike_dataset import SpikeDataset
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.arms import ARMS, arm_data, keys_of
from sims.train.course import follow, resume
from sims.train.device import chosen_device, torch_threads
from sims.train.folder import TrainingFolder
from sims.train.interrupt import Interrupt, catch_interrupt
from sims.train.model_file import TrainedModel, new_model
from sims.train.processes import World, launched
from sims.train.results import conclude, score
from sims.train.source import SpikeSource
from sims.train.stage import Stage
from sims.train.tensorboard import Board
from sims.train.tensors import Seen, layout_of
from sims.train.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Session"]


class Session:
    """A training of `config` in `out`.

    Args:
        config: What to train.
        about: JSON-ready provenance: `config` (resolved), `config_hash`, `config_text`,
            `config_path`, `overrides`.
        out: Its folder, new or one in which the same training was stopped.
        console: Where progress and outcome are shown.
    """

    def __init__(
        self, config: TrainConfig, about: dict[str, Any], out: Path, console: Console
    ) -> None:
        self.config, self.about, self.out, self.console = config, about, out, console
        self.folder = TrainingFolder(out)

    def run(self) -> int:
        """Train, or go on, or say that it is done.

        Returns:
            0; 130 after ctrl-C or 143 after SIGTERM, when all that was done is kept.

        Raises:
            ConfigError: if the sounds, the modulating run or a GPU asked for are not there.
            StoreError: if `out` holds something else or cannot be written.
            TrainingError: if a number is not finite.
        """
        factor = self._factor()
        device = chosen_device(self.config.training.device)
        with launched(device.type) as world:
            stage = Stage(self.console, quiet=not world.first)
            known = self._claim(factor) if world.first else False
            world.wait()
            if self.folder.result_file.is_file():
                stage.say(f"already trained: {self.folder.result_file}")
                return 0
            if known:
                stage.say(f"going on with the training in {self.out}")
            with catch_interrupt() as interrupt, torch_threads(self.config.training.threads):
                try:
                    outcome = self._train(factor, world, stage, interrupt)
                except Stopped as stopped:
                    stage.say(
                        f"stopped: {stopped} in {self.out}; the same command goes on from there"
                    )
                    return interrupt.status
            if world.first:
                self._summarise(outcome, stage)
        return 0

    def _claim(self, factor: float) -> bool:
        config, seed = self.config, self.config.seed
        sounds = identity(config.data, material(config.data, seed=seed), seed=seed)
        return self.folder.claim({
            "config": {key: value for key, value in self.about["config"].items()
                       if key != "output"},
            "data_set": dataset_file(Path(), sounds).stem,
            "budget_factor": factor,
            "about": {
                **{key: value for key, value in self.about.items() if key != "config"},
                "versions": versions(), "git_commit": git_commit(),
            },
        })  # fmt: skip

    def _train(
        self, factor: float, world: World, stage: Stage, interrupt: Interrupt
    ) -> dict[str, Any]:
        config = self.config
        with stage.timed("data"), stage.bar("hearing the sounds") as show:
            data, file = self._data(world, interrupt, show)
        with stage.timed("features"), stage.bar("features of the spikes") as show:
            layout = layout_of(config.features, config.data.nerve)
            seen = Seen.of(data, layout, seed=config.seed, bare="untimed" in config.arms,
                           progress=show, stop=lambda: interrupt.asked)  # fmt: skip
        with stage.timed("train"):
            trained = {arm: self._train_one(arm, seen, world, stage, interrupt)
                       for arm in keys_of(config.arms)}  # fmt: skip
        if not world.first:
            return {}
        with stage.timed("evaluate"):
            outcome = conclude(
                config, trained, seen, self.folder,
                factor=factor, config_hash=self.about["config_hash"], data_file=file,
            )  # fmt: skip
        outcome["timings"] = {what: round(taken, 3) for what, taken in stage.timings.items()}
        write_json(self.folder.result_file, outcome, force=True)
        return outcome

    def _data(
        self, world: World, interrupt: Interrupt, show: Callable[[int, int], None]
    ) -> tuple[SpikeDataset, Path]:
        """The first process makes them, if they are not there; then all read them."""

        def made() -> tuple[SpikeDataset, Path]:
            return spike_dataset(
                self.config.data,
                seed=self.config.seed,
                folder=Path(self.config.output.cache or self.out.parent / "datasets"),
                progress=show,
                stop=lambda: interrupt.asked,
            )

        if world.size == 1:
            return made()
        if world.first:
            made()
        world.wait()
        return made()

    def _train_one(
        self, arm: str, seen: Seen, world: World, stage: Stage, interrupt: Interrupt
    ) -> TrainedModel:
        config, training = self.config, self.config.training
        met = arm_data(arm, seen, seed=config.seed)
        inputs, labels = met.inputs(), met.labels
        train, test = (torch.from_numpy(seen.data.where(split)) for split in ("train", "test"))
        model = new_model(
            config.reasoner, seen.layout, n_tokens=inputs.shape[1],
            n_classes=len(seen.data.classes), seed=config.seed, training=training,
        ).to(chosen_device(training.device, world.local_rank))  # fmt: skip
        source = SpikeSource(inputs[train], labels[train], seed=config.seed, noise=training.noise)
        trainer = Trainer(model, source, training, seed=config.seed, world=world)
        if training.compile:
            with stage.bar("compiling, and comparing with eager"):
                trainer.compile()
        config_hash = self.about["config_hash"]
        resume(trainer, self.folder, arm, config_hash=config_hash)

        def point(average: Reasoner) -> dict[str, float]:
            loss, right = score(average, inputs[test], labels[test], budget=config.reasoner.budget)
            return {"test_loss": loss, "test_accuracy": right}

        writer = Board(self.folder, config.output.tensorboard and world.first, trainer.step, arm)
        with (
            writer,
            stage.bar(f"training on {ARMS[arm]}", training.steps, trainer.step) as show,
        ):
            follow(
                trainer, self.folder, arm, point=point, interrupt=interrupt,
                about={"config_hash": config_hash, "git_commit": git_commit()},
                progress=show, told=writer.write,
            )  # fmt: skip
        return TrainedModel(
            trainer.ema.model, met.scale, seen.layout, config.reasoner, inputs.shape[1],
            seen.data.classes, counts_only=met.counts_only,
        )  # fmt: skip

    def _factor(self) -> float:
        """The modulator's factor, from the config or from the run it names."""
        modulation = self.config.modulation
        if modulation.run is None:
            return 1.0 if modulation.budget is None else modulation.budget
        from sims.store import read_run

        return budget_factor(read_run(Path(modulation.run).expanduser()).recording)

    def _summarise(self, outcome: dict[str, Any], stage: Stage) -> None:
        for arm, model in outcome["models"].items():
            test = model["sets"]["test"]
            low, high = test["interval"]
            stage.say(
                f"{ARMS[arm]}: {test['accuracy']:.1%} of {test['of']} held-out items right "
                f"(95 % interval {low:.1%} to {high:.1%})"
            )
        modulation, reasoner = outcome["modulation"], outcome["reasoner"]
        stage.say(
            f"always the commonest answer: {outcome['baseline']['test']['accuracy']:.1%}; "
            f"thinking steps: {modulation['budget']} of {reasoner['budget']} "
            f"(modulation factor {modulation['factor']:.3g})"
        )
        stage.say(f"written: {self.folder.result_file}")
