"""Layers whose weights nobody has drawn yet: torch's constructors use the global generator.

They have memory but no values, until somebody draws them from a generator of their own.
`nn.utils.skip_init` does the same by way of the meta device, whose first use imports SymPy: most of
what a small model would take to be built.
"""

from __future__ import annotations

from torch import nn

__all__ = ["convolution", "embedding", "linear"]


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights undefined."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Leave the weights undefined."""


class _Convolution(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Leave the weights undefined."""


def linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    """A linear layer, weights `(outputs, inputs)`."""
    return _Linear(inputs, outputs, bias=bias)


def embedding(entries: int, width: int) -> nn.Embedding:
    """A look-up table, `(entries, width)`."""
    return _Embedding(entries, width)


def convolution(features: int, size: int) -> nn.Conv2d:
    """A convolution of each feature by itself, `size` cells wide and high, which keeps the size
    of a grid: beyond the edge there are zeros. No bias. `size` is odd."""
    return _Convolution(features, features, size, padding=size // 2, groups=features, bias=False)
