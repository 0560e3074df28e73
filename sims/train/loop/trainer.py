"""One model in training: everything that changes from step to step, and how it changes.

Every random number is a function of the seed, the name of its use and the step, or of how many
items were drawn, so these integers *are* the state of every generator; tensors hold the rest. A
trainer that is saved and restored goes on bit for bit as if nothing had happened, on a CPU and
with the same number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bridges.reasoning.carry import Batch, Carry
from bridges.reasoning.compiled import compiled
from bridges.reasoning.ema import EMA
from bridges.reasoning.halting import exploration
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.supervision import Forward, start, supervision_step
from neuro.errors import ConfigError
from neuro.wiring import generator
from sims.config.training import TrainingSpec
from sims.train.loop.checkpoint import prefixed, under
from sims.train.loop.non_finite import TrainingError, culprit
from sims.train.loop.optimizer import moments_of, new_optimizer, restore_moments
from sims.train.loop.processes import ALONE, World
from sims.train.loop.schedule import rate_at
from sims.train.loop.source import Source
from sims.train.loop.trees import joined, mapped, rows_of

__all__ = ["MEASURES", "Trainer"]

MEASURES = ("steps", "loss", "gradient", "halted", "accuracy", "exact", "halt_accuracy", "thought")
"""What is summed from step to step: optimizer steps, their loss and gradient norm; then, over the
items that halted, how many, right answers, all right, halt head right, supervision steps."""


class Trainer:
    """A model, its average, its optimizer and the slots in which it thinks.

    Args:
        model: Trained in place, on the device where it is.
        source: Items to train on; every process has its own, in the same state.
        spec: How it is trained. `batch` counts the slots of all processes.
        seed: Of exploration and whatever else is drawn.
        world: The processes that train together.

    Attributes:
        forward: What is called instead of `model`: the same, compiled; see `compile`.
        step: Optimizer steps done.
        sums: Of `MEASURES` since whoever logs them last set it to 0.
        best: Score by validation, the highest so far, and its step; None before the first.
    """

    def __init__(
        self,
        model: Reasoner,
        source: Source,
        spec: TrainingSpec,
        *,
        seed: int,
        world: World = ALONE,
    ) -> None:
        self.model, self.source, self.spec, self.seed = model, source, spec, seed
        self.world = world
        self.forward: Forward | None = None
        self.device = model.start_y.device
        self.ema = EMA(model, decay=spec.ema)
        self.optimizer = new_optimizer(spec, model.parameters())
        rows = world.share(spec.batch)
        self.parts = _parts(rows, spec.accumulate)
        self.items = np.zeros(rows, dtype=np.int64)
        self.step = 0
        self.sums = torch.zeros(len(MEASURES), dtype=torch.float64)
        self.best: tuple[float, int] | None = None
        self.carry = start(model, self._batch())

    def compile(self, *, backend: str = "inductor") -> None:
        """Think with the compiled model from now on.

        Raises:
            SimulationError: if what it answers, or learns from a batch, differs from what the
                plain model does by more than rounding explains.
        """
        rows = self.parts[0].stop
        draw = generator(self.seed, "compile")
        items = draw.integers(self.source.n, size=rows)
        batch = mapped(self.source.batch(items, 0), lambda part: part.to(self.device))
        self.forward = compiled(self.model, batch, backend=backend)

    def advance(self) -> None:
        """One supervision step of every slot, and one step of the optimizer.

        Raises:
            TrainingError: if the loss or the gradient is not finite; nothing has moved then.
        """
        self._refill()
        batch = self._batch()
        before = self.carry._replace(current=batch)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        carry, measures = self._supervise(before, batch)
        self.world.average_gradients(self.model.parameters())
        limit = self.spec.clip or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        measures[2] = norm
        measures = self.world.summed(measures.cpu())
        measures[:3] /= self.world.size
        if not bool(torch.isfinite(measures).all()):
            self._refuse(before, batch)
        self._move()
        self.carry = carry
        self.sums += measures
        self.step += 1

    def averages(self) -> dict[str, float]:
        """Means of what was summed, by name; begins a new sum. Halting is 0 if nothing halted."""
        sums = dict(zip(MEASURES, self.sums.tolist(), strict=True))
        self.sums = torch.zeros_like(self.sums)
        steps, halted = max(sums["steps"], 1.0), max(sums["halted"], 1.0)
        return {
            "loss": sums["loss"] / steps,
            "gradient": sums["gradient"] / steps,
            **{name: sums[name] / halted
               for name in ("accuracy", "exact", "halt_accuracy", "thought")},
        }  # fmt: skip

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self._rate(self.spec.learning_rate)

    def _rate(self, peak: float) -> float:
        spec = self.spec
        return rate_at(
            self.step, peak=peak, steps=spec.steps, warm_up=spec.warm_up, shape=spec.schedule,
            final=spec.final_rate, fall=spec.fall,
        )  # fmt: skip

    def _refill(self) -> None:
        """Put the next items into the slots that halted, in order of the whole batch's slots."""
        halted = self.carry.halted.cpu()
        everybody = self.world.gathered(halted)
        new = self.source.draw(int(everybody.sum()))
        first = int(everybody[: self.world.rank * halted.numel()].sum())
        mine = int(halted.sum())
        self.items[halted.numpy()] = new[first : first + mine]

    def _batch(self) -> Batch:
        batch = self.source.batch(self.items, self.step)
        return mapped(batch, lambda part: part.to(self.device, non_blocking=True))

    def _supervise(self, before: Carry, batch: Batch) -> tuple[Carry, Tensor]:
        """The loss backward, part by part, and the sums of `MEASURES` but for the gradient's."""
        at_least, stream = self._exploration(), self._stream("noise")
        carries, share = [], 1 / len(self.parts)
        total = torch.zeros(len(MEASURES), dtype=torch.float64, device=self.device)
        for rows in self.parts:
            carry, losses, found = supervision_step(
                self.model, rows_of(before, rows), rows_of(batch, rows), generator=stream,
                forward=self.forward, at_least=at_least[rows].to(self.device),
            )  # fmt: skip
            (losses.total * share).backward()
            carries.append(carry)
            one, none = losses.total.new_ones(()), losses.total.new_zeros(())
            total += torch.stack([
                one * share, losses.total.detach() * share, none,
                *(found[name].double() for name in
                  ("halted", "accuracy", "exact", "halt_accuracy", "steps")),
            ])  # fmt: skip
        return joined(carries), total

    def _exploration(self) -> Tensor:
        """The step before which each slot may not halt, drawn for the slots of all processes."""
        rows = self.items.size
        everybody = torch.zeros(rows * self.world.size, dtype=torch.int64)
        drawn = exploration(self.model.settings, self._stream("explore"), like=everybody)
        return drawn[self.world.rank * rows :][:rows]

    def _stream(self, use: str) -> torch.Generator:
        seed = int(generator(self.seed, use, self.step).integers(2**62))
        return torch.Generator().manual_seed(seed)

    def _move(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        if self.model.puzzles is not None:
            self.model.puzzles.update(
                learning_rate=self._rate(self.spec.puzzle_learning_rate),
                weight_decay=self.spec.puzzle_weight_decay,
            )
        self.ema.update(self.model)

    def _refuse(self, before: Carry, batch: Batch) -> None:
        def think() -> None:
            supervision_step(
                self.model, before, batch, generator=self._stream("noise"),
                at_least=torch.zeros_like(before.steps),
            )  # fmt: skip

        raise TrainingError(
            f"a training's numbers must stay finite, found {culprit(self.model, think)} not finite "
            f"at step {self.step + 1}; the last checkpoint is as it was: try a lower "
            "`training.learning_rate`, a longer `training.warm_up`, or another `seed`"
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `restore` needs: tensors by name, and JSON-ready numbers.

        The slots of all processes are in it, so any number of processes can go on from it; every
        process must ask at the same time.
        """
        slots = {
            "y": self.carry.y, "z": self.carry.z, "steps": self.carry.steps,
            "halted": self.carry.halted, "items": torch.from_numpy(self.items),
        }  # fmt: skip
        everybody = {
            name: self.world.gathered(part) for name, part in slots.items() if part is not None
        }
        tensors = {
            **prefixed("model", self.model.state_dict()),
            **prefixed("ema", self.ema.state_dict()),
            **prefixed("optimizer", moments_of(self.optimizer)),
            **prefixed("slots", everybody),
            "sums": self.sums,
        }
        numbers = {
            "step": self.step, "position": self.source.position,
            "ema_updates": self.ema.updates, "best": self.best,
        }  # fmt: skip
        return tensors, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Become the trainer that `state` was taken from, or this process's share of it.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if the state is of another training.
        """
        self.model.load_state_dict(under("model", tensors))
        self.ema.load_state_dict(under("ema", tensors), updates=numbers["ema_updates"])
        restore_moments(self.optimizer, under("optimizer", tensors))
        rows = self.items.size
        mine = slice(self.world.rank * rows, (self.world.rank + 1) * rows)
        slots = {name: part[mine].clone() for name, part in under("slots", tensors).items()}
        if slots["items"].shape != self.items.shape or ("z" in slots) == (self.carry.z is None):
            raise ValueError("slots of another batch")
        self.items = slots["items"].numpy()
        self.step, self.source.position = numbers["step"], numbers["position"]
        self.best = None if numbers["best"] is None else tuple(numbers["best"])
        self.sums = tensors["sums"].clone()
        carry = Carry(
            slots["y"], slots.get("z"), slots["steps"], slots["halted"], self.carry.current
        )
        self.carry = mapped(carry, lambda part: part.to(self.device))


def _parts(rows: int, accumulate: int) -> list[slice]:
    if rows % accumulate:
        raise ConfigError(
            f"training.accumulate: expected a divisor of the {rows} slots of a process, found "
            f"{accumulate}"
        )
    size = rows // accumulate
    return [slice(first, first + size) for first in range(0, rows, size)]
