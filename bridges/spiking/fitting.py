"""Training a spiking classifier, epoch by epoch; between two epochs it can be saved and go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bridges.spiking.classifier import SpikingClassifier
from neuro.errors import ConfigError
from neuro.units import admit
from neuro.wiring import generator

__all__ = ["EpochReport", "Fitting", "Trainer", "answers"]

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Fitting:
    """How a classifier is trained. All are engineering choices.

    Attributes:
        epochs: Passes over the data; the learning rate falls to 0 over them, as a cosine.
        learning_rate: Of Adam, relative to the size of what is trained: a step moves a parameter
            by about this share of the root mean square that it and its like started with.
        clip: Largest norm of the gradient, in the same relative terms.
        quiet_hz, loud_hz: A hidden cell's mean rate is pulled into this range …
        rate_weight: … by this weight on the squared distance, in units of `loud_hz`.
    """

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 0.02
    clip: float = 1.0
    quiet_hz: float = 0.5
    loud_hz: float = 40.0
    rate_weight: float = 1.0

    def __post_init__(self) -> None:
        admit(self)
        if self.epochs < 1 or self.batch < 1 or not self.learning_rate > 0:
            raise ConfigError(
                f"training needs one epoch, one item a batch and a learning rate above 0 or more, "
                f"found {self.epochs}, {self.batch} and {self.learning_rate:g}"
            )


class EpochReport(NamedTuple):
    """What an epoch was like: means over the items it was trained on."""

    loss: float
    accuracy: float
    rate_hz: float


class Trainer:
    """A classifier in training.

    Every random number is a function of the seed and of where the training is, so that an epoch's
    number, the parameters and the optimiser's moments are all of its state.

    Args:
        model: What learns, in place.
        frames: `(n_items, n_steps, n_inputs)` uint8 of 0 and 1.
        labels: `(n_items,)`.
        how: The settings.
        seed: Of the order of items and of `augment`.
        augment: Changes a batch of frames `(batch, n_steps, n_inputs)` at random.

    Raises:
        ConfigError: if nothing learns.
    """

    def __init__(
        self, model: SpikingClassifier, frames: Tensor, labels: Tensor, how: Fitting, *, seed: int,
        augment: Augment | None = None,
    ) -> None:  # fmt: skip
        self.model, self.frames, self.labels, self.how = model, frames, labels, how
        self.seed, self.augment, self.epoch = seed, augment, 0
        self._learns = dict(model.named_parameters())
        if not self._learns:
            raise ConfigError("a training needs something to train, found no parameter")
        self._sizes = {
            name: max(float(p.detach().square().mean().sqrt()), 1e-12)
            for name, p in self._learns.items()
        }
        self._bounds = {
            name: (0.5 * float(p.detach().min()), 2.0 * float(p.detach().max()))
            for name, p in self._learns.items()
            if ".weights." not in name and float(p.detach().min()) >= 0
        }
        self._optimizer = torch.optim.Adam(
            [{"params": [p], "name": name} for name, p in self._learns.items()]
        )

    def advance(self) -> EpochReport:
        """Train for one epoch."""
        order = generator(self.seed, "order", self.epoch).permutation(len(self.labels))
        batches = torch.from_numpy(order).split(self.how.batch)
        random = torch.Generator().manual_seed(
            int(generator(self.seed, "augment", self.epoch).integers(2**62))
        )
        loss = right = rate = 0.0
        for k, which in enumerate(batches):
            self._pace((self.epoch + k / len(batches)) / self.how.epochs)
            frames = self.frames[which]
            if self.augment is not None:
                frames = self.augment(frames, random)
            answer = self.model(frames.transpose(0, 1).float())
            rates_hz = answer.spikes.mean((0, 1)) * (1000.0 / self.model.network.built.dt_ms)
            error = functional.cross_entropy(answer.logits, self.labels[which])
            self._step(error + self._effort(rates_hz))
            loss += float(error.detach()) * len(which)
            right += float((answer.logits.argmax(1) == self.labels[which]).sum())
            rate += float(rates_hz.detach().mean()) * len(which)
        self.epoch += 1
        n = len(self.labels)
        return EpochReport(loss / n, right / n, rate / n)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that the next epoch depends on: tensors, and a JSON-ready rest."""
        tensors = {f"model.{name}": p.detach().clone() for name, p in self._learns.items()}
        for name, parameter in self._learns.items():
            for what, value in self._optimizer.state[parameter].items():
                tensors[f"adam.{what}.{name}"] = torch.as_tensor(value).clone()
        return tensors, {"epoch": self.epoch}

    def restore(self, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            KeyError, ValueError, RuntimeError: if it is of another model.
        """
        with torch.no_grad():
            for name, parameter in self._learns.items():
                parameter.copy_(tensors[f"model.{name}"])
        if rest["epoch"]:
            for name, parameter in self._learns.items():
                self._optimizer.state[parameter] = {
                    what: tensors[f"adam.{what}.{name}"].clone()
                    for what in ("step", "exp_avg", "exp_avg_sq")
                }
        self.epoch = int(rest["epoch"])

    def _pace(self, done: float) -> None:
        rate = self.how.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
        for group in self._optimizer.param_groups:
            group["lr"] = rate * self._sizes[group["name"]]

    def _effort(self, rates_hz: Tensor) -> Tensor:
        how = self.how
        beyond = (rates_hz - how.loud_hz).relu() + (how.quiet_hz - rates_hz).relu()
        return how.rate_weight * (beyond / how.loud_hz).square().mean()

    def _step(self, loss: Tensor) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        relative = [p.grad.norm() * self._sizes[n] for n, p in self._learns.items()
                    if p.grad is not None]  # fmt: skip
        shrink = (self.how.clip / (torch.stack(relative).norm() + 1e-12)).clamp(max=1.0)
        for parameter in self._learns.values():
            if parameter.grad is not None:
                parameter.grad.mul_(shrink)
        self._optimizer.step()
        with torch.no_grad():
            for name, (low, high) in self._bounds.items():
                self._learns[name].clamp_(low, high)


def answers(model: SpikingClassifier, frames: Tensor, *, batch: int = 256) -> Tensor:
    """Logits `(n_items, n_classes)` for frames `(n_items, n_steps, n_inputs)`, without learning."""
    # Without gradients the network would deliver spike by spike, which is made for few spikes in
    # many cells: of a batch of sounds it takes ten times as long for the same logits.
    with torch.enable_grad():
        parts = [
            model(part.transpose(0, 1).to(model.network.dtype)).logits.detach()
            for part in frames.split(batch)
        ]
    return torch.cat(parts)
