"""Functions of the equation language that PyTorch lacks, with gradients that stay finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["clip", "cube", "exprel", "floor_divide", "fourth", "remainder"]


def exprel(x: Tensor) -> Tensor:
    """`(exp(x) - 1) / x`, 1 at 0; its gradient is exact there and near it."""
    return _Exprel.apply(x)  # type: ignore[no-untyped-call]


# Below this |x| the slope is taken from its series; above it, (exp(x) - exprel(x)) / x loses at
# most a relative eps/|x|. The series' next term is below eps at this bound.
_NEAR = {torch.float64: 0.02, torch.float32: 0.3}
_SERIES = (1 / 2, 1 / 3, 1 / 8, 1 / 30, 1 / 144, 1 / 840, 1 / 5760)  # of the slope: 1/(k!*(k + 2))


class _Exprel(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.expm1(x).div(x).masked_fill(x == 0, 1.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * _slope(*ctx.saved_tensors)


def _slope(x: Tensor, y: Tensor) -> Tensor:
    near = x.abs() < _NEAR[x.dtype]
    small = torch.where(near, x, 0.0)
    series = torch.full_like(x, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        series = series * small + coefficient
    large = torch.where(near, 1.0, x)
    return torch.where(near, series, (torch.exp(x) - y) / large)


def clip(x: Tensor, low: Any, high: Any) -> Tensor:
    """`x`, held within `low` and `high`; the gradient is that of what is taken.

    It is `high` where they cross, as in NumPy and Brian2.
    """
    above = torch.maximum(x, low) if isinstance(low, Tensor) else x.clamp_min(low)
    return torch.minimum(above, high) if isinstance(high, Tensor) else above.clamp_max(high)


def cube(x: Tensor) -> Tensor:
    """`x**3`."""
    return x * x * x


def fourth(x: Tensor) -> Tensor:
    """`x**4`."""
    return (x * x).square()


def floor_divide(x: Any, y: Any) -> Tensor:
    """The largest whole number below `x/y`; PyTorch's own refuses gradients, this gives 0."""
    return torch.floor(x / y)


def remainder(x: Any, y: Any) -> Tensor:
    """`x` modulo `y`, with the sign of `y`."""
    return torch.remainder(x, y)
