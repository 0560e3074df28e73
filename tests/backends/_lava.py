"""Random networks of Lava's processes, with every corner of their arithmetic in reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
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
from neuro.backends.lava.weights import sign_mode

__all__ = ["alone", "random_network", "together"]

ALIKE = 4
"""Networks in a row share their settings."""

Part = LifCells | Inputs | Synapses


def random_network(seed: int, n_steps: int, *, longest: int = 7) -> FixedNetwork:
    """One process of cells, or two, one of inputs, and one to three of synapses among them.

    The networks of seeds 4k to 4k + 3 share what Lava has once a process: decays, thresholds,
    kinds, bits and exponents. Sizes, weights, delays, states, biases and inputs are their own.

    Args:
        longest: Of the delays.
    """
    shared = np.random.default_rng([seed // ALIKE, n_steps, longest])
    own = np.random.default_rng([seed, n_steps, longest, 1])
    cells = tuple(_cells(shared, own, f"cells{k}") for k in range(shared.choice([1, 1, 2])))
    inputs = _inputs(shared, own, n_steps)
    senders = (inputs, *cells)
    synapses = []
    for k in range(shared.choice([1, 2, 2, 3])):
        # The first listens to the inputs, or there would be little to compare.
        source = senders[0 if k == 0 else shared.integers(len(senders))]
        target = cells[shared.integers(len(cells))]
        synapses.append(_synapses(shared, own, f"synapses{k}", source, target, longest))
    return FixedNetwork(f"random {seed}", cells, tuple(synapses), (inputs,))


def _cells(shared: np.random.Generator, own: np.random.Generator, name: str) -> LifCells:
    n = int(own.integers(1, 7))

    def decay() -> int:
        return int(shared.choice([0, 1, 4094, 4095, shared.integers(4096), shared.integers(400)]))

    def state() -> np.ndarray:
        far = own.integers(1 - STATE, STATE, n)
        edge = own.choice([STATE - 1, 1 - STATE], n)
        return own.choice([np.zeros(n, np.int64), far, far // 4096, edge])

    small = own.integers(-64, 64, n)
    return LifCells(
        name, n, decay(), decay(),
        vth=int(shared.choice([0, THRESHOLD, shared.integers(64), shared.integers(THRESHOLD)])),
        bias_mant=own.choice([np.zeros(n, np.int64), small, own.integers(-4096, 4096, n)]),
        bias_exp=own.integers(0, 8, n),
        u=state(), v=state(),
        reset_interval=int(shared.integers(1, 20)) if shared.random() < 0.15 else 0,
        reset_offset=int(shared.integers(0, 30)),
    )  # fmt: skip


def _inputs(
    shared: np.random.Generator, own: np.random.Generator, n_steps: int
) -> Inputs:  # fmt: skip
    """Units 0 to 5 may fire; those of graded spikes send other numbers than 1."""
    n = 6
    steps, units = np.nonzero(own.random((n_steps, n)) < own.choice([0.1, 0.4, 0.9]))
    payload = None
    if shared.random() < 0.4:
        payload = own.integers(0, int(own.choice([2, 300, 65536])), steps.size)
    return Inputs("inputs", n, steps, units, payload)


def _synapses(
    shared: np.random.Generator, own: np.random.Generator, name: str, source: Inputs | LifCells,
    target: LifCells, longest: int,
) -> Synapses:  # fmt: skip
    pairs = np.flatnonzero(own.random(source.n * target.n) < own.choice([0.3, 0.8, 1.0]))
    kind = str(shared.choice(KINDS))
    size = int(own.choice([4, 100, 256, 600]))  # the last do not fit into 8 bits
    low, high = ((-size, size), (0, size), (-size, 1))[shared.integers(3)]
    delays = own.integers(0, longest + 1, pairs.size) if "delay" in kind else 0 * pairs
    return Synapses(
        name, source.name, target.name, kind, pairs // target.n, pairs % target.n,
        own.integers(low, high, pairs.size), delays,
        weight_exp=int(shared.integers(-8, 8)),
        num_weight_bits=int(shared.choice([8, 8, shared.integers(0, 9)])),
        sign_mode=str(shared.choice(SIGN_MODES)),
        num_message_bits=int(shared.choice([0, 0, 8])),
    )  # fmt: skip


def together(networks: Sequence[FixedNetwork]) -> FixedNetwork:
    """Several networks as one, so that Lava starts once for all of them.

    Each process of Lava is one of the operating system, which costs more than what it computes;
    so the networks' inputs become one process, of which each network hears its own units, and
    neighbours that share their settings become one network, with no synapses between.
    """
    cells, synapses, trains, first = list[LifCells](), list[Synapses](), list[Inputs](), 0
    for k, group in enumerate(_groups(networks)):
        network = reduce(_side_by_side, group)
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
    return FixedNetwork("together", tuple(cells), tuple(synapses), (_joined(trains, first),))


def alone(run: FixedRun, networks: Sequence[FixedNetwork]) -> list[FixedRun]:
    """The runs of each network out of a run of all `together`."""
    found = list[FixedRun]()
    for k, group in enumerate(_groups(networks)):
        first = Counter[str]()
        for network in group:
            spikes, u, v = {}, {}, {}
            for cells in network.cells:
                name, low, high = cells.name, first[cells.name], first[cells.name] + cells.n
                steps, units = run.spikes[f"{k}/{name}"]
                mine = (units >= low) & (units < high)
                spikes[name] = steps[mine], units[mine] - low
                u[name] = run.u[f"{k}/{name}"][:, low:high]
                v[name] = run.v[f"{k}/{name}"][:, low:high]
                first[name] = high
            found.append(FixedRun(run.n_steps, spikes, u, v))
    return found


def _groups(networks: Sequence[FixedNetwork]) -> list[list[FixedNetwork]]:
    """The networks, with the neighbours that share the settings."""
    groups = list[list[FixedNetwork]]()
    for network in networks:
        if groups and _settings(groups[-1][0]) == _settings(network):
            groups[-1].append(network)
        else:
            groups.append([network])
    return groups


def _settings(network: FixedNetwork) -> list[tuple[Any, ...]]:
    """What Lava has once a process. Of synapses also the sign that all their weights have."""
    return [
        *(
            (c.name, c.du, c.dv, c.vth, c.reset_interval, c.reset_interval and c.reset_offset)
            for c in network.cells
        ),
        *(
            (s.name, s.source, s.target, s.kind, s.weight_exp, s.num_weight_bits, s.sign_mode,
             s.num_message_bits, sign_mode(s))
            for s in network.synapses
        ),
    ]  # fmt: skip


def _side_by_side(a: FixedNetwork, b: FixedNetwork) -> FixedNetwork:
    """Two networks with the same settings as one; the cells of `b` come after those of `a`."""
    n = {part.name: part.n for part in (*a.cells, *a.inputs)}

    def joined(x: Any, y: Any, *names: str, **shifts: int) -> Any:
        both = {name: (getattr(x, name), getattr(y, name)) for name in (*names, *shifts)}
        return replace(x, **{
            name: np.concatenate([one, other + shifts.get(name, 0)])
            for name, (one, other) in both.items()
        })  # fmt: skip

    cells = [
        replace(joined(x, y, "bias_mant", "bias_exp", "u", "v"), n=x.n + y.n)
        for x, y in zip(a.cells, b.cells, strict=True)
    ]
    synapses = [
        joined(x, y, "weights", "delays", sources=n[x.source], targets=n[x.target])
        for x, y in zip(a.synapses, b.synapses, strict=True)
    ]
    first, second = a.inputs[0], b.inputs[0]
    trains = (first, replace(second, units=second.units + first.n))
    return FixedNetwork(
        f"{a.name} and {b.name}", tuple(cells), tuple(synapses),
        (_joined(trains, first.n + second.n),),
    )  # fmt: skip


def _joined(trains: Sequence[Inputs], n: int) -> Inputs:
    payloads = [
        np.ones(part.steps.size, np.int64) if part.payload is None else part.payload
        for part in trains
    ]
    return Inputs(
        "inputs", n, np.concatenate([part.steps for part in trains]),
        np.concatenate([part.units for part in trains]), np.concatenate(payloads),
    )  # fmt: skip
