"""The digits as a network hears them: frames of spikes, by the voices that spoke them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bridges.spiking.frames import frames_of, scrambled
from neuro.wiring import generator
from sims.dataset.build import spike_dataset
from sims.dataset.spike_dataset import SpikeDataset
from sims.train.speech.task import SpeechTask

__all__ = ["Heard", "Items", "heard", "items_of"]


@dataclass(frozen=True, eq=False)
class Items:
    """Some of the sounds.

    Attributes:
        frames: `(n_items, n_steps, n_fibres)` uint8 of 0 and 1.
        labels: `(n_items,)` which digit.
        voices: `(n_items,)` whose.
    """

    frames: Tensor
    labels: Tensor
    voices: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.voices)

    def scrambled(self, window: int, *, seed: int) -> Items:
        """The same spikes with the timing within windows of so many steps destroyed."""
        random = torch.Generator().manual_seed(
            int(generator(seed, "scrambled", window).integers(2**62))
        )
        return replace(
            self,
            frames=torch.stack([
                scrambled(frames, window=window, generator=random) for frames in self.frames
            ]),
        )  # fmt: skip

    def shuffled_labels(self, *, seed: int) -> Items:
        """The same sounds, their digits dealt out anew."""
        order = generator(seed, "labels").permutation(len(self))
        return replace(self, labels=self.labels[torch.from_numpy(order)])


@dataclass(frozen=True, eq=False)
class Heard:
    """All the sounds of a task.

    Attributes:
        train, validation, test: Voices that learn, that choose, and neither.
        recorded: A person's digits, if the task has them.
        classes: What the labels stand for.
        n_channels: Places along the cochlea; the fibres of one follow each other.
        dt_ms: Length of a step.
        file: The data set they come from.
    """

    train: Items
    validation: Items
    test: Items
    recorded: Items | None
    classes: tuple[str, ...]
    n_channels: int
    dt_ms: float
    file: Path

    @property
    def n_fibres(self) -> int:
        """Inputs of the network."""
        return self.train.frames.shape[2]

    @property
    def n_steps(self) -> int:
        """Steps of a sound."""
        return self.train.frames.shape[1]


def heard(
    task: SpeechTask,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
    threads: int = 1,
) -> Heard:
    """Hear all sounds of a task; what was heard before is read from `folder`.

    Raises:
        ConfigError: if espeak-ng, or a voice, is not there.
        Stopped: if `stop` said so; what was heard is kept for the next call.
    """
    data, file = spike_dataset(
        task.data, seed=task.seed, folder=folder, progress=progress, stop=stop, threads=threads
    )
    extra = data.where("extra")
    return Heard(
        items_of(data, data.where("train"), dt_ms=task.dt_ms),
        items_of(data, data.where("validation"), dt_ms=task.dt_ms),
        items_of(data, data.where("test"), dt_ms=task.dt_ms),
        items_of(data, extra, dt_ms=task.dt_ms) if extra.size else None,
        data.classes, int(data.channels.max()) + 1, task.dt_ms, file,
    )  # fmt: skip


def items_of(data: SpikeDataset, which: np.ndarray, *, dt_ms: float) -> Items:
    """Items of a data set, on a time grid."""
    return Items(
        torch.stack([frames_of(data.spikes[item], dt_ms=dt_ms) for item in which]),
        torch.from_numpy(data.labels[which]),
        tuple(data.speakers[item] for item in which),
    )
