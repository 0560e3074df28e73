"""Where a training runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neuro.errors import ConfigError

__all__ = ["chosen_device", "torch_threads"]


def chosen_device(asked: str, local_rank: int = 0) -> torch.device:
    """The device of a process: `cpu`, `cuda` (the GPU of its number), or `auto`, either of them.

    Raises:
        ConfigError: if a GPU is asked for and PyTorch has none for this process.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu" or (asked == "auto" and there <= local_rank):
        return torch.device("cpu")
    if there <= local_rank:
        raise ConfigError(
            f"training.device: expected {local_rank + 1} or more GPUs for `cuda`, found {there} "
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
