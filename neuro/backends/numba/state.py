"""The state of a run, between the blocks' arrays and a checkpoint that knows of no blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.cells import LOW
from neuro.backends.numba.delivery import push_again
from neuro.backends.numba.edge_arrays import EdgeArrays
from neuro.backends.numba.layout import HEADER, NEVER, Layout
from neuro.build import Built, BuiltPopulation
from neuro.equations.syntax import is_condition

__all__ = ["Route", "RunState"]

_FAR = 2**29  # steps; engineering choice, some way below 2**31

Route = tuple[int, NDArray[Any], NDArray[Any]]
"""What leads to a queue: the first sender, and where the edges of each begin (`push`)."""


class RunState:
    """Reads and writes the arrays of all blocks, population by population.

    Args:
        own: Each block's arguments of `run`, which hold its arrays.
        routes: Per block, what leads to each of its queues.
        longest: The longest delay in steps; spikes are remembered for as long.
    """

    def __init__(
        self, built: Built, layout: Layout, own: Sequence[dict[str, Any]],
        routes: Sequence[Mapping[str, Route]], edges: Sequence[EdgeArrays], longest: int,
    ) -> None:  # fmt: skip
        self._built, self._layout, self._own, self._edges = built, layout, own, edges
        self._routes, self._longest = routes, longest
        self._index = {p.name: k for k, p in enumerate(built.populations)}
        self._recent = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._origin = 0  # the step from which those of last spikes are counted

    def count_from(self, step: int) -> None:
        """Count the steps of last spikes from here, once 32 bits are in sight of their end."""
        passed = step - self._origin
        if passed < _FAR:
            return
        for population in self._built.populations:
            if self._counts(population):
                for own, at, n in self._spans(population.name):
                    last = own["last"][at : at + n]
                    last[:] = np.maximum(last.astype(np.int64) - passed, NEVER)
        self._origin = step
        for own in self._own:
            own["where"][:, HEADER.index("origin")] = step

    @staticmethod
    def _counts(population: BuiltPopulation) -> bool:
        """Whether `last` holds steps, and not whether a cell is refractory."""
        return not is_condition(population.program.refractory or "0")

    def values(self, population: str, state: str) -> NDArray[np.float64]:
        """`(n,)` a state of all cells of a population, whole."""
        rows = [row for row in (state, state + LOW) if row in self._layout.rows[population]]
        return np.sum([self._row(population, row).astype(np.float64) for row in rows], axis=0)

    def _row(self, population: str, row: str) -> NDArray[np.floating]:
        address = self._layout.address(self._index[population], population, row)
        sizes = np.diff(self._layout.bounds[population])
        return np.concatenate([
            block.S[at : at + n]
            for block, at, n in zip(self._layout.blocks, address, sizes, strict=True)
        ])  # fmt: skip

    def remember(self, step: int, steps: NDArray[np.int64], senders: NDArray[np.int64]) -> None:
        """Keep the spikes that are still under way at `step`, sorted by step and sender."""
        old_steps, old_senders = self._recent
        steps, senders = np.append(old_steps, steps), np.append(old_senders, senders)
        order = np.lexsort((senders, steps))
        order = order[steps[order] >= step - self._longest]
        self._recent = steps[order], senders[order]

    def saved(self, step: int) -> dict[str, Any]:
        """Everything the run depends on from `step` on: numbers and arrays.

        What is under way between cells is kept as the spikes of the last steps.
        """
        steps, senders = self._recent
        state: dict[str, Any] = {
            "step": step, "recent/steps": steps, "recent/senders": senders,
            "concentration": self._own[0]["concentration"].copy(),
            "released": self._own[0]["released"].copy(),
        }  # fmt: skip
        for population in self._built.populations:
            name = population.name
            for row in self._layout.rows[name]:
                state[f"cells/{name}/{row}"] = self._row(name, row)
            last = np.concatenate([own["last"][at : at + n] for own, at, n in self._spans(name)])
            if self._counts(population):
                last = last.astype(np.int64) + self._origin
            state[f"last/{name}"] = last
        for edge in self._edges:
            state |= edge.state(list(self._own))
        return state

    def restore(self, state: Mapping[str, Any]) -> int:
        """Take over a state, perhaps of a run with another number of threads; its step."""
        self._origin = int(state["step"])
        for own in self._own:
            own["where"][:, HEADER.index("origin")] = self._origin
        for population in self._built.populations:
            name = population.name
            bounds = self._layout.bounds[name]
            for row in self._layout.rows[name]:
                address = self._layout.address(self._index[name], name, row)
                values = np.asarray(state[f"cells/{name}/{row}"])
                for b, block in enumerate(self._layout.blocks):
                    n = bounds[b + 1] - bounds[b]
                    block.S[address[b] : address[b] + n] = values[bounds[b] : bounds[b + 1]]
            last = np.asarray(state[f"last/{name}"], np.int64)
            if self._counts(population):
                last = np.maximum(last - self._origin, NEVER)
            for b, (own, at, n) in enumerate(self._spans(name)):
                own["last"][at : at + n] = last[bounds[b] : bounds[b] + n]
        for own in self._own:
            own["concentration"][:] = state["concentration"]
            own["released"][:] = state["released"]
        for edge in self._edges:
            edge.restore(list(self._own), state)
        self._recent = np.asarray(state["recent/steps"]), np.asarray(state["recent/senders"])
        steps, senders = self._recent
        for own, routes in zip(self._own, self._routes, strict=True):
            for queue, (first, pointer, segment) in routes.items():
                own[queue] = push_again(
                    int(state["step"]), steps.astype(np.int64), senders.astype(np.int32), first,
                    pointer, segment, own[queue],
                )  # fmt: skip
        return int(state["step"])

    def not_finite(self, step: int) -> str:
        """Which state is not finite by `step`, of the first cell in which one is."""
        by = f"by {step * self._built.dt_ms:g} ms"
        for population in self._built.populations:
            for row in population.program.states:
                values = self.values(population.name, row)
                wrong = np.flatnonzero(~np.isfinite(values))
                if wrong.size:
                    return (
                        f"population `{population.name}`: `{population.shown(row)}` of cell "
                        f"{wrong[0]} became {values[wrong[0]]} {by}; lower dt or check the "
                        f"parameters"
                    )
        return f"a state stopped being finite {by}; lower dt"

    def _spans(self, name: str) -> list[tuple[dict[str, Any], int, int]]:
        """Each block's arguments, and where a population lies in its arrays by cell."""
        k = self._index[name]
        return [(own, int(own["where"][k, 2]), int(own["where"][k, 0])) for own in self._own]
