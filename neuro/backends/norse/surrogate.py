"""The threshold: a step when it is run, a slope of choice when gradients pass it.

The names and formulas are those of `norse.torch.functional.threshold`. With x the distance above
threshold and alpha the sharpness, the gradient of a spike by x is

    super       1 / (1 + alpha*|x|)**2                    Zenke & Ganguli 2018
    triangle    alpha * max(0, 1 - |x|)                   Esser et al. 2016, Bellec et al. 2020
    tanh        1 - tanh(alpha*x)**2
    circ        alpha**3 / (alpha**2 + x**2)**1.5
    heavi_erfc  2/sqrt(pi) * exp(-(alpha*x)**2)
    heaviside   0
    logistic    as tanh; the spike itself falls by chance, with probability (1 + tanh(alpha*x))/2
    circ_dist   as circ; by chance, with probability (1 + x/sqrt(alpha**2 + x**2))/2

Norse 1.1 leaves alpha out of `super`, so Ember's is Norse's at alpha = 1, the default. `soft` is
no surrogate but a threshold that is smooth when it is run, sigmoid(alpha*x): its gradient is
exact, so it can be checked against finite differences.

x is dimensionless, as Norse's membranes are: the distance in mV over a `scale` in mV. In Norse's
cells a membrane is reset to 0 and fires at 1, so the scale is the distance from reset to
threshold; where there is no reset to a value, from start to threshold.

A chance (`rand() < p`) needs no surrogate: the expected number of spikes is p, so the gradient is
that of p, whatever the method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuro.errors import ConfigError, nearest

__all__ = ["METHODS", "Surrogate"]

METHODS = {
    "super": 1.0, "triangle": 0.3, "tanh": 1.0, "circ": 1.0, "heavi_erfc": 1.0, "heaviside": 1.0,
    "logistic": 1.0, "circ_dist": 1.0, "soft": 10.0,
}  # fmt: skip
"""Names of thresholds, and the sharpness each has unless another is given."""

_SLOPES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "super": lambda x, alpha: (1 + alpha * x.abs()).square().reciprocal(),
    "triangle": lambda x, alpha: alpha * torch.relu(1 - x.abs()),
    "tanh": lambda x, alpha: 1 - torch.tanh(alpha * x).square(),
    "circ": lambda x, alpha: alpha**3 / (alpha**2 + x.square()).pow(1.5),
    "heavi_erfc": lambda x, alpha: 2 / math.sqrt(math.pi) * torch.exp(-(alpha * x).square()),
    "heaviside": lambda x, alpha: torch.zeros_like(x),
}

_PROBABILITIES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "logistic": lambda x, alpha: 0.5 + 0.5 * torch.tanh(alpha * x),
    "circ_dist": lambda x, alpha: 0.5 + 0.5 * x / (alpha**2 + x.square()).sqrt(),
}
_SLOPES |= {"logistic": _SLOPES["tanh"], "circ_dist": _SLOPES["circ"]}


@dataclass(frozen=True)
class Surrogate:
    """How gradients pass the threshold.

    Args:
        method: One of `METHODS`.
        alpha: Sharpness; None takes the method's own.
        scale: Distance from the threshold, in its unit, that counts as 1; None takes it from the
            model.

    Raises:
        ConfigError: if the method is unknown, or a number is not positive.
    """

    method: str = "super"
    alpha: float | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"surrogate must be one of {', '.join(METHODS)}, found `{self.method}`"
                f"{nearest(self.method, METHODS)}"
            )
        for name in ("alpha", "scale"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"surrogate {name} must be above 0 and finite, found {value}")

    @property
    def sharpness(self) -> float:
        """`alpha`, or the method's own."""
        return METHODS[self.method] if self.alpha is None else self.alpha

    @property
    def by_chance(self) -> bool:
        """Whether a crossing needs a random number."""
        return self.method in _PROBABILITIES

    def crossing(
        self, high: Any, low: Any, strict: bool, scale: float, uniform: Tensor | None = None
    ) -> Tensor:
        """1 where `high > low` (`>=` if not strict), else 0; in the dtype of the tensors.

        Args:
            uniform: Random numbers in [0, 1), for methods that are `by_chance`.
        """
        if self.method == "soft":
            return torch.sigmoid((high - low) * (self.sharpness / scale))
        how = (uniform, strict, 1 / scale, self.method, self.sharpness)
        if not torch.is_grad_enabled():
            return _fired(high, low, *how)
        return _Crossing.apply(high, low, *how)  # type: ignore[no-untyped-call]

    def chance(self, probability: Tensor, uniform: Tensor, strict: bool) -> Tensor:
        """1 where `uniform < probability` (`<=` if not strict); `soft`, the probability itself."""
        if self.method == "soft":
            return probability + torch.zeros_like(uniform)
        return _Chance.apply(probability, uniform, strict)  # type: ignore[no-untyped-call]


def _fired(
    high: Any, low: Any, uniform: Tensor | None, strict: bool, inverse_scale: float, method: str,
    alpha: float,
) -> Tensor:  # fmt: skip
    like: Tensor = high if isinstance(high, Tensor) else low
    if uniform is not None:
        x = (high - low) * inverse_scale
        return (uniform < _PROBABILITIES[method](x, alpha)).to(like.dtype)
    return (high > low if strict else high >= low).to(like.dtype)


class _Crossing(torch.autograd.Function):
    """A step whose gradient is a slope; saves what it compared, and computes nothing else."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        high: Any, low: Any, uniform: Tensor | None, strict: bool, inverse_scale: float,
        method: str, alpha: float,
    ) -> Tensor:  # fmt: skip
        return _fired(high, low, uniform, strict, inverse_scale, method, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        high, low, _uniform, _strict, *ctx.how = inputs
        tensors = [side for side in (high, low) if isinstance(side, Tensor)]
        ctx.numbers = [None if isinstance(side, Tensor) else side for side in (high, low)]
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        kept = list(ctx.saved_tensors)
        high, low = (kept.pop(0) if side is None else side for side in ctx.numbers)
        inverse_scale, method, alpha = ctx.how
        passed = gradient * _SLOPES[method]((high - low) * inverse_scale, alpha) * inverse_scale
        rising = passed.sum_to_size(high.shape) if ctx.needs_input_grad[0] else None
        falling = -passed.sum_to_size(low.shape) if ctx.needs_input_grad[1] else None
        return rising, falling, None, None, None, None, None


class _Chance(torch.autograd.Function):
    """A draw whose gradient is that of its probability."""

    generate_vmap_rule = True

    @staticmethod
    def forward(probability: Tensor, uniform: Tensor, strict: bool) -> Tensor:
        fires = uniform < probability if strict else uniform <= probability
        return fires.to(uniform.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient.sum_to_size(ctx.shape), None, None
