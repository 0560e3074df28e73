"""One training of one arm from one seed, kept after every epoch, and what it came to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bridges.spiking.classifier import SpikingClassifier
from bridges.spiking.fitting import Trainer, answers
from bridges.spiking.frames import scrambled
from bridges.spiking.recurrent import recurrent_network
from neuro.backends.norse.surrogate import Surrogate
from neuro.errors import StoreError
from neuro.files.regular import read_json
from sims.dataset.build import Stopped
from sims.store.atomic import write_json
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.speech.arms import ARMS
from sims.train.speech.heard import Heard, Items
from sims.train.speech.settings import Study
from sims.train.speech.transfer import transferred
from sims.train.statistics import accuracy, confusion

__all__ = ["Trial"]


class Trial:
    """A training that can be stopped between any two epochs.

    Args:
        study: The settings.
        arm: A name of `ARMS`.
        seed: Of weights, order, augmentation and what is scrambled.
        folder: Where its files lie: `<arm>-<seed>.safetensors`, and `.json` when it is done.
    """

    def __init__(self, study: Study, arm: str, seed: int, folder: Path) -> None:
        self.study, self.arm, self.seed = study, ARMS[arm], seed
        self.checkpoint_file = folder / f"{arm}-{seed}.safetensors"
        self.result_file = folder / f"{arm}-{seed}.json"
        self.curve: list[dict[str, float]] = []

    def run(
        self, heard: Heard, *, progress: Callable[[dict[str, float]], None] = lambda point: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:  # fmt: skip
        """Train, or go on, or read what is done; then measure.

        Args:
            progress: Called with each point of the learning curve.

        Raises:
            Stopped: if `stop` said so between two epochs, which are kept.
            StoreError: if a file is damaged or cannot be written.
        """
        if self.result_file.is_file():
            return self._read()
        model = self._model(heard)
        train = self.arm.train(heard, seed=self.seed)
        trainer = Trainer(
            model, train.frames, train.labels, self.study.fitting, seed=self.seed,
            augment=partial(self._augment, n_channels=heard.n_channels),
        )  # fmt: skip
        self._resume(trainer)
        watched = self.arm.tested(heard, heard.validation, seed=self.seed)
        while trainer.epoch < self.study.fitting.epochs:
            if stop():
                raise Stopped(
                    f"{trainer.epoch} of {self.study.fitting.epochs} epochs of `{self.arm.name}`, "
                    f"seed {self.seed}, are kept"
                )
            self._advance(trainer, watched)
            progress(self.curve[-1])
        result = self._measure(model, heard)
        write_json(self.result_file, result, force=True)
        return result

    def _model(self, heard: Heard) -> SpikingClassifier:
        network = recurrent_network(
            heard.n_fibres, len(heard.classes), n_hidden=self.study.n_hidden, dt_ms=heard.dt_ms,
            seed=self.seed,
        )  # fmt: skip
        return SpikingClassifier(
            network, dt_ms=heard.dt_ms, trainable=self.arm.trainable,
            surrogate=Surrogate("super", alpha=self.study.alpha), seed=self.seed,
        )  # fmt: skip

    def _augment(self, frames: Tensor, random: torch.Generator, *, n_channels: int) -> Tensor:
        if not self.arm.timed:  # anew in every epoch, lest times that say nothing be learned
            by_step = frames.transpose(0, 1)
            frames = scrambled(by_step, window=len(by_step), generator=random).transpose(0, 1)
        return self.study.augment(frames.contiguous(), random, n_channels=n_channels)

    def _advance(self, trainer: Trainer, watched: Items) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        report = trainer.advance()
        taken = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        logits = answers(trainer.model, watched.frames)
        right = float((logits.argmax(1) == watched.labels).double().mean())
        self.curve.append(
            {"epoch": trainer.epoch, **report._asdict(), "validation": right}
            | {name: round(seconds, 2) for name, seconds in taken.items()}
        )
        tensors, rest = trainer.state()
        write_tensors(
            self.checkpoint_file, tensors, {**self._about(), "state": rest, "curve": self.curve},
            kind="checkpoint",
        )  # fmt: skip

    def _about(self) -> dict[str, Any]:
        return {"arm": self.arm.name, "seed": self.seed, "study": self.study.resolved()}

    def _resume(self, trainer: Trainer) -> None:
        if not self.checkpoint_file.is_file():
            return
        tensors, header = read_tensors(self.checkpoint_file, kind="checkpoint")
        ours = json.loads(json.dumps(self._about()))
        try:
            if {key: header.get(key) for key in ours} != ours:
                raise ValueError
            trainer.restore(tensors, header["state"])
            self.curve = header["curve"]
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise StoreError(
                f"`{self.checkpoint_file}` must be a checkpoint of this training, found one of "
                f"another; delete it to start over"
            ) from None

    def _read(self) -> dict[str, Any]:
        try:
            result: dict[str, Any] = read_json(self.result_file)
            self.curve = result["curve"]
        except (StoreError, KeyError, TypeError):
            raise StoreError(
                f"`{self.result_file}` must be the result of a training, found something else; "
                f"delete it to have it measured again"
            ) from None
        return result

    def _measure(self, model: SpikingClassifier, heard: Heard) -> dict[str, Any]:
        sets = {"validation": heard.validation, "test": heard.test}
        if heard.recorded is not None:
            sets["recorded"] = heard.recorded
        found = {
            name: _scored(model, self.arm.tested(heard, items, seed=self.seed), heard)
            for name, items in sets.items()
        }
        result: dict[str, Any] = {
            "arm": self.arm.name, "seed": self.seed, "curve": self.curve, "sets": found,
            "wall_s": round(sum(point["wall_s"] for point in self.curve), 1),
            "cpu_s": round(sum(point["cpu_s"] for point in self.curve), 1),
            "threads": torch.get_num_threads(),
            "learned": sum(p.numel() for p in model.parameters()),
        }  # fmt: skip
        if self.arm == ARMS["trained"]:
            result["scrambled"] = [
                {"window_ms": window_ms}
                | _scored(
                    model,
                    heard.test.scrambled(round(window_ms / heard.dt_ms), seed=self.seed),
                    heard,
                )
                for window_ms in self.study.windows_ms
            ]
            which = torch.linspace(0, len(heard.test) - 1, self.study.transferred).round().long()
            result["transfer"] = transferred(model, heard.test.frames[which])
        return result


def _scored(model: SpikingClassifier, items: Items, heard: Heard) -> dict[str, Any]:
    predicted = answers(model, items.frames).argmax(1).numpy()
    labels = items.labels.numpy()
    by_voice = {
        voice: accuracy(*(x[[v == voice for v in items.voices]] for x in (predicted, labels)))
        for voice in dict.fromkeys(items.voices)
    }
    return {
        **accuracy(predicted, labels),
        "voices": {voice: score["accuracy"] for voice, score in by_voice.items()},
        "confusion": confusion(predicted, labels, len(heard.classes)),
    }
