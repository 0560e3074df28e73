"""Whether every state is still a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuro.backends.norse.state import NetworkState

if TYPE_CHECKING:
    from neuro.backends.norse.network import TorchNetwork

__all__ = ["failure_of"]


def failure_of(network: TorchNetwork, state: NetworkState) -> str:
    """Which state of a cell or an edge is not finite, in one line; empty if all are."""
    by_ms = f"{state.step * network.built.dt_ms:g} ms; lower dt or check the parameters"
    shown = {population.name: population.shown for population in network.built.populations}
    for name, cell in network.cells.items():
        for variable, values in zip(cell.program.states, state.cells[name].values, strict=True):
            if found := _first(values):
                row, number, value = found
                return (
                    f"population `{name}`: `{shown[name](variable)}` of cell {number}"
                    f"{_of(row, values)} became {value} by {by_ms}"
                )
    for name, edge in network.edges.items():
        for variable, values in zip(edge.program.variables, state.edges[name].values, strict=True):
            if found := _first(values):
                row, number, value = found
                source, target = (int(x[number]) for x in (edge.paths.source, edge.paths.target))
                return (
                    f"projection `{name}`: `{variable}` of edge {number}, from cell {source} to "
                    f"{target}{_of(row, values)}, became {value} by {by_ms}"
                )
    return ""


def _first(values: Tensor) -> tuple[int, int, float] | None:
    # A sum is finite if all its terms are, and costs no memory.
    if bool(torch.isfinite(values.detach().sum())):
        return None
    wrong = torch.nonzero(~torch.isfinite(values.detach()))
    if not wrong.numel():  # the sum alone is too large
        return None
    row, number = (int(k) for k in wrong[0])
    return row, number, float(values[row, number])


def _of(row: int, values: Tensor) -> str:
    return f" in row {row}" if values.shape[0] > 1 else ""
