"""One population over several steps whose input is known: the loop that is worth compiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from neuro.backends.norse.cells import Bound, CellState, CellStep

__all__ = ["free_run", "silence"]

Over = Mapping[str, Tensor]
"""By name, one entry a step along the first dimension."""


def free_run(
    cell: CellStep, state: CellState, first: int | Tensor, n_steps: int, bound: Bound,
    arrivals: Over, inputs: Over, factors: Over, draws: Sequence[Tensor], watched: Sequence[str],
    batch: int,
) -> tuple[Tensor, CellState, tuple[Tensor, ...]]:  # fmt: skip
    """Step a population `n_steps` times.

    Args:
        first: Number of the first step; a tensor where this is compiled, once for all steps.
        arrivals: What spikes add to which state, `(n_steps, batch, n)` each.
        watched: States or subexpressions to keep, as they are before each step.

    Returns:
        Spikes `(n_steps, batch, n)`, the state after, and `(n_steps, batch, n)` of each watched.
    """
    spikes: list[Tensor] = []
    traces: tuple[list[Tensor], ...] = tuple([] for _ in watched)
    arriving, given, scaling = _by_step(arrivals), _by_step(inputs), _by_step(factors)
    drawn = [each.unbind(0) for each in draws]
    for k in range(n_steps):
        now = first + k
        about = (
            now, bound, {n: x[k] for n, x in given.items()},
            {n: x[k] for n, x in scaling.items()}, [x[k] for x in drawn],
        )  # fmt: skip
        for name, kept in zip(watched, traces, strict=True):
            value = cell.observe(name, state, *about)
            kept.append(value.expand(batch, cell.n))
        fired, state = cell.update(state, *about)
        state = cell.deliver(state, {n: x[k] for n, x in arriving.items()})
        if cell.program.threshold:
            state = cell.reset(state, fired, *about)
            spikes.append(fired.expand(batch, cell.n))
    every = tuple(map(torch.stack, traces))
    return torch.stack(spikes) if spikes else silence(bound, n_steps, batch, cell.n), state, every


def silence(bound: Bound, n_steps: int, batch: int, n: int) -> Tensor:
    """The spikes of cells that have no threshold."""
    return bound["dt"].new_zeros(()).expand(n_steps, batch, n)


def _by_step(over: Over) -> dict[str, tuple[Tensor, ...]]:
    return {name: values.unbind(0) for name, values in over.items()}
