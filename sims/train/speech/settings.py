"""A study by name: the task, the network, how it is trained, and how often."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from bridges.spiking.fitting import Fitting
from sims.train.speech.arms import ARMS
from sims.train.speech.task import FULL, SMALL, SpeechTask

__all__ = ["STUDIES", "Study"]


@dataclass(frozen=True)
class Study:
    """What is run.

    Attributes:
        seeds: Of weights, order and augmentation; one training each.
        arms: Names of `ARMS`.
        shift: Channels by which a training item is moved up or down at most, as by a longer or
            shorter vocal tract.
        drop: Share of a training item's spikes that are left out.
        alpha: Sharpness of the surrogate gradient (`super`).
        windows_ms: Widths within which the timing of test spikes is destroyed, one by one.
        transferred: Test items that the numba back end answers too, spike for spike.
    """

    name: str
    task: SpeechTask
    fitting: Fitting
    n_hidden: int = 128
    seeds: tuple[int, ...] = (1, 2, 3)
    arms: tuple[str, ...] = tuple(ARMS)
    shift: int = 1
    drop: float = 0.2
    alpha: float = 10.0
    windows_ms: tuple[float, ...] = (10.0, 25.0, 50.0, 100.0, 250.0, 500.0)
    transferred: int = 10

    def resolved(self) -> dict[str, Any]:
        """All of it, JSON-ready, but for what does not change a result."""
        said = asdict(self)
        said["task"]["data"] = self.task.data.model_dump(mode="json")
        return {key: value for key, value in said.items() if key not in ("seeds", "arms")}

    def augment(self, frames: Tensor, random: torch.Generator, *, n_channels: int) -> Tensor:
        """A training batch `(batch, n_steps, n_fibres)`, shifted and thinned at random."""
        return thinned(shifted(frames, self.shift, random, n_channels), self.drop, random)


def shifted(frames: Tensor, most: int, random: torch.Generator, n_channels: int) -> Tensor:
    """Each item moved by up to so many channels; what comes in at the edge is silence."""
    if not most:
        return frames
    batch, n_steps, n_fibres = frames.shape
    by = torch.randint(-most, most + 1, (batch, 1), generator=random)
    source = torch.arange(n_channels) - by
    found = frames.view(batch, n_steps, n_channels, -1)
    index = source.clamp(0, n_channels - 1)[:, None, :, None].expand_as(found)
    inside = (source >= 0) & (source < n_channels)
    return (found.gather(2, index) * inside[:, None, :, None]).view(batch, n_steps, n_fibres)


def thinned(frames: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Without a share of the spikes, each left out by chance."""
    if not share:
        return frames
    return frames * (torch.rand(frames.shape, generator=random) >= share)


STUDIES = {
    "small": Study(
        "small", SMALL, Fitting(epochs=20, batch=10, learning_rate=0.1), n_hidden=48, seeds=(1,),
        arms=("trained", "shuffled"), shift=0, drop=0.1, windows_ms=(40.0, 400.0), transferred=4,
    ),
    "full": Study("full", FULL, Fitting(epochs=16, learning_rate=0.05)),
}  # fmt: skip
"""`small` is there to see everything work, in seconds; `full` gives the figures."""
