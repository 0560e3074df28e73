"""What a network is between two steps, and what it has sent so far."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuro.backends.norse.cells import CellState
from neuro.backends.norse.edges import EdgeState

__all__ = ["NetworkState", "Trail"]


class NetworkState(NamedTuple):
    """A whole network between two steps: numbers and tensors, with gradients where there are any.

    Attributes:
        step: The next step.
        cells: State of each population.
        spikes: Of each sender, the last `(depth, batch, n)`: as many steps as its longest delay.
        edges: State of the synapses of each projection that has any.
        levels: Concentration of each transmitter in the step before, `(batch, 1)`.
        sums: Of each population, what its synapses' sums were in the step before.
    """

    step: int
    cells: dict[str, CellState]
    spikes: dict[str, Tensor]
    edges: dict[str, EdgeState]
    levels: dict[str, Tensor]
    sums: dict[str, dict[str, Tensor]]

    def detach(self) -> NetworkState:
        """The same state without a past: gradients stop here (truncated backpropagation)."""
        return NetworkState(self.step, *(_detached(part) for part in self[1:]))  # type: ignore[arg-type]


def _detached(part: object) -> object:
    if isinstance(part, Tensor):
        return part.detach()
    if isinstance(part, dict):
        return {name: _detached(each) for name, each in part.items()}
    parts = [_detached(each) for each in part]  # type: ignore[attr-defined]
    return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)


class Trail:
    """The spikes of one sender, from some steps before a chunk on; pieces are added at its end.

    Args:
        recent: The last `(depth, batch, n)` before `step`.
        room: Steps that will be added: they are copied to one place, for speed. Gradients do not
            survive that; without room, pieces are kept as they are.
    """

    def __init__(self, recent: Tensor, step: int, room: int = 0) -> None:
        self._begin = step - recent.shape[0]
        self.end = step
        self._pieces, self._ends = [recent], [step]
        self._whole: Tensor | None = None
        if room:
            self._whole = recent.new_empty(recent.shape[0] + room, *recent.shape[1:])
            self._whole[: recent.shape[0]] = recent

    def add(self, spikes: Tensor) -> None:
        """Go on with `(n_steps, batch, n)`."""
        first, self.end = self.end, self.end + spikes.shape[0]
        if self._whole is not None:
            self._whole[first - self._begin : self.end - self._begin] = spikes
        else:
            self._pieces.append(spikes)
            self._ends.append(self.end)

    def between(self, first: int, stop: int) -> Tensor:
        """`(stop - first, batch, n)` of steps `first` up to `stop`."""
        if self._whole is not None:
            return self._whole[first - self._begin : stop - self._begin]
        found: list[Tensor] = []
        for piece, end in zip(reversed(self._pieces), reversed(self._ends), strict=True):
            begin = end - piece.shape[0]
            if begin < stop and end > first:
                found.append(piece[max(0, first - begin) : stop - begin])
            if begin <= first:
                break
        return found[0] if len(found) == 1 else torch.cat(found[::-1])

    def last(self, n_steps: int) -> Tensor:
        """The last `(n_steps, batch, n)`."""
        return self.between(self.end - n_steps, self.end)

    def since(self, first: int) -> Tensor:
        """All from a step on."""
        return self.between(first, self.end)
