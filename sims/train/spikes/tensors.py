"""Spike data sets as tensors: tokens of every item, on the scale of the training items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridges.features.surrogate import untimed
from bridges.features.tokens import TokenLayout, tokens
from neuro.wiring import generator
from sims.config.train import FeaturesSpec, NerveSpec
from sims.dataset.build import Stopped
from sims.dataset.spike_dataset import SpikeDataset

__all__ = ["Scale", "Seen", "all_tokens", "blanked", "layout_of", "untimed_tokens"]


def layout_of(features: FeaturesSpec, nerve: NerveSpec) -> TokenLayout:
    """The token layout that a config asks for."""
    return TokenLayout(
        n_channels=nerve.n_channels,
        bin_ms=float(features.bin),
        phase_parts=features.phase_parts,
        pitch_low_hz=1000.0 * float(features.pitch_low),
        pitch_high_hz=1000.0 * float(features.pitch_high),
    )


def all_tokens(
    data: SpikeDataset,
    layout: TokenLayout,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
) -> Tensor:
    """`(n_items, n_bins, layout.size)` float32.

    Raises:
        Stopped: if `stop` said so.
    """
    made = []
    for done, spikes in enumerate(data.spikes, start=1):
        if stop():
            raise Stopped("the spikes are kept")
        made.append(tokens(spikes, data.channels, layout))
        progress(done, len(data))
    return torch.stack(made)


def untimed_tokens(
    data: SpikeDataset,
    items: Iterable[int],
    layout: TokenLayout,
    *,
    seed: int,
    stop: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Tokens of the same spikes with their timing destroyed within each token's bin.

    Every channel keeps its count in every bin, so the columns of counts are those of
    `all_tokens`, bit for bit.

    Raises:
        Stopped: if `stop` said so.
    """
    made = []
    for item in items:
        if stop():
            raise Stopped("the spikes are kept")
        bare = untimed(
            data.spikes[item],
            bin_ms=layout.bin_ms,
            seed=int(generator(seed, "untimed", data.keys[item]).integers(2**62)),
        )
        made.append(tokens(bare, data.channels, layout))
    return torch.stack(made)


@dataclass(frozen=True, eq=False)
class Scale:
    """Brings token columns to mean 0 and to the loudness that their layout gives them.

    Attributes:
        mean, gain: `(size,)` each.
    """

    mean: Tensor
    gain: Tensor

    @classmethod
    def of(cls, made: Tensor, items: NDArray[np.int64], layout: TokenLayout) -> Scale:
        """The scale of the given items, over items and bins; a constant column stays silent."""
        flat = made[torch.from_numpy(items)].flatten(0, 1).double()
        deviation = flat.std(dim=0)
        gain = torch.where(
            deviation > 1e-6, layout.loudness / deviation, torch.zeros_like(deviation)
        )
        return cls(flat.mean(dim=0).float(), gain.float())

    def __call__(self, made: Tensor) -> Tensor:
        """The tokens as inputs of a model."""
        return (made - self.mean) * self.gain


def blanked(inputs: Tensor, layout: TokenLayout) -> Tensor:
    """The inputs of the model on counts: every column that needs timing is at its mean, 0.

    The shape stays, so the model has the same parameters and starts from the same weights; the
    counts are as loud as all columns together were.
    """
    louder = torch.linalg.vector_norm(layout.loudness) / torch.linalg.vector_norm(
        layout.loudness[~layout.timed]
    )
    return inputs.masked_fill(layout.timed, 0.0) * louder


@dataclass(frozen=True, eq=False)
class Seen:
    """A data set as the models see it.

    Attributes:
        tokens: `(n_items, n_bins, layout.size)`, not scaled.
        untimed: The same of the held-out items, after their timing was destroyed.
        labels: `(n_items,)` int64.
        bare: As `untimed`, of all items; None if nobody learns from it.
    """

    data: SpikeDataset
    layout: TokenLayout
    tokens: Tensor
    untimed: Tensor
    labels: Tensor
    scale: Scale
    bare: Tensor | None = None

    @classmethod
    def of(
        cls,
        data: SpikeDataset,
        layout: TokenLayout,
        *,
        seed: int,
        bare: bool = False,
        progress: Callable[[int, int], None] = lambda done, of: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Seen:
        """Make the tokens of a data set.

        Args:
            bare: Make those of all items without timing too.

        Raises:
            Stopped: if `stop` said so.
        """
        made = all_tokens(data, layout, progress=progress, stop=stop)
        held_out = data.where("test")
        moved = untimed_tokens(
            data, range(len(data)) if bare else held_out, layout, seed=seed, stop=stop
        )
        return cls(
            data, layout, made,
            untimed=moved[torch.from_numpy(held_out)] if bare else moved,
            labels=torch.from_numpy(data.labels),
            scale=Scale.of(made, data.where("train"), layout),
            bare=moved if bare else None,
        )  # fmt: skip
