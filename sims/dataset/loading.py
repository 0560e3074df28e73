"""Batches of items from files, read ahead by other processes, never more than a few in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from bridges.features.batch import SpikeBatch
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.wiring import generator
from sims.dataset.items import Item

__all__ = ["Items", "LabelledBatch", "each", "loader"]


class Items(Protocol):
    """Anything that has items: `DatasetItems`, `RunItems`, or a list of `Item`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Item: ...


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """A batch as a training takes it.

    Attributes:
        inputs: Spikes, or what the loader's `features` made of them.
        labels: `(batch,)` int64.
        items: `(batch,)` int64, which items they are.
    """

    inputs: Any
    labels: Tensor
    items: Tensor

    def pin_memory(self) -> LabelledBatch:
        """The same in memory that a GPU reads directly; a `DataLoader` asks for it."""
        return LabelledBatch(
            self.inputs.pin_memory(), self.labels.pin_memory(), self.items.pin_memory()
        )


class _Draws(Sampler[list[int]]):
    """Indices of each batch: new permutations without end, or all items once in order."""

    def __init__(self, n: int, batch: int, seed: int | None, drawn: int) -> None:
        self.n, self.batch, self.seed, self.drawn = n, batch, seed, drawn

    def __iter__(self) -> Iterator[list[int]]:
        if self.seed is None:
            order = list(range(self.drawn, self.n))
            yield from (order[k : k + self.batch] for k in range(0, len(order), self.batch))
            return
        at, epoch, permutation = self.drawn, -1, []
        while True:
            chosen = []
            for place in range(at, at + self.batch):
                if place // self.n != epoch:
                    epoch = place // self.n
                    permutation = generator(self.seed, "epoch", epoch).permutation(self.n).tolist()
                chosen.append(permutation[place % self.n])
            at += self.batch
            yield chosen


def loader(
    items: Items,
    *,
    batch: int,
    seed: int | None = None,
    drawn: int = 0,
    features: Callable[[Sequence[Spikes]], Any] = SpikeBatch.of,
    workers: int = 0,
    prefetch: int = 2,
    pin_memory: bool = False,
) -> DataLoader[LabelledBatch]:
    """Batches of `items`, read while the last one is being worked on.

    Args:
        items: Read item by item.
        batch: Items of a batch.
        seed: Their order: a new permutation each epoch, without end, the same for one seed
            however many workers read. None gives every item once, in order.
        drawn: Items drawn before, so that a resumed training goes on where it was.
        features: From the spikes of the items to inputs; the worker does it. `each(f)` stacks
            what `f` makes of each item's.
        workers: Processes that read; 0 reads in this one, when a batch is asked for.
        prefetch: Batches that each worker holds ready; so no more than
            `workers * prefetch + 1` are in memory.

    Raises:
        ConfigError: if there is no item, or a number is out of range.
    """
    if not len(items) or batch < 1 or workers < 0 or prefetch < 1 or drawn < 0:
        raise ConfigError(
            "a loader needs items, a batch of 1 or more, 0 workers or more and batches ahead, "
            f"found {len(items)} items, a batch of {batch}, {workers} workers, {prefetch} ahead"
        )
    return DataLoader(
        items,  # type: ignore[arg-type]  # it asks for no more than this protocol
        batch_sampler=_Draws(len(items), batch, seed, drawn),
        collate_fn=partial(_joined, features=features),
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        persistent_workers=False,
        pin_memory=pin_memory,
    )


def each(feature: Callable[[Spikes], Tensor]) -> Callable[[Sequence[Spikes]], Tensor]:
    """Of a feature of one item's spikes, that of a batch: `(batch, …)`.

    Give a function that other processes can find by its name, or a `functools.partial` of one.
    """
    return partial(_stacked, feature)


def _stacked(feature: Callable[[Spikes], Tensor], spikes: Sequence[Spikes]) -> Tensor:
    return torch.stack([feature(one) for one in spikes])


def _joined(
    drawn: Sequence[Item], *, features: Callable[[Sequence[Spikes]], Any]
) -> LabelledBatch:  # fmt: skip
    return LabelledBatch(
        features([item.spikes for item in drawn]),
        torch.tensor([item.label for item in drawn]),
        torch.tensor([item.place for item in drawn]),
    )
