"""Training in several processes at once, each with its share of the slots of one batch.

`torchrun` starts the processes and tells each which one it is; without it there is one. What is
exchanged a step is small: who halted, the gradient, and what was measured. Every process holds
the same weights, draws the same items, and keeps those that fall to its own slots, so that the
training is that of one process with the whole batch, to the rounding of sums.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from neuro.errors import ConfigError, EmberError
from sims.train.loop.device import chosen_device

__all__ = ["ALONE", "ProcessError", "World", "launched"]


_PATIENCE = timedelta(hours=12)
"""For how long processes wait for one that lives, as the first one may be making puzzles; one that
has ended is noticed at once. Engineering choice."""


class ProcessError(EmberError, RuntimeError):
    """Another process of this training could not go on, so this one cannot either."""


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes:
        rank: Which one this is; the first, 0, writes and speaks.
        size: How many there are.
        local_rank: Which one on this machine, and with it which GPU.
        local_size: How many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Slots of a batch that fall to each process.

        Raises:
            ConfigError: if they cannot be shared evenly.
        """
        if batch % self.size:
            raise ConfigError(
                f"training.batch: expected a multiple of the {self.size} processes, found {batch}"
            )
        return batch // self.size

    def gathered(self, mine: Tensor) -> Tensor:
        """Everybody's rows, in order of rank; as many and of the same shape in every process.

        Raises:
            ProcessError: here and in all that follow, if another process has ended.
        """
        if self.size == 1:
            return mine
        # Not every back end knows every type; bytes they all know.
        raw = mine.contiguous().view(torch.uint8)
        parts = [torch.empty_like(raw) for _ in range(self.size)]
        with _meeting():
            distributed.all_gather(parts, raw)
        return torch.cat([part.view(mine.dtype) for part in parts])

    def summed(self, mine: Tensor) -> Tensor:
        """Everybody's tensor, added up, and the same bits in every process."""
        if self.size > 1:
            mine = mine.clone()
            with _meeting():
                distributed.all_reduce(mine)
        return mine

    def highest(self, mine: int) -> int:
        """The highest of everybody's numbers, known when everybody is here."""
        if self.size == 1:
            return mine
        found = torch.tensor(mine)  # on the CPU, where there is nothing to wait for
        with _meeting():
            distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return int(found)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes: one message for all of them."""
        if self.size == 1:
            return
        gradients = [part.grad for part in parameters if part.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        with _meeting():
            distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def wait(self) -> None:
        """Until everybody is here."""
        self.highest(0)


ALONE = World()
"""One process."""


@contextmanager
def _meeting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the only kind that gloo and NCCL have
        reason = " ".join(str(error).split())[:200]
        raise ProcessError(
            "all processes of a training must live until its end, found that another one ended "
            f"({reason}); see what it said, and start all of them again"
        ) from error


@contextmanager
def launched(device: str) -> Iterator[World]:
    """Within the block, the processes that `torchrun` started, joined; or this one alone.

    Gradients on a GPU are exchanged by NCCL; what lies on the CPU, by gloo in any case.

    Args:
        device: What was asked for; see `sims.train.loop.device.chosen_device`.

    Raises:
        ConfigError: if they do not find each other, or a GPU that is asked for is not there.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        chosen_device(device)
        yield ALONE
        return
    try:
        rank, size, local_rank = (
            int(os.environ[key]) for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        )
        world = World(rank, size, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", size)))
        chosen = chosen_device(device, world.local_rank, world.local_size)
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        if world.local_size == world.size:
            # On one machine, listen to that machine alone. Neither gloo nor NCCL asks who connects.
            loopback = "lo0" if sys.platform == "darwin" else "lo"
            for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                os.environ.setdefault(variable, loopback)
        backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except ConfigError:
        raise
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"training in several processes needs the variables that `torchrun` sets, found: "
            f"{reason}; start it with `torchrun --nproc-per-node 2 -m sims train CONFIG`"
        ) from None
    try:
        yield world
    finally:
        distributed.destroy_process_group()
