"""Adam with atan2 in place of a division: no epsilon, and no unit of the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from neuro.errors import ConfigError

__all__ = ["AdamATan2"]


class AdamATan2(Optimizer):
    """AdamW whose step does not depend on the scale of the gradients.

        m <- β1 m + (1 - β1) g        v <- β2 v + (1 - β2) g²
        p <- (1 - lr·λ) p - lr / (1 - β1^t) · atan2(m, √v / √(1 - β2^t))

    atan2 takes the place of a division by `√v + ε` (Everett et al. 2024, "Scaling exponents across
    parameterizations and optimizers"), so that a loss times any constant gives the same steps. The
    correction of m stands outside of it, as in the optimizer that TRM and HRM were trained with.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate; may be changed in `param_groups` between steps.
        betas: β1 and β2; 0.9 and 0.95 are published for TRM.
        weight_decay: λ, decoupled.

    Raises:
        ConfigError: if a number is out of its range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
    ) -> None:
        if lr < 0 or weight_decay < 0:
            raise ConfigError(
                "a learning rate and a weight decay must be 0 or more, found "
                f"{lr:g} and {weight_decay:g}"
            )
        if not all(0 <= beta < 1 for beta in betas):
            raise ConfigError(f"betas must lie in 0..1 (1 excluded), found {betas}")
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)  # as torch's own optimizers do
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        taken, (beta1, beta2), rate = int(state["step"]), group["betas"], group["lr"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = square.sqrt().div_((1 - beta2**taken) ** 0.5)
        parameter.mul_(1 - rate * group["weight_decay"])
        parameter.add_(torch.atan2(mean, root), alpha=-rate / (1 - beta1**taken))
