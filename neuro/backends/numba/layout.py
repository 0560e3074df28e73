"""Where everything lies: each block of cells has its own flat arrays, which one thread owns.

A block holds a run of cells of every population. Its state `S` is one array: first the rows
that spikes act on, so that their addresses are small numbers, then all others; a row is padded to
whole tiles. `where[k]` tells the printed code where population k lies in each array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.cells import LOW, CellPrinter
from neuro.backends.numba.random import TILE, stream_of
from neuro.build import Built, BuiltPopulation
from neuro.modulation import Transmitter
from neuro.network import participants
from neuro.timing import release_steps

__all__ = ["HEADER", "NEVER", "Block", "Layout", "Modulators", "acted_on", "lay_out"]

HEADER = ("n", "first", "at", "cells_at", "shared_at", "stream", "words", "origin")
"""What the first columns of `where` mean; the addresses of the rows of `S` follow.

Steps of last spikes are counted from `origin`, so that 32 bits hold them however long a run is.
"""
NEVER = -(2**30)
"""The step of the last spike of a cell that has not spiked."""


@dataclass(frozen=True, eq=False)
class Modulators:
    """Transmitters, receptors and effects as numbers; see `delivery.factors_of`."""

    decay: NDArray[np.float64]
    per_spike: NDArray[np.float64]  # rise of the concentration for one spike of one cell
    release_steps: NDArray[np.int64]
    receptors: NDArray[np.float64]
    effects: NDArray[np.float64]
    factor_keys: tuple[str, ...]  # `target.parameter`


@dataclass(frozen=True, eq=False)
class Block:
    """One block's own arrays.

    `where` is `(n_populations, …)`; `cells` are the values that differ between cells; `last` is
    the step of each cell's last spike, counted from `origin`; `fired` and `hits` are the cells that
    spike in this step.
    `free` runs beside the first part of `S` and is 0 where a refractory cell takes no input.
    """

    where: NDArray[np.int64]
    S: NDArray[np.floating]
    cells: NDArray[np.float64]
    last: NDArray[np.int32]
    fired: NDArray[np.uint8]
    free: NDArray[np.uint8]
    hits: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """All blocks, and what they share.

    `bounds[name]` is `(n_blocks + 1,)`, the first cell of each block; `senders[name]` the number
    of a participant's first cell among all senders; `delivered` the length of the first part of
    the longest block's `S`.
    """

    real: type[np.floating]
    blocks: tuple[Block, ...]
    bounds: Mapping[str, NDArray[np.int64]]
    senders: Mapping[str, int]
    n_senders: int
    rows: Mapping[str, tuple[str, ...]]
    delivered: int
    modulators: Modulators

    @property
    def n_blocks(self) -> int:
        """How many blocks there are: one a thread."""
        return len(self.blocks)

    def acted_address(self, population: int, name: str, state: str) -> NDArray[np.int64]:
        """`(n_blocks,)` where the row begins to which spikes add what they bring a state."""
        low = state + LOW
        return self.address(population, name, low if low in self.rows[name] else state)

    def address(self, population: int, name: str, row: str) -> NDArray[np.int64]:
        """`(n_blocks,)` where a population's row begins in each block's `S`."""
        column = len(HEADER) + self.rows[name].index(row)
        return np.array([block.where[population, column] for block in self.blocks])


def lay_out(
    built: Built, printers: Sequence[CellPrinter], n_blocks: int, real: type[np.floating]
) -> Layout:
    """Split every population into `n_blocks` runs of whole tiles of cells."""
    senders, total = {}, 0
    for item in participants(built.network):
        senders[item.name] = total
        total += item.n
    bounds = {p.name: _bounds(p.n, n_blocks, k) for k, p in enumerate(built.populations)}
    rows = {
        p.name: (*p.program.states, *p.program.summed, *(state + LOW for state in printer.slow))
        for p, printer in zip(built.populations, printers, strict=True)
    }
    targets = [
        [row if row + LOW not in rows[p.name] else row + LOW for row in acted_on(built, p)]
        for p in built.populations
    ]
    blocks = [
        _block(built, printers, bounds, rows, targets, number, real) for number in range(n_blocks)
    ]
    return Layout(
        real=real,
        blocks=tuple(block for block, _ in blocks),
        bounds=bounds,
        senders=senders,
        n_senders=total,
        rows=rows,
        delivered=max((size for _, size in blocks), default=0),
        modulators=_modulators(built),
    )


def _bounds(n: int, n_blocks: int, turn: int) -> NDArray[np.int64]:
    """Whole tiles to each block; where there are few, populations take turns over the blocks."""
    tiles = -(-n // TILE)
    cuts = (tiles * np.arange(n_blocks + 1) + turn % n_blocks) // n_blocks
    cuts[0], cuts[-1] = 0, tiles
    return np.asarray(np.minimum(cuts * TILE, n), np.int64)


def acted_on(built: Built, population: BuiltPopulation) -> list[str]:
    """The states of a population that spikes change from outside, in the program's order."""
    changed = {state for delivery in population.program.deliveries for state, _ in delivery}
    for projection in built.projections:
        if projection.edge is not None and projection.post.name == population.name:
            changed |= set(projection.edge.writes_post)
    return [state for state in population.program.states if state in changed]


def _block(
    built: Built, printers: Sequence[CellPrinter], bounds: Mapping[str, NDArray[np.int64]],
    rows: Mapping[str, tuple[str, ...]], targets: Sequence[Sequence[str]], number: int,
    real: type[np.floating],
) -> tuple[Block, int]:  # fmt: skip
    n_rows = max((len(r) for r in rows.values()), default=0)
    where = np.zeros((len(built.populations), len(HEADER) + n_rows), np.int64)
    spans = [bounds[p.name][number : number + 2] for p in built.populations]
    padded = [-(-int(high - low) // TILE) * TILE for low, high in spans]
    at = np.concatenate([[0], np.cumsum(padded)])
    address, delivered = 0, 0
    for acted_on in (True, False):
        for k, population in enumerate(built.populations):
            for r, row in enumerate(rows[population.name]):
                if (row in targets[k]) is acted_on:
                    where[k, len(HEADER) + r] = address
                    address += padded[k]
        if acted_on:
            delivered = address
    S = np.zeros(address, real)
    cells, cells_at, shared_at = [np.zeros(0)], 0, 0
    for k, (population, printer) in enumerate(zip(built.populations, printers, strict=True)):
        low, high = spans[k]
        stream = stream_of(population.name)
        where[k, : len(HEADER)] = [
            high - low,
            low,
            at[k],
            cells_at,
            shared_at,
            stream,
            padded[k],
            0,
        ]
        for r, row in enumerate(rows[population.name]):
            begin = where[k, len(HEADER) + r]
            if row.removesuffix(LOW) in population.initial:
                value = population.initial[row.removesuffix(LOW)][low:high]
                if row.endswith(LOW):  # what `real` cannot hold of it
                    value = value - value.astype(real)
                S[begin : begin + high - low] = value
        own = np.zeros((printer.cells.shape[0], padded[k]))
        own[:, : high - low] = printer.cells[:, low:high]
        cells.append(own.ravel())
        cells_at += own.size
        shared_at += printer.shared.size
    n = int(at[-1])
    return Block(
        where=where,
        S=S,
        cells=np.concatenate(cells),
        last=np.full(n, NEVER, np.int32),
        fired=np.zeros(n, np.uint8),
        free=np.ones(delivered, np.uint8),
        hits=np.zeros(n, np.int64),
    ), delivered


def _modulators(built: Built) -> Modulators:
    network = built.network
    dt_ms = built.dt_ms
    receptors = {r.name: k for k, r in enumerate(network.receptors)}
    transmitters = {t.name: k for k, t in enumerate(network.transmitters)}
    keys: dict[str, int] = {}
    effects = []
    for effect in network.effects:
        factor = keys.setdefault(f"{effect.target}.{effect.parameter}", len(keys))
        effects.append((factor, receptors[effect.receptor], effect.at_saturation - 1.0))
    return Modulators(
        decay=np.array([np.exp(-dt_ms / float(t.uptake)) for t in network.transmitters]),
        per_spike=np.array([_per_spike(built, t) for t in network.transmitters]),
        release_steps=np.array(
            [release_steps(float(t.delay), dt_ms) for t in network.transmitters], dtype=np.int64
        ),
        receptors=np.array(
            [(transmitters[r.transmitter], float(r.ec50), r.hill) for r in network.receptors]
        ).reshape(-1, 3),
        effects=np.array(effects, dtype=np.float64).reshape(-1, 3),
        factor_keys=tuple(keys),
    )


def _per_spike(built: Built, transmitter: Transmitter) -> float:
    if not transmitter.released_by:
        return 0.0
    n = built.network.population(transmitter.released_by).n
    return float(transmitter.per_spike) / n
