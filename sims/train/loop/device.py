"""Where a training runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neuro.errors import ConfigError

__all__ = ["chosen_device", "torch_threads"]


def chosen_device(asked: str, local_rank: int = 0, local_size: int = 1) -> torch.device:
    """The device of a process: `cpu`, `cuda` (the GPU of its number), or `auto`.

    `auto` is `cuda` if this machine has a GPU for each of its processes, else `cpu`, so that all
    of them choose alike.

    Args:
        local_rank, local_size: Which of the processes of this machine, of how many.

    Raises:
        ConfigError: if GPUs are asked for and PyTorch has too few for these processes.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    needed = max(local_size, local_rank + 1)
    if asked == "cpu" or (asked == "auto" and there < needed):
        return torch.device("cpu")
    if there < needed:
        raise ConfigError(
            f"training.device: expected {needed} or more GPUs for `cuda`, found {there} "
            f"that PyTorch {torch.__version__} can use; take `cpu` or `auto`"
        )
    return torch.device("cuda", local_rank)


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Within the block PyTorch computes on `n` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
