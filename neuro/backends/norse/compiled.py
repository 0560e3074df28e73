"""`free_run` compiled, and let through only if it gives what it gives uncompiled."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from neuro.backends.norse.cells import CellState, CellStep
from neuro.backends.norse.free_run import free_run
from neuro.errors import SimulationError

__all__ = ["Compiled"]

Ran = tuple[Tensor, CellState, tuple[Tensor, ...]]


class Compiled:
    """Steps populations `n_steps` at a time by compiled code; any other number without.

    The first blocks of each population are run both ways, until one of them has spikes in it: all
    spikes must be equal, and states to within rounding.

    Raises:
        SimulationError: if a compiler is lacking, or compiled code gives something else.
    """

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps
        self._compiled: dict[int, Callable[..., Ran]] = {}
        self._trusted: set[int] = set()

    def __call__(
        self, cell: CellStep, state: CellState, first: int, n_steps: int, *rest: Any
    ) -> Ran:
        if n_steps != self.n_steps:
            return free_run(cell, state, first, n_steps, *rest)
        if id(cell) not in self._compiled:
            self._compiled[id(cell)] = _compile(cell)
        try:
            found = self._compiled[id(cell)](cell, state, torch.tensor(first), n_steps, *rest)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise SimulationError(
                f"population `{cell.name}`: its steps cannot be compiled ({reason[0][:200]}); run "
                f"it with compile=False"
            ) from error
        if id(cell) not in self._trusted:
            self._check(cell, found, state, first, rest)
        return found

    def _check(
        self, cell: CellStep, found: Ran, state: CellState, first: int, rest: tuple[Any, ...]
    ) -> None:
        with torch.no_grad():
            spikes, after, _ = free_run(cell, state, first, self.n_steps, *rest)
            wrong = int((spikes != found[0]).sum())
            # A few ulp a step, which a membrane may amplify before it fires.
            rounding = 1e2 * self.n_steps * torch.finfo(cell.dtype).eps
            near = all(
                torch.allclose(ours, theirs, rtol=rounding, atol=rounding, equal_nan=True)
                for ours, theirs in zip(after.values, found[1].values, strict=True)
            )
        if wrong or not near:
            what = f"{wrong} spikes that differ" if wrong else "states that differ"
            raise SimulationError(
                f"population `{cell.name}`: compiled and uncompiled steps must give the same, "
                f"found {what} in steps {first} to {first + self.n_steps - 1}; run it with "
                f"compile=False"
            )
        if bool(spikes.any()) or not cell.program.threshold:
            self._trusted.add(id(cell))


def _compile(cell: CellStep) -> Callable[..., Ran]:
    """Its own copy for each population, since PyTorch counts what it compiles by code object."""
    code = free_run.__code__.replace(co_name=f"free_run_of_{cell.name}")
    own = FunctionType(code, free_run.__globals__, code.co_name)
    compiled: Callable[..., Ran] = torch.compile(own, fullgraph=True, dynamic=False)
    return compiled
