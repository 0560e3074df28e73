"""One model in training: everything that changes from step to step, and how it changes.

Every random number is a function of the seed, the name of its use and the step (or the count of
drawn items), so these integers *are* the state of every generator; the state dictionaries hold
the rest. A learner that is saved and restored goes on bit for bit as if nothing had happened,
on a CPU and with the same number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bridges.reasoning.ema import EMA
from bridges.reasoning.halting import Slots, settle
from bridges.reasoning.losses import supervision_loss
from bridges.reasoning.trm import TRM, Carry
from neuro.wiring import generator
from sims.config.train import SpikeTraining
from sims.train.checkpoint import prefixed, under
from sims.train.sampler import Sampler

__all__ = ["Learner", "Settings", "StepReport"]


@dataclass(frozen=True)
class Settings:
    """How a model is trained.

    Attributes:
        max_steps: Supervision steps an item may take in training, the halting budget.
        warm_up: Steps over which the learning rate rises from 0; constant after.
        clip: Largest norm of the gradient.
        noise: Standard deviation of noise on every input, anew at each step.
    """

    steps: int
    batch: int
    max_steps: int
    learning_rate: float
    weight_decay: float
    warm_up: int
    ema: float
    clip: float
    noise: float
    seed: int

    @classmethod
    def of(cls, spec: SpikeTraining, *, max_steps: int, seed: int) -> Settings:
        """The settings that a config asks for."""
        return cls(
            steps=spec.steps, batch=spec.batch, max_steps=max_steps,
            learning_rate=spec.learning_rate, weight_decay=spec.weight_decay,
            warm_up=spec.warm_up, ema=spec.ema, clip=spec.clip,
            noise=spec.noise, seed=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class StepReport:
    """What one supervision step showed: mean loss and accuracy over its batch, and how many
    steps the items that halted had taken (0 if none halted)."""

    loss: float
    accuracy: float
    halted_after: float


class Learner:
    """A model, its average, its optimizer and the batch it is thinking about.

    Args:
        model: Trained in place.
        inputs: `(items, token, feature)` float32.
        labels: `(items,)` int64.

    Attributes:
        recent: Reports of the steps since whoever logs them last emptied this list.
    """

    def __init__(self, model: TRM, inputs: Tensor, labels: Tensor, settings: Settings) -> None:
        self.model, self.inputs, self.labels, self.settings = model, inputs, labels, settings
        self.ema = EMA(model, decay=settings.ema)
        # One scheme for every parameter; published betas (0.9, 0.95).
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=settings.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=settings.weight_decay,
        )
        self.sampler = Sampler(inputs.shape[0], seed=settings.seed)
        self.slots = Slots.empty(model, settings.batch)
        self.step = 0
        self.recent: list[StepReport] = []

    def advance(self) -> StepReport:
        """One supervision step of every slot, and one step of the optimizer."""
        settings, slots = self.settings, self.slots
        new = self.sampler.draw(int(slots.halted.sum()))
        slots.refill(self.model, torch.from_numpy(new))
        labels = self.labels[slots.items]

        self.model.train()
        thought = self.model(self._noisy(self.inputs[slots.items]), slots.carry)
        loss = supervision_loss(thought, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip or math.inf)
        rate = settings.learning_rate * min(1.0, (self.step + 1) / max(settings.warm_up, 1))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.ema.update(self.model)

        rng = generator(settings.seed, "explore", self.step)
        settle(slots, thought, max_steps=settings.max_steps, rng=rng)
        self.step += 1
        right = (thought.logits.detach().argmax(-1) == labels).double().mean()
        halted = slots.steps[slots.halted].double()
        report = StepReport(
            float(loss.detach()), float(right), float(halted.mean()) if halted.numel() else 0.0
        )
        self.recent.append(report)
        return report

    def _noisy(self, inputs: Tensor) -> Tensor:
        if self.settings.noise == 0:
            return inputs
        stream = int(generator(self.settings.seed, "noise", self.step).integers(2**62))
        drawn = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(stream))
        return inputs + self.settings.noise * drawn

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `restore` needs: tensors by name, and JSON-ready numbers."""
        tensors = {
            **prefixed("model", self.model.state_dict()),
            **prefixed("ema", self.ema.state_dict()),
            **prefixed("slots", self._slot_tensors()),
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= prefixed(f"optimizer.{index}", moments)
        numbers = {
            "step": self.step, "drawn": self.sampler.drawn, "ema_updates": self.ema.updates,
            "recent": [[report.loss, report.accuracy, report.halted_after]
                       for report in self.recent],
        }  # fmt: skip
        return tensors, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Become the learner that `state` was taken from."""
        self.model.load_state_dict(under("model", tensors))
        self.ema.load_state_dict(under("ema", tensors), updates=numbers["ema_updates"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            index: moments
            for index in range(len(list(self.model.parameters())))
            if (moments := under(f"optimizer.{index}", tensors))
        }
        self.optimizer.load_state_dict(optimizer)
        slots = under("slots", tensors)
        self.slots = Slots(
            Carry(slots["y"], slots["z"]), slots["items"], slots["steps"], slots["halted"]
        )
        self.sampler.drawn = numbers["drawn"]
        self.step = numbers["step"]
        self.recent = [StepReport(*report) for report in numbers["recent"]]

    def _slot_tensors(self) -> dict[str, Tensor]:
        slots = self.slots
        return {
            "y": slots.carry.y, "z": slots.carry.z, "items": slots.items,
            "steps": slots.steps, "halted": slots.halted,
        }  # fmt: skip
