"""Decide how spikes are delivered: which projections share a table, and what feeds the cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.layout import Layout
from neuro.backends.numba.random import stream_of
from neuro.backends.numba.tables import Entry, Table, build_table
from neuro.build import Built, BuiltPopulation
from neuro.edges import BuiltProjection, Row
from neuro.equations.hoist import evaluate
from neuro.equations.names import WEIGHT
from neuro.equations.syntax import names_in
from neuro.network import participants

__all__ = [
    "RARE", "BackgroundPlan", "TablePlan", "background_plans", "build_tables", "ladder_of",
    "rare_ladder", "table_plans",
]  # fmt: skip


RARE = 2.0**-6
"""Arrivals a step below which 32 bits do not hold their distribution to within 1e-8 of the rate."""


class Delivery(NamedTuple):
    """A projection and the state it adds to; a synapse may add to several."""

    projection: BuiltProjection
    state: str
    increment: str


@dataclass(frozen=True)
class TablePlan:
    """How one edge table is delivered.

    `populations` are the numbers of those that send through it, `sources` is set if sources do;
    `factor` is the number of the factor on its weights, or -1; `awake` is set if refractory cells
    take nothing. `whole` is set if it numbers all senders of the network.
    """

    populations: tuple[int, ...]
    sources: bool
    factor: int
    awake: bool
    whole: bool
    deliveries: tuple[Delivery, ...]


class BackgroundPlan(NamedTuple):
    """A Poisson input: the distribution of its arrivals, and what each adds to which state.

    The distribution is that of `ladder_of`, or of `rare_ladder`.
    """

    population: int
    state: str
    factor: int
    stream: int
    lowest: int
    ladder: NDArray[np.unsignedinteger]
    weight: float

    @property
    def rare(self) -> bool:
        """Whether arrivals are too rare for a distribution in 32 bits."""
        return bool(self.ladder.dtype == np.uint64)


def table_plans(built: Built, factors: Mapping[str, int]) -> tuple[TablePlan, ...]:
    """All deliveries whose weights no effect scales share a table; each other one has its own.

    `factors` has the number of the factor on a projection's weight, by its name.
    """
    populations = {p.name: k for k, p in enumerate(built.populations)}
    groups: dict[tuple[int, bool], list[Delivery]] = {}
    for projection in built.projections:
        if projection.edge is not None:
            continue
        data = projection.projection
        program = built.populations[populations[data.target]].program
        factor = factors.get(data.name, -1)
        for state, increment in program.deliveries[projection.port]:
            key = factor, state in program.held
            groups.setdefault(key, []).append(Delivery(projection, state, increment))
    plans = []
    for (factor, awake), deliveries in groups.items():
        senders = {d.projection.projection.source for d in deliveries}
        plans.append(
            TablePlan(
                populations=tuple(sorted(populations[s] for s in senders if s in populations)),
                sources=any(s not in populations for s in senders),
                factor=factor,
                awake=awake,
                whole=factor < 0,
                deliveries=tuple(deliveries),
            )
        )
    return tuple(plans)


def build_tables(
    built: Built, layout: Layout, plans: Sequence[TablePlan], threads: int
) -> list[Table]:
    """Draw and sort the edges of every table."""
    tables = []
    for plan in plans:
        senders = [
            s
            for s in participants(built.network)
            if plan.whole or s.name == plan.deliveries[0].projection.projection.source
        ]
        groups = []
        for sender in senders:
            mine = [d for d in plan.deliveries if d.projection.projection.source == sender.name]
            entries = [_entry(built, layout, d) for d in mine]
            groups.append((layout.senders[sender.name], sender.n, entries))
        tables.append(build_table(groups, layout.n_blocks, layout.delivered, layout.real, threads))
    return tables  # fmt: skip


def _entry(built: Built, layout: Layout, delivery: Delivery) -> Entry:
    name = delivery.projection.projection.target
    number = [p.name for p in built.populations].index(name)
    return Entry(
        delivery.projection,
        layout.bounds[name],
        layout.acted_address(number, name, delivery.state),
        _scaling(built, built.populations[number], delivery),
    )


def _scaling(
    built: Built, target: BuiltPopulation, delivery: Delivery
) -> Callable[[Row], NDArray[np.floating]]:
    """What a spike adds, from the weights: `I_syn += w` adds them as they are."""
    if delivery.increment == WEIGHT:
        return lambda row: row.weight
    names = names_in(delivery.increment)

    def scaled(row: Row) -> NDArray[np.floating]:
        values = {
            name: value[row.target] if isinstance(value, np.ndarray) else value
            for name, value in target.parameters.items()
            if name in names
        }
        return evaluate(delivery.increment, {**values, WEIGHT: row.weight, "dt": built.dt_ms})

    return scaled


def background_plans(built: Built, factors: Mapping[str, int]) -> tuple[BackgroundPlan, ...]:
    """One plan for each state that a background adds to; they share its arrivals."""
    populations = {p.name: k for k, p in enumerate(built.populations)}
    plans = []
    for background in built.backgrounds:
        if background.arrivals == 0:
            continue
        data = background.background
        number = populations[data.target]
        target = built.populations[number]
        rare = background.arrivals < RARE
        lowest, ladder = (
            rare_ladder(background.arrivals) if rare else ladder_of(background.arrivals)
        )
        for state, increment in target.program.deliveries[background.port]:
            weight = background.weight
            if increment != WEIGHT:
                weight = float(
                    evaluate(increment, {**target.parameters, WEIGHT: weight, "dt": built.dt_ms})
                )
            factor = factors.get(data.name, -1)
            stream = stream_of(f"background {data.name}")
            plans.append(BackgroundPlan(number, state, factor, stream, lowest, ladder, weight))
    return tuple(plans)


def rare_ladder(arrivals: float) -> tuple[int, NDArray[np.uint64]]:
    """The Poisson distribution function in 64 bits, from 0 arrivals on."""
    from scipy.special import pdtrc

    steps: list[int] = []
    while (beyond := int(float(pdtrc(len(steps), arrivals)) * 2.0**64)) > 0:
        steps.append(2**64 - 1 - beyond)
    return 0, np.array(steps, np.uint64)


def ladder_of(arrivals: float) -> tuple[int, NDArray[np.uint32]]:
    """The Poisson distribution function in 32 bits, from where it leaves 0 to where it is 1."""
    from scipy.special import pdtr, pdtrc  # `scipy.stats` has the same and takes 0.6 s to import

    reach = 8 * np.sqrt(arrivals) + 40  # farther out there is less than 2**-33 (Chernoff)
    counts = np.arange(max(0, int(arrivals - reach)), int(arrivals + reach) + 2)
    lowest = int(counts[np.argmax(pdtr(counts, arrivals) >= 2.0**-33)])
    highest = int(counts[np.argmax(pdtrc(counts, arrivals) <= 2.0**-33)]) + 1
    steps = np.rint(pdtr(np.arange(lowest, highest + 1), arrivals) * 2.0**32) - 1
    steps = np.clip(steps, 0, 2**32 - 1).astype(np.uint32)
    return lowest, np.concatenate([steps, np.full(-steps.size % 4, 2**32 - 1, np.uint32)])
