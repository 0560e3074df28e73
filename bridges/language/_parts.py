"""Layers whose weights nobody has drawn yet: torch's constructors use the global generator.

`nn.utils.skip_init` does the same, by way of the meta device, whose first use imports SymPy: two
seconds before the first layer is made.
"""

from __future__ import annotations

from torch import nn

__all__ = ["embedding", "linear"]


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights undefined."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Leave the weights undefined."""


def linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    """A linear layer with memory but no values."""
    return _Linear(inputs, outputs, bias=bias)


def embedding(entries: int, width: int) -> nn.Embedding:
    """A look-up table with memory but no values."""
    return _Embedding(entries, width)
