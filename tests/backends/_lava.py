"""Random networks of Lava's processes, with every corner of their arithmetic in reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuro.backends.lava.processes import (
    KINDS,
    SIGN_MODES,
    STATE,
    THRESHOLD,
    FixedNetwork,
    Inputs,
    LifCells,
    Synapses,
)
from neuro.backends.lava.runs import FixedRun

__all__ = ["alone", "random_network", "together"]

Part = LifCells | Inputs | Synapses


def random_network(seed: int, n_steps: int, *, longest: int = 7) -> FixedNetwork:
    """One process of cells, or two, one of inputs, and one to three of synapses among them.

    Args:
        longest: Of the delays.
    """
    rng = np.random.default_rng([seed, n_steps, longest])
    cells = tuple(_cells(rng, f"cells{k}") for k in range(rng.choice([1, 1, 2])))
    inputs = _inputs(rng, n_steps)
    senders = (inputs, *cells)
    synapses = []
    for k in range(rng.choice([1, 2, 2, 3])):
        # The first listens to the inputs, or there would be little to compare.
        source = senders[0 if k == 0 else rng.integers(len(senders))]
        target = cells[rng.integers(len(cells))]
        synapses.append(_synapses(rng, f"synapses{k}", source, target, longest))
    return FixedNetwork(f"random {seed}", cells, tuple(synapses), (inputs,))


def _cells(rng: np.random.Generator, name: str) -> LifCells:
    n = int(rng.integers(1, 7))

    def decay() -> int:
        return int(rng.choice([0, 1, 4094, 4095, rng.integers(4096), rng.integers(400)]))

    def state() -> np.ndarray:
        far = rng.integers(1 - STATE, STATE, n)
        edge = rng.choice([STATE - 1, 1 - STATE], n)
        return rng.choice([np.zeros(n, np.int64), far, far // 4096, edge])

    small = rng.integers(-64, 64, n)
    return LifCells(
        name, n, decay(), decay(),
        vth=int(rng.choice([0, THRESHOLD, rng.integers(64), rng.integers(THRESHOLD)])),
        bias_mant=rng.choice([np.zeros(n, np.int64), small, rng.integers(-4096, 4096, n)]),
        bias_exp=rng.integers(0, 8, n),
        u=state(), v=state(),
        reset_interval=int(rng.integers(1, 20)) if rng.random() < 0.15 else 0,
        reset_offset=int(rng.integers(0, 30)),
    )  # fmt: skip


def _inputs(rng: np.random.Generator, n_steps: int) -> Inputs:
    """Units 0 to 5 may fire; those of graded spikes send other numbers than 1."""
    n = 6
    steps, units = np.nonzero(rng.random((n_steps, n)) < rng.choice([0.1, 0.4, 0.9]))
    payload = None
    if rng.random() < 0.4:
        payload = rng.integers(0, int(rng.choice([2, 300, 65536])), steps.size)
    return Inputs("inputs", n, steps, units, payload)


def _synapses(
    rng: np.random.Generator, name: str, source: Inputs | LifCells, target: LifCells, longest: int
) -> Synapses:
    pairs = np.flatnonzero(rng.random(source.n * target.n) < rng.choice([0.3, 0.8, 1.0]))
    kind = str(rng.choice(KINDS))
    size = int(rng.choice([4, 100, 256, 600]))  # the last do not fit into 8 bits
    low, high = ((-size, size), (0, size), (-size, 1))[rng.integers(3)]
    delays = rng.integers(0, longest + 1, pairs.size) if "delay" in kind else 0 * pairs
    return Synapses(
        name, source.name, target.name, kind, pairs // target.n, pairs % target.n,
        rng.integers(low, high, pairs.size), delays,
        weight_exp=int(rng.integers(-8, 8)),
        num_weight_bits=int(rng.choice([8, 8, rng.integers(0, 9)])),
        sign_mode=str(rng.choice(SIGN_MODES)),
        num_message_bits=int(rng.choice([0, 0, 8])),
    )  # fmt: skip


def together(networks: Sequence[FixedNetwork]) -> FixedNetwork:
    """Several networks as one, so that Lava starts once for all of them.

    Each process of Lava is one of the operating system, which costs more than what it computes;
    so the networks' inputs become one process, of which each network hears its own units.
    """
    cells, synapses, trains, first = list[LifCells](), list[Synapses](), list[Inputs](), 0
    for k, network in enumerate(networks):
        cells += [replace(part, name=f"{k}/{part.name}") for part in network.cells]
        own = network.inputs[0]
        trains.append(replace(own, units=own.units + first))
        for part in network.synapses:
            heard = part.source == own.name
            synapses.append(
                replace(
                    part,
                    name=f"{k}/{part.name}",
                    source="inputs" if heard else f"{k}/{part.source}",
                    target=f"{k}/{part.target}",
                    sources=part.sources + first if heard else part.sources,
                )
            )
        first += own.n
    joined = Inputs(
        "inputs",
        first,
        np.concatenate([part.steps for part in trains]),
        np.concatenate([part.units for part in trains]),
        np.concatenate([
            np.ones(part.steps.size, np.int64) if part.payload is None else part.payload
            for part in trains
        ]),
    )  # fmt: skip
    return FixedNetwork("together", tuple(cells), tuple(synapses), (joined,))


def alone(run: FixedRun, n_networks: int) -> list[FixedRun]:
    """The runs of each network out of a run of all `together`."""

    def mine(values: Mapping[str, Any], k: int) -> dict[str, Any]:
        prefix = f"{k}/"
        return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}

    return [
        FixedRun(run.n_steps, mine(run.spikes, k), mine(run.u, k), mine(run.v, k))
        for k in range(n_networks)
    ]
