"""One training from beginning to end: data, features, two models, results; stoppable anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bridges.reasoning.modulation import budget_factor
from sims.config.train import TrainConfig
from sims.dataset.build import Stopped, dataset_file, identity, material, spike_dataset
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.arm import resume, train_arm
from sims.train.folder import TrainingFolder
from sims.train.interrupt import EXIT_INTERRUPTED, Interrupt, catch_interrupt
from sims.train.learner import Learner, Settings
from sims.train.model_file import TrainedModel, new_model
from sims.train.results import ARMS, conclude
from sims.train.tensors import Seen, blanked, layout_of

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
        self.timings: dict[str, float] = {}

    def run(self) -> int:
        """Train, or go on, or say that it is done.

        Returns:
            0, or 130 after ctrl-C, when all that was done is kept.

        Raises:
            ConfigError: if the sounds or the modulating run are not there.
            StoreError: if `out` holds something else or cannot be written.
        """
        factor = self._factor()
        known = self._claim(factor)
        if known and self.folder.result_file.is_file():
            self._say(f"already trained: {self.folder.result_file}")
            return 0
        if known:
            self._say(f"going on with the training in {self.out}")
        with catch_interrupt() as interrupt, _torch_threads(self.config.training.threads):
            try:
                outcome = self._train(factor, interrupt)
            except Stopped as stopped:
                self._say(f"stopped: {stopped} in {self.out}; the same command goes on from there")
                return EXIT_INTERRUPTED
        self._summarise(outcome)
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

    def _train(self, factor: float, interrupt: Interrupt) -> dict[str, Any]:
        config = self.config
        with self._timed("data"), self._bar("hearing the sounds") as show:
            data, file = spike_dataset(
                config.data,
                seed=config.seed,
                folder=Path(config.output.cache or self.out.parent / "datasets"),
                progress=show,
                stop=lambda: interrupt.asked,
            )
        with self._timed("features"), self._bar("features of the spikes") as show:
            layout = layout_of(config.features, config.data.nerve)
            seen = Seen.of(data, layout, seed=config.seed, progress=show,
                           stop=lambda: interrupt.asked)  # fmt: skip
        with self._timed("train"):
            trained = {arm: self._train_one(arm, seen, interrupt) for arm in ARMS}
        with self._timed("evaluate"):
            outcome = conclude(
                config, trained, seen, self.folder,
                factor=factor, config_hash=self.about["config_hash"], data_file=file,
            )  # fmt: skip
        outcome["timings"] = {what: round(taken, 3) for what, taken in self.timings.items()}
        write_json(self.folder.result_file, outcome, force=True)
        return outcome

    def _train_one(self, arm: str, seen: Seen, interrupt: Interrupt) -> TrainedModel:
        config, training = self.config, self.config.training
        inputs = seen.scale(seen.tokens)
        if arm == "counts":
            inputs = blanked(inputs, seen.layout)
        train, test = (torch.from_numpy(seen.data.where(split)) for split in ("train", "test"))
        model = new_model(
            config.reasoner, seen.layout, n_tokens=inputs.shape[1],
            n_classes=len(seen.data.classes), seed=config.seed,
        )  # fmt: skip
        settings = Settings.of(training, max_steps=config.reasoner.budget, seed=config.seed)
        learner = Learner(model, inputs[train], seen.labels[train], settings)
        config_hash = self.about["config_hash"]
        resume(learner, self.folder, arm, config_hash=config_hash)
        with self._bar(f"training on {ARMS[arm]}", training.steps, learner.step) as show:
            train_arm(
                learner, self.folder, arm,
                held_out=(inputs[test], seen.labels[test]),
                evaluate_every=training.evaluate_every,
                checkpoint_every=training.checkpoint_every,
                interrupt=interrupt,
                about={"config_hash": config_hash, "git_commit": git_commit()},
                progress=show,
            )  # fmt: skip
        return TrainedModel(
            learner.ema.model, seen.scale, seen.layout, config.reasoner, inputs.shape[1],
            seen.data.classes, counts_only=arm == "counts",
        )  # fmt: skip

    def _factor(self) -> float:
        """The modulator's factor, from the config or from the run it names."""
        modulation = self.config.modulation
        if modulation.run is None:
            return 1.0 if modulation.budget is None else modulation.budget
        from sims.store import read_run

        return budget_factor(read_run(Path(modulation.run).expanduser()).recording)

    def _summarise(self, outcome: dict[str, Any]) -> None:
        for arm, model in outcome["models"].items():
            test = model["sets"]["test"]
            low, high = test["interval"]
            self._say(
                f"{ARMS[arm]}: {test['accuracy']:.1%} of {test['of']} held-out items right "
                f"(95 % interval {low:.1%} to {high:.1%})"
            )
        modulation, reasoner = outcome["modulation"], outcome["reasoner"]
        self._say(
            f"always the commonest answer: {outcome['baseline']['test']['accuracy']:.1%}; "
            f"thinking steps: {modulation['budget']} of {reasoner['budget']} "
            f"(modulation factor {modulation['factor']:.3g})"
        )
        self._say(f"written: {self.folder.result_file}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[what] = time.perf_counter() - start

    @contextmanager
    def _bar(
        self, what: str, total: int | None = None, done: int = 0
    ) -> Iterator[Callable[..., None]]:
        """A progress bar; gives a function to call with how much is done, and of how much."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(), console=self.console,
        ) as progress:  # fmt: skip
            task = progress.add_task(what, total=total, completed=done)

            def show(done: int, of: int | None = None) -> None:
                progress.update(task, completed=done, total=total if of is None else of)

            yield show


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
