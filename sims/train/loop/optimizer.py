"""The optimizer that a config asks for, and its state as plain tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from sims.config.training import TrainingSpec
from sims.train.loop.atan2 import AdamATan2
from sims.train.loop.checkpoint import under

__all__ = ["BETAS", "moments_of", "new_optimizer", "restore_moments"]

BETAS = (0.9, 0.95)
"""As published for TRM."""


def new_optimizer(spec: TrainingSpec, parameters: Iterable[Tensor]) -> Optimizer:
    """The optimizer of a training; one scheme for every parameter."""
    kind = AdamATan2 if spec.optimizer == "adam_atan2" else torch.optim.AdamW
    return kind(
        list(parameters), lr=spec.learning_rate, betas=BETAS, weight_decay=spec.weight_decay
    )


def moments_of(optimizer: Optimizer) -> dict[str, Tensor]:
    """Everything that an optimizer has gathered, by the number of its parameter and a name."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": part for index in state for name, part in state[index].items()}


def restore_moments(optimizer: Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Go on with what was gathered before.

    Raises:
        ValueError: if a moment is not of its parameter's shape.
    """
    parameters = [part for group in optimizer.param_groups for part in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {}
    for index, parameter in enumerate(parameters):
        found = under(str(index), moments)
        for name, part in found.items():
            if part.dim() and part.shape != parameter.shape:
                raise ValueError(f"moment {name} of another shape")
        if found:
            state["state"][index] = found
    optimizer.load_state_dict(state)
