"""What a spike adds where modulation changes it: a back end that computes it once cannot follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuro.build import Built, BuiltPopulation
from neuro.edge_binding import scaled_by
from neuro.equations.hoist import evaluate
from neuro.equations.names import WEIGHT
from neuro.equations.port_names import outside
from neuro.equations.syntax import names_in

__all__ = ["modulated_increments"]


def modulated_increments(built: Built) -> Iterator[tuple[str, str]]:
    """What such a back end would get wrong: the synapse's name, and what it needs.

    That is a modulated parameter which is read where a spike arrives, and a modulated weight to
    which what is added is not in proportion.
    """
    places = [place for each in scaled_by(built).values() for place in each]
    if not places:
        return
    parameters = {(p.owner, p.parameter) for p in places if p.kind == "cells"}
    weights = {p.owner for p in places if p.kind == "weight"}
    for population in built.populations:
        pairs = zip(population.ports, population.program.deliveries, strict=True)
        for port, deliveries in pairs:
            for state, text in deliveries:
                added = outside(state, population.ports)
                for name in sorted(names_in(text)):
                    if (population.name, name) in parameters:
                        read = outside(name, population.ports)
                        need = f"modulated `{read}` in what a spike adds to `{added}`"
                        yield port.synapse.name, need
                if weights & set(port.projections) and not _proportional(population, text):
                    need = f"modulated weight that `{added}` does not take in proportion"
                    yield port.synapse.name, need


def _proportional(population: BuiltPopulation, text: str) -> bool:
    """Whether twice the weight adds twice as much, in each cell, at weights of all sizes."""
    if text == WEIGHT:
        return True
    weights = np.logspace(-6, 6, 25)
    weights = np.concatenate([weights, -weights])[:, None]
    names = names_in(text)
    values = {name: v for name, v in population.parameters.items() if name in names} | {"dt": 0.1}
    once, twice = (evaluate(text, {**values, WEIGHT: w}) for w in (weights, 2 * weights))
    return bool(np.allclose(2 * once, twice, rtol=1e-12))
