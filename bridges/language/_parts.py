"""Layers whose weights nobody has drawn yet: torch's constructors use the global generator."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["embedding", "linear"]


def linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    """A linear layer with memory but no values, where tensors are made at the moment."""
    device = torch.get_default_device()
    return nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias, device=device)


def embedding(entries: int, width: int) -> nn.Embedding:
    """A look-up table with memory but no values."""
    return nn.utils.skip_init(nn.Embedding, entries, width, device=torch.get_default_device())
