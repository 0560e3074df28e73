"""Step a built population in torch, one step after another, as a network would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from neuro import Network, Population
from neuro.backends.norse.cells import Bound, CellStep
from neuro.build import BuiltPopulation, build
from neuro.network import Drive

Additions = Callable[[int], Mapping[str, torch.Tensor]]


def built(population: Population, dt_ms: float, *drives: Drive, seed: int = 0) -> BuiltPopulation:
    network = Network("one", (population,), drives=drives)
    return build(network, seed=seed, dt_ms=dt_ms).populations[0]


def stepped(
    cell: CellStep, n_steps: int, *, seed: int = 0, watch: Sequence[str] = (), batch: int = 1,
    bound: Bound | None = None, inputs: Callable[[int], Mapping[str, torch.Tensor]] | None = None,
    factors: Mapping[str, torch.Tensor] | None = None, additions: Additions | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """Spikes, `(n_steps, batch, n)`, and what is watched, sampled before each step."""
    bound = cell.bind() if bound is None else bound
    state = cell.initial(batch, bound, start)
    draws = cell.draw(seed, 0, n_steps)
    spikes: list[torch.Tensor] = []
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in watch}
    for step in range(n_steps):
        about = (step, bound, inputs(step) if inputs else {}, factors or {})
        drawn = [each[step] for each in draws]
        for name in watch:
            value = cell.observe(name, state, *about, drawn)
            seen[name].append(value.expand(batch, cell.n))
        fired, state = cell.update(state, *about, drawn)
        if additions:
            state = cell.deliver(state, additions(step))
        state = cell.reset(state, fired, *about, drawn)
        spikes.append(fired)
    return torch.stack(spikes), {name: torch.stack(each) for name, each in seen.items()}


def events(spikes: torch.Tensor) -> list[tuple[int, int]]:
    """`(step, cell)` of each spike of the first of the batch."""
    steps, cells = np.nonzero(spikes[:, 0].detach().numpy() > 0.5)
    return list(zip(steps.tolist(), cells.tolist(), strict=True))


def recorded(times_ms: NDArray[np.float64], units: NDArray[np.int64], dt_ms: float) -> list[
    tuple[int, int]
]:  # fmt: skip
    """The same of a recording."""
    steps = np.rint(times_ms / dt_ms).astype(int)
    return list(zip(steps.tolist(), units.tolist(), strict=True))
