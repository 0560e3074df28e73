"""All steps of a population in one call on the CPU, forward and back, bit for bit as step by step.

PyTorch needs some 10 µs for each operation of each step, and keeps what each of them gave until
the way back. Here a kernel that is printed from the same step runs through time by itself, and
goes back by a derivative printed from it too. It keeps the input, and the states of every so many
steps. Gradients by the input, the first state and the cells' parameters are the same to within
rounding; gradients of gradients, and functional transforms, need the steps one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuro.backends.norse._straight import NotStraight
from neuro.backends.norse.cells import Bound, CellState, CellStep
from neuro.backends.norse.fused_printer import Kernel, print_kernel
from neuro.backends.norse.printed import Printed
from neuro.denormals import flush_denormals

__all__ = ["Fused"]

_SHARE = 1 << 16  # cells times steps that are worth a thread: engineering choice, about 0.3 ms


class Fused:
    """The kernels of one population.

    Attributes:
        reason: Why it cannot be run so; empty if it can.
    """

    def __init__(
        self, cell: CellStep, *, port: int | None, drive: str, added: bool, output: str
    ) -> None:
        self._how = {"port": port, "drive": drive, "added": added, "output": output}
        self._kernels: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Kernel, Printed]] = {}
        self.reason = ""
        try:
            print_kernel(cell, **self._how, wide=(), trained=())  # type: ignore[arg-type]
        except NotStraight as error:
            self.reason = str(error)

    def __call__(
        self, cell: CellStep, given: Tensor, state: CellState, first: int, bound: Bound
    ) -> tuple[Tensor, CellState]:
        """Run over `(n_steps, batch, n)`: what it gives out, in that shape, and the last state."""
        kernel, module = self._kernel(cell, bound)
        states = [x.expand(given.shape[1:]) for x in state.values]
        constants = [bound[name] for name in kernel.bound]
        found = _Loop.apply(  # type: ignore[no-untyped-call]
            kernel, module, first, state.last, state.free, len(states), given, *states, *constants
        )
        out, rest = found[0], found[1:]
        values, flags = rest[: len(states)], rest[len(states) :]
        last, free = flags[: len(state.last)], flags[len(state.last) :]
        return out, CellState(tuple(values), tuple(last), tuple(free))

    def _kernel(self, cell: CellStep, bound: Bound) -> tuple[Kernel, Printed]:
        wide = tuple(sorted(name for name, x in bound.items() if x.dim()))
        trained: tuple[str, ...] = ()
        if torch.is_grad_enabled():
            trained = tuple(sorted(name for name, x in bound.items() if x.requires_grad))
        if (wide, trained) not in self._kernels:
            kernel = print_kernel(cell, **self._how, wide=wide, trained=trained)  # type: ignore[arg-type]
            self._kernels[wide, trained] = kernel, Printed(kernel.source)
        return self._kernels[wide, trained]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kernels": {}}  # printed anew where it is copied to


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, module: Printed, first: int, last: Sequence[Tensor],
        free: Sequence[Tensor], n_states: int, given: Tensor, *tensors: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        given = given.contiguous()
        n_steps, *shape = given.shape
        size = math.prod(shape)
        needed = any(ctx.needs_input_grad)
        every = min(n_steps, max(16, math.isqrt(n_steps))) if needed else n_steps
        parts = -(-n_steps // every)
        real = given.numpy().dtype
        ends = np.stack([_flat(x, shape) for x in tensors[:n_states]])
        ends_last = _flat(last[0], shape).astype(np.int64) if last else np.zeros(size, np.int64)
        ends_free = _flat(free[0], shape).copy() if free else np.ones(size, np.bool_)
        kept = np.empty((parts, n_states, size), real)
        kept_last = np.empty((parts, size), np.int64)
        kept_free = np.empty((parts, size), np.bool_)
        out = torch.empty_like(given)
        x = given.numpy().reshape(n_steps, size)
        constants = _constants(tensors[n_states:], shape)
        _share(
            module.forward, n_steps, size, first, every, x, out.numpy().reshape(n_steps, size),
            kept, kept_last, kept_free, ends, ends_last, ends_free, *constants,
        )  # fmt: skip
        if needed:
            ctx.save_for_backward(given, *tensors)
            ctx.about = kernel, module, first, every, n_states
            ctx.kept = kept, kept_last, kept_free
        states = [torch.from_numpy(each.reshape(shape)) for each in ends]
        marks = [torch.from_numpy(ends_last.reshape(shape)).to(x.dtype) for x in last]
        marks += [torch.from_numpy(ends_free.reshape(shape)) for _ in free]
        ctx.mark_non_differentiable(*marks)
        return (out, *states, *marks)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *by: Tensor) -> tuple[Any, ...]:
        given, *tensors = ctx.saved_tensors
        kernel, module, first, every, n_states = ctx.about
        n_steps, *shape = given.shape
        size = math.prod(shape)
        known = by[0].contiguous()
        # What was copied to lie in order is no one else's, and may be written over.
        handed = known if known is not by[0] else torch.empty_like(known)
        slopes = np.stack([_flat(x, shape) for x in by[1 : 1 + n_states]])
        sums = np.zeros((len(kernel.trained), size), slopes.dtype)
        _share(
            module.backward, n_steps, size, first, every,
            *(x.numpy().reshape(n_steps, size) for x in (given, known, handed)), *ctx.kept,
            slopes, sums, *_constants(tensors[n_states:], shape),
        )  # fmt: skip
        summed = dict(zip(kernel.trained, torch.from_numpy(sums.reshape(-1, *shape)), strict=True))
        constants = [
            summed[name].sum_to_size(x.shape) if name in summed else None
            for name, x in zip(kernel.bound, tensors[n_states:], strict=True)
        ]
        states = [torch.from_numpy(each.reshape(shape)) for each in slopes]
        return (*(None,) * 6, handed, *states, *constants)


def _flat(x: Tensor, shape: Sequence[int]) -> Any:
    return x.detach().expand(shape).reshape(-1).numpy()


def _constants(tensors: Sequence[Tensor], shape: Sequence[int]) -> list[Any]:
    """Numbers, and one value for each cell of the batch of what differs between cells."""
    return [_flat(x, shape) if x.dim() else x.detach().numpy()[()] for x in tensors]


def _share(run: Any, n_steps: int, size: int, *rest: Any) -> None:
    """Run it on as many threads as PyTorch has, each with cells of its own."""
    run(0, 0, *rest)  # compiles it; a compiler must not flush denormals
    threads = max(1, min(torch.get_num_threads(), n_steps * size // _SHARE, size))
    edges = [size * k // threads for k in range(threads + 1)]

    def part_of(lo: int, hi: int) -> None:
        with flush_denormals():
            run(lo, hi, *rest)

    if threads == 1:
        part_of(0, size)
        return
    with ThreadPoolExecutor(threads) as pool:
        for part in [pool.submit(part_of, lo, hi) for lo, hi in pairwise(edges)]:
            part.result()
