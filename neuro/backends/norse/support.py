"""What no list of features can say: networks whose synapses this back end would get wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuro.build import Built, BuiltPopulation
from neuro.edge_binding import scaled_by
from neuro.equations.compose import Port
from neuro.equations.hoist import evaluate
from neuro.equations.names import WEIGHT
from neuro.equations.port_names import outside
from neuro.equations.syntax import names_in
from neuro.errors import BackendUnsupported

__all__ = ["check"]

_ABLE = ("brian",)


def check(built: Built) -> None:
    """Refuse static synapses that are not a weight times what stays the same.

    Raises:
        BackendUnsupported: if what a spike adds reads a modulated parameter, or is not in
            proportion to a weight that is modulated.
    """
    modulated = [place for places in scaled_by(built).values() for place in places]
    parameters = {(p.owner, p.parameter) for p in modulated if p.kind == "cells"}
    weights = {p.owner for p in modulated if p.kind == "weight"}
    for population in built.populations:

        def called(name: str, ports: Sequence[Port] = population.ports) -> str:
            return outside(name, ports)

        for number, port in enumerate(population.ports):
            for state, text in population.program.deliveries[number]:
                for name in sorted(names_in(text)):
                    if (population.name, name) in parameters:
                        raise BackendUnsupported(
                            port.synapse.name, "norse",
                            [f"modulated `{called(name)}` in what a spike adds to "
                             f"`{called(state)}`"], _ABLE,
                        )  # fmt: skip
                if weights & set(port.projections) and not _proportional(population, text):
                    raise BackendUnsupported(
                        port.synapse.name, "norse",
                        [f"modulated weight that `{called(state)}` does not take in proportion"],
                        _ABLE,
                    )  # fmt: skip


def _proportional(population: BuiltPopulation, text: str) -> bool:
    """Whether twice the weight adds twice as much, at weights of all sizes and both signs."""
    weights = np.logspace(-6, 6, 25)
    weights = np.concatenate([weights, -weights])
    values = {name: np.ravel(value)[0] for name, value in population.parameters.items()} | {
        "dt": 0.1
    }
    once, twice = (evaluate(text, {**values, WEIGHT: w}) for w in (weights, 2 * weights))
    return bool(np.allclose(2 * once, twice, rtol=1e-12))
