"""What comes from outside: sources' spikes, and chance, drawn here, as Loihi's cells have none.

What is drawn belongs to a block of steps and to a name, so it depends neither on the length of a
run nor on who runs it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
            rng = generator(built.seed, "lava", population.name, block)
            steps, units = np.nonzero(rng.random((BLOCK, population.n)) < chance)
            found.append(Inputs(population.name, population.n, steps + first, units))
    for part in built.backgrounds:
        name = part.background.name
        n = built.network.population(part.background.target).n
        drawn = generator(built.seed, "lava", name, block).poisson(part.arrivals, (BLOCK, n))
        steps, units = np.nonzero(drawn)
        payload = np.minimum(drawn[steps, units], PAYLOAD)
        found.append(Inputs(background_input(name), n, steps + first, units, payload))
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
