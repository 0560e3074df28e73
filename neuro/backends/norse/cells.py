"""One population as a torch module: a StepProgram in Norse's functional style.

The contract with what builds networks on top (`bind` once a pass, the rest once a step; nothing
is changed in place, so `torch.compile`, `torch.func` and checkpointing may take any of it):

    bound = cell.bind()                                   parameters and constants, with gradients
    state = cell.initial(batch, bound)
    draws = cell.draw(seed, first_step, n_steps)          random numbers, for many steps at once
    each step, in Brian2's order:
        cell.observe("v", state, step, bound, …)          what a Record samples, before the step
        spikes, state = cell.update(state, step, bound, inputs, factors, draws_of_the_step)
        state = cell.deliver(state, additions)            what spikes that arrive now add
        state = cell.reset(state, spikes, step, bound, …)

Every tensor is `(batch, n)` or broadcasts to it: a parameter may be scalar, `(n,)`, `(batch, 1)`
or `(batch, n)`, so a batch of parameter settings is one call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse.surrogate import Surrogate
from neuro.build import BuiltPopulation

__all__ = ["CellState", "CellStep"]

Bound = dict[str, Tensor]
"""Parameters and the constants computed from them, by name."""


class CellState(NamedTuple):
    """The state of a population between two steps; a pytree of tensors.

    Attributes:
        values: `(batch, n)` for each of the program's states, in its order.
        last: One int32 tensor: the step of each cell's last spike, or, where refractoriness is a
            condition, 1 while a cell is refractory; empty if the model has no refractoriness.
        free: One bool tensor: the cells whose held states take what arrives; empty if nothing
            that arrives is held.
    """

    values: tuple[Tensor, ...]
    last: tuple[Tensor, ...]
    free: tuple[Tensor, ...]


class CellStep(torch.nn.Module):
    """One time step of a population, as functions of tensors.

    Args:
        built: What to step.
        dt_ms: Length of a step.
        surrogate: The threshold's gradient.
        dtype: Of states, parameters and arithmetic.
        trainable: Names of parameters, or of states whose start values, that are
            `torch.nn.Parameter`s; everything else is a buffer.
        modulated: Parameters that `factors` will scale at each step.
        streamed: Parameters that `inputs` will give anew at each step.
        reset_gradient: Whether gradients pass from a reset into the spike that caused it.
    """

    def __init__(
        self,
        built: BuiltPopulation,
        dt_ms: float,
        *,
        surrogate: Surrogate | None = None,
        dtype: torch.dtype = torch.float32,
        trainable: Collection[str] = (),
        modulated: Collection[str] = (),
        streamed: Collection[str] = (),
        reset_gradient: bool = False,
    ) -> None:
        super().__init__()
        raise NotImplementedError

    def bind(self, overrides: Mapping[str, Tensor] | None = None) -> Bound:
        """Parameters, `overrides` in place of this module's own, and what is constant in a pass."""
        raise NotImplementedError

    def initial(self, batch: int = 1, bound: Bound | None = None,
                overrides: Mapping[str, Tensor] | None = None) -> CellState:  # fmt: skip
        """The state before the first step."""
        raise NotImplementedError

    def draw(self, seed: int | Sequence[int], first_step: int, n_steps: int) -> tuple[Tensor, ...]:
        """Random numbers for steps `first_step …`, `(n_steps, batch or 1, n)` for each draw."""
        raise NotImplementedError

    def update(
        self, state: CellState, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = {}, factors: Mapping[str, Tensor] = {},
        draws: Sequence[Tensor] = (),
    ) -> tuple[Tensor, CellState]:  # fmt: skip
        """Advance all cells by one step.

        Returns:
            Spikes, `(batch, n)` of 0 and 1 in `dtype` with the surrogate's gradient (all 0 for a
            model without a threshold), and the state before anything is delivered or reset.
        """
        raise NotImplementedError

    def increments(
        self, port: int, weight: Tensor, bound: Bound, targets: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What each arriving `weight` adds to which state, in the shape of `weight`.

        Args:
            targets: The target cell of each weight's last dimension, where that is not the cells.
        """
        raise NotImplementedError

    def deliver(self, state: CellState, additions: Mapping[str, Tensor]) -> CellState:
        """Add to states; refractory cells take nothing on states that are held."""
        raise NotImplementedError

    def reset(
        self, state: CellState, spikes: Tensor, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = {}, factors: Mapping[str, Tensor] = {},
        draws: Sequence[Tensor] = (),
    ) -> CellState:  # fmt: skip
        """Apply the reset to the cells that spiked."""
        raise NotImplementedError

    def observe(
        self, name: str, state: CellState, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = {}, factors: Mapping[str, Tensor] = {},
        draws: Sequence[Tensor] = (),
    ) -> Tensor:  # fmt: skip
        """A state or subexpression, `(batch, n)`."""
        raise NotImplementedError
