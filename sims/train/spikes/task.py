"""Learning what spikes mean: one reasoner, and beside it the same without what it might live on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from bridges.reasoning.modulation import budget_factor
from bridges.reasoning.reasoner import Reasoner
from sims.config.train import TrainConfig
from sims.dataset.build import dataset_file, identity, material, spike_dataset
from sims.train.loop.trainer import Trainer
from sims.train.session.folder import TrainingFolder
from sims.train.session.task import Session
from sims.train.spikes.arms import ARMS, arm_data, keys_of
from sims.train.spikes.model import TrainedModel, new_model
from sims.train.spikes.results import conclude, score
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
        trained = {arm: self._trained(arm, seen, session) for arm in keys_of(config.arms)}
        if not session.world.first:
            return {}
        with stage.timed("evaluate"):
            return conclude(
                config, trained, seen, session.folder,
                factor=self._factor, config_hash=session.config_hash, data_file=file,
                pause=lambda: session.stop_if_asked("all steps of all models are kept"),
            )  # fmt: skip

    def _trained(self, arm: str, seen: Seen, session: Session) -> TrainedModel:
        config, training = self.config, self.config.training
        met = arm_data(arm, seen, seed=config.seed)
        inputs, labels = met.inputs(), met.labels
        train, test = (torch.from_numpy(seen.data.where(split)) for split in ("train", "test"))
        model = new_model(
            config.reasoner, seen.layout, n_tokens=inputs.shape[1],
            n_classes=len(seen.data.classes), seed=config.seed, training=training,
        ).to(session.device)  # fmt: skip
        source = SpikeSource(inputs[train], labels[train], seed=config.seed, noise=training.noise)
        trainer = Trainer(model, source, training, seed=config.seed, world=session.world)

        def point(average: Reasoner) -> dict[str, float]:
            loss, right = session.alike(lambda: score(
                average, inputs[test], labels[test], budget=config.reasoner.budget,
                pause=lambda: session.stop_if_asked("what was trained is kept"),
            ))  # fmt: skip
            return {"test_loss": loss, "test_accuracy": right}

        session.follow(
            trainer, arm, config_hash=session.config_hash, what=f"training on {ARMS[arm]}",
            point=point,
        )  # fmt: skip
        return TrainedModel(
            trainer.ema.model, met.scale, seen.layout, config.reasoner, inputs.shape[1],
            seen.data.classes, counts_only=met.counts_only,
        )  # fmt: skip

    @cached_property
    def _factor(self) -> float:
        """The modulator's factor, from the config or from the run it names."""
        modulation = self.config.modulation
        if modulation.run is None:
            return 1.0 if modulation.budget is None else modulation.budget
        from sims.store import read_run

        return budget_factor(read_run(Path(modulation.run).expanduser()).recording)

    def summary(self, outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterator[str]:
        for arm, model in outcome["models"].items():
            test = model["sets"]["test"]
            low, high = test["interval"]
            yield (
                f"{ARMS[arm]}: {test['accuracy']:.1%} of {test['of']} held-out items right "
                f"(95 % interval {low:.1%} to {high:.1%})"
            )
        modulation, reasoner = outcome["modulation"], outcome["reasoner"]
        yield (
            f"always the commonest answer: {outcome['baseline']['test']['accuracy']:.1%}; "
            f"thinking steps: {modulation['budget']} of {reasoner['budget']} "
            f"(modulation factor {modulation['factor']:.3g})"
        )
        yield f"written: {folder.result_file}"
