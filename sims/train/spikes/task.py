"""Learning what spikes mean: one reasoner, and beside it the same without what it might live on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from bridges.reasoning.modulation import budget_factor
from bridges.reasoning.reasoner import Reasoner
from neuro.files.home import expanded
from sims.config.train import TrainConfig
from sims.dataset.build import dataset_file, identity, material, spike_dataset
from sims.train.loop.trainer import Trainer
from sims.train.session.folder import TrainingFolder
from sims.train.session.task import Session
from sims.train.spikes.arms import ARMS, LAST, arm_data, keys_of
from sims.train.spikes.model import TrainedModel, new_model, save_model
from sims.train.spikes.results import conclude, score, summary, validation_score
from sims.train.spikes.source import SpikeSource
from sims.train.spikes.tensors import Seen, layout_of

__all__ = ["SpikeTask"]


class SpikeTask:
    """What a training on spikes does in a session; see `sims.train.session.task.Task`."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def identity(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        data, seed = self.config.data, self.config.seed
        sounds = identity(data, material(data, seed=seed), seed=seed)
        # What is read counts, and not where: recordings by the name of the data set, which is a
        # hash of their content, a run by its factor.
        config = {
            **asked,
            "data": {key: value for key, value in asked["data"].items() if key != "recordings"},
            "modulation": {
                key: value for key, value in asked["modulation"].items() if key != "run"
            },
        }
        return {
            "config": config,
            "data_set": dataset_file(Path(), sounds).stem,
            "budget_factor": self._factor,
        }

    def train(self, session: Session) -> dict[str, Any]:
        config, stage, interrupt = self.config, session.stage, session.interrupt
        with stage.timed("data"), stage.bar("hearing the sounds") as show:
            data, file = session.shared(lambda: spike_dataset(
                config.data, seed=config.seed, folder=session.cache, progress=show,
                stop=lambda: interrupt.asked,
            ))  # fmt: skip
        with stage.timed("features"), stage.bar("features of the spikes") as show:
            layout = layout_of(config.features, config.data.nerve)
            seen = session.alike(lambda: Seen.of(
                data, layout, seed=config.seed, bare="untimed" in config.arms,
                progress=show, stop=lambda: interrupt.asked,
            ))  # fmt: skip
        for arm in keys_of(config.arms):
            self._train(arm, seen, session)
        if not session.world.first:
            return {}
        with stage.timed("evaluate"):
            return conclude(
                config, seen, session.folder, device=session.device,
                factor=self._factor, config_hash=session.config_hash, data_file=file,
                pause=lambda: session.stop_if_asked("all steps of all models are kept"),
            )  # fmt: skip

    def _train(self, arm: str, seen: Seen, session: Session) -> None:
        config, training = self.config, self.config.training
        met = arm_data(arm, seen, seed=config.seed)
        inputs, labels = met.inputs(), met.labels
        train, validation, test = (
            torch.from_numpy(seen.data.where(split)) for split in ("train", "validation", "test")
        )
        model = new_model(
            config.reasoner, seen.layout, n_tokens=inputs.shape[1],
            n_classes=len(seen.data.classes), seed=config.seed, training=training,
        ).to(session.device)  # fmt: skip
        source = SpikeSource(inputs[train], labels[train], seed=config.seed, noise=training.noise)
        best_file = session.folder.best_file(arm)
        trainer = Trainer(model, source, training, seed=config.seed, world=session.world)

        def point(average: Reasoner) -> dict[str, float]:
            def scored(items: torch.Tensor) -> tuple[float, float]:
                return score(
                    average, inputs[items], labels[items], budget=config.reasoner.budget,
                    pause=lambda: session.stop_if_asked("what was trained is kept"),
                )  # fmt: skip

            chosen, tested = session.alike(lambda: (scored(validation), scored(test)))
            found = {
                "validation_loss": chosen[0], "validation_accuracy": chosen[1],
                "test_loss": tested[0], "test_accuracy": tested[1],
            }  # fmt: skip
            return {**found, "score": validation_score(found, len(validation))}

        def keep(model: Reasoner, step: int, file: Path = best_file) -> None:
            trained = TrainedModel(
                model, met.scale, seen.layout, config.reasoner, inputs.shape[1],
                seen.data.classes, counts_only=met.counts_only,
            )  # fmt: skip
            save_model(file, trained, name=config.name, config_hash=session.config_hash, step=step)

        session.follow(
            trainer, arm, config_hash=session.config_hash, what=f"training on {ARMS[arm]}",
            point=point, keep_best=keep,
        )  # fmt: skip
        if session.world.first:
            keep(trainer.ema.model, trainer.step, session.folder.path / LAST[arm])
        session.world.wait()

    @cached_property
    def _factor(self) -> float:
        """The modulator's factor, from the config or from the run it names."""
        modulation = self.config.modulation
        if modulation.run is None:
            return 1.0 if modulation.budget is None else modulation.budget
        from sims.store import read_run

        return budget_factor(read_run(expanded(modulation.run)).recording)

    def summary(self, outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterator[str]:
        return summary(outcome, folder)
