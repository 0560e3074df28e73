"""What comes from outside: sources' spikes, and chance, drawn here, as Loihi's cells have none.

What is drawn belongs to a block of steps and to a name, so it depends neither on the length of a
run nor on who runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.lif_form import is_poisson
from neuro.backends.lava.processes import PAYLOAD, Inputs
from neuro.backends.lava.quantise import background_input
from neuro.build import Built
from neuro.wiring import generator

__all__ = ["BLOCK", "inputs_of", "joined"]

BLOCK = 500
"""Steps that are drawn at once."""


def inputs_of(built: Built, block: int) -> tuple[Inputs, ...]:
    """Spikes of sources, Poisson cells and backgrounds in steps `block * BLOCK` onwards."""
    first = block * BLOCK
    found = []
    for source in built.sources:
        low, high = np.searchsorted(source.steps, [first, first + BLOCK])
        found.append(
            Inputs(source.source.name, source.source.n, source.steps[low:high],
                   source.units[low:high])
        )  # fmt: skip
    for population in built.populations:
        if is_poisson(population):
            chance = np.broadcast_to(population.parameters["rate"], (population.n,)) * built.dt_ms
            drawn = _draw(
                built, population.name, population.n, block,
                lambda rng, shape, chance=chance: rng.random(shape) < chance,
            )  # fmt: skip
            found.append(Inputs(population.name, population.n, drawn[0], drawn[1]))
    for part in built.backgrounds:
        name, mean = part.background.name, part.arrivals
        n = built.network.population(part.background.target).n
        drawn = _draw(
            built, name, n, block, lambda rng, shape, mean=mean: rng.poisson(mean, shape)
        )
        payload = np.minimum(drawn[2], PAYLOAD)
        found.append(Inputs(background_input(name), n, drawn[0], drawn[1], payload))
    return tuple(found)


def joined(blocks: Sequence[tuple[Inputs, ...]]) -> tuple[Inputs, ...]:
    """Blocks that follow each other as one."""

    def one(parts: tuple[Inputs, ...]) -> Inputs:
        payload = None
        if parts[0].payload is not None:
            payload = np.concatenate([p.payload for p in parts if p.payload is not None])
        steps, units = (np.concatenate([getattr(p, key) for p in parts])
                        for key in ("steps", "units"))  # fmt: skip
        return Inputs(parts[0].name, parts[0].n, steps, units, payload)

    return tuple(one(parts) for parts in zip(*blocks, strict=True))


def _draw(
    built: Built, name: str, n: int, block: int,
    draw: Callable[[np.random.Generator, tuple[int, int]], NDArray[np.generic]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Steps, units and numbers where `draw` gives other than 0."""
    drawn = draw(generator(built.seed, "lava", name, block), (BLOCK, n)).astype(np.int64)
    steps, units = np.nonzero(drawn)
    return steps + block * BLOCK, units, drawn[steps, units]
