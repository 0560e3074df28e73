"""The arrays of synapses with a state of their own: each block has those that end in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.edge_printer import EdgePrinter
from neuro.backends.numba.layout import Layout
from neuro.backends.numba.random import stream_of
from neuro.backends.numba.tables import empty_queue

__all__ = ["EdgeArrays"]


class EdgeArrays:
    """One projection's synapses, in the order by source, delay and target within each block.

    `ids[b]` are the numbers, in that order over the whole projection, of the edges of block b.
    """

    def __init__(self, printer: EdgePrinter, layout: Layout) -> None:
        self._printer, self._layout = printer, layout
        built = printer.built
        bounds = layout.bounds[built.post.name]
        block = np.searchsorted(bounds, built.target, side="right") - 1
        self.ids = [np.flatnonzero(block == b) for b in range(layout.n_blocks)]
        n_published, n_sources = len(printer.published), built.pre.n
        self._start = np.zeros((2, n_published, n_sources))
        self._middle = np.zeros((n_published, n_sources))

    def arguments(self, b: int) -> dict[str, Any]:
        """Block b's arguments of `run`."""
        printer, built = self._printer, self._printer.built
        ids = self.ids[b]
        source, delay = built.source[ids], built.delay_steps[ids]
        target = built.target[ids] - self._layout.bounds[built.post.name][b]
        weight = built.weight[ids].astype(np.float64)
        values = np.empty((len(printer.program.variables), ids.size))
        for k, name in enumerate(printer.program.variables):
            values[k] = weight if name == "w" else built.edge_initial[name]
        pointer, segment = _segments(source, delay, built.pre.n)
        n_cells = int(np.diff(self._layout.bounds[built.post.name])[b])
        post_pointer = np.zeros(n_cells + 1, np.int64)
        np.cumsum(np.bincount(target, minlength=n_cells), out=post_pointer[1:])
        pre = printer.pre
        parts = {
            "pointer": pointer,
            "segment": segment,
            "queue": empty_queue(int(built.delay_steps.max(initial=1))),
            "sender": self._layout.senders[built.pre.name],
            "target": target.astype(np.int64),
            "source": source.astype(np.int64),
            "ids": ids.astype(np.int64),
            "values": values,
            "weight": weight,
            "updated": np.zeros(ids.size, np.int64),
            "post_pointer": post_pointer,
            "post_edge": np.argsort(target, kind="stable").astype(np.int64),
            "constants": printer.constants,
            "start": self._start,
            "middle": self._middle,
            "pre_cells": pre.cells if pre else np.zeros((0, 0)),
            "stream": stream_of(f"edges {built.projection.name}"),
        }
        return {f"edge{printer.number}_{name}": value for name, value in parts.items()}

    def publish(self, step: int, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Put the source cells' variables where the first step of a chunk reads them."""
        for k, name in enumerate(self._printer.published):
            self._start[step % 2, k] = values[name]

    def state(self, own: list[dict[str, Any]]) -> dict[str, Any]:
        """The variables of all edges, in the order of the whole projection."""
        name = f"edges/{self._printer.built.projection.name}"
        return {f"{name}/{part}": self._joined(own, part) for part in ("values", "updated")}

    def restore(self, own: list[dict[str, Any]], state: Mapping[str, Any]) -> None:
        """Put back what `state` gave."""
        name = f"edges/{self._printer.built.projection.name}"
        for part in ("values", "updated"):
            for b, ids in enumerate(self.ids):
                array = own[b][f"edge{self._printer.number}_{part}"]
                array[...] = np.asarray(state[f"{name}/{part}"])[..., ids]

    def _joined(self, own: list[dict[str, Any]], part: str) -> NDArray[Any]:
        arrays = [own[b][f"edge{self._printer.number}_{part}"] for b in range(len(self.ids))]
        whole = np.empty((*arrays[0].shape[:-1], sum(i.size for i in self.ids)), arrays[0].dtype)
        for ids, array in zip(self.ids, arrays, strict=True):
            whole[..., ids] = array
        return whole


def _segments(
    source: NDArray[np.int64], delay: NDArray[np.int64], n_sources: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Runs of one source and delay, as `delivery.push` reads them."""
    new = np.ones(source.size, bool)
    new[1:] = (np.diff(source) != 0) | (np.diff(delay) != 0)
    starts = np.flatnonzero(new)
    segment = np.zeros((starts.size + 1, 2), np.uint32)
    segment[:-1, 0], segment[-1, 0] = starts, source.size
    segment[:-1, 1] = delay[starts]
    counts = np.bincount(source[starts], minlength=n_sources)
    pointer = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    return pointer, segment
