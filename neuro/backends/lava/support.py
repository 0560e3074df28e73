"""Refuse, by name, what Loihi cannot do; before anything compiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuro.backends import BACKENDS
from neuro.backends.lava.lif_form import LifForm, Unfit, is_poisson, lif_form
from neuro.backends.lava.processes import DELAY
from neuro.build import Built
from neuro.errors import BackendUnsupported
from neuro.network import Normal, Projection, Uniform
from neuro.timing import nearest_steps
from neuro.units import coherent

__all__ = ["NAME", "lif_forms"]

NAME = "lava"


def lif_forms(built: Built) -> dict[str, LifForm]:
    """Each population in the form of Loihi's LIF, but for those of Poisson cells.

    Raises:
        BackendUnsupported: naming what Loihi has not, and who has.
    """
    network = built.network
    for what, items in (
        ("neuromodulation", (*network.transmitters, *network.effects)),
        ("input over time", network.drives),
    ):
        if items:
            raise _unsupported(built, network.name, what)
    found = {}
    for population in built.populations:
        if is_poisson(population):
            continue
        try:
            found[population.name] = lif_form(population, built.dt_ms)
        except Unfit as error:
            raise _unsupported(built, population.name, str(error)) from None
    for name, delay_ms in _longest(built):
        steps = int(nearest_steps(delay_ms, built.dt_ms))
        if steps > DELAY:
            raise _unsupported(
                built, name,
                f"delays above {DELAY} steps ({DELAY * built.dt_ms:g} ms; projection `{name}` has "
                f"{steps}); raise dt or shorten it",
            )  # fmt: skip
    return found


def _unsupported(built: Built, part: str, missing: str) -> BackendUnsupported:
    needs = set[str]().union(*built.features().values())
    needs = needs.union(*(bound.program.features for bound in built.edges.values()))
    able = [b.name for b in BACKENDS.values() if b.name != NAME and needs <= b.features]
    return BackendUnsupported(part, NAME, [missing], able)


def _longest(built: Built) -> Iterator[tuple[str, float]]:
    """The longest delay of each projection, so far as it is known: drawn, or bound by its rule."""
    if built.projections:
        for drawn in built.projections:
            steps = drawn.delay_steps
            yield drawn.projection.name, float(steps.max(initial=0)) * built.dt_ms
    else:
        for projection in built.network.projections:
            yield projection.name, _bound(projection)


def _bound(projection: Projection) -> float:
    match projection.delay:
        case Uniform(high=high):
            return float(high)
        case Normal(high=high):
            return float(high) if np.isfinite(high) else 0.0
        case given:
            return float(np.max(coherent(given), initial=0.0))
