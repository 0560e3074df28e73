"""From a built network to its modules: what is trained, modulated and given is known here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from neuro.backends.norse._values import Values
from neuro.backends.norse.cells import CellStep
from neuro.backends.norse.connectivity import Paths
from neuro.backends.norse.edges import EdgeStep
from neuro.backends.norse.names import places
from neuro.backends.norse.surrogate import Surrogate
from neuro.build import Built, BuiltPopulation, BuiltProjection
from neuro.edge_binding import scaled_by
from neuro.equations.names import WEIGHT
from neuro.errors import ConfigError

__all__ = ["Assembly", "Trainable", "spread_over"]

Trainable = Collection[str] | Mapping[str, Literal["each", "one"]]
"""Names of what is trained; or, by name, whether each cell or edge has a value of its own."""


@dataclass(frozen=True)
class Assembly:
    """How the modules of a network are made.

    Attributes:
        trained: For each kind and owner of `names.Place`, what is trained and how.
        modulated: For `cells`, `edges` and `weight`, the key of the factor on each parameter of
            each owner.
        streamed: Parameters of each population that are given anew at each step.
    """

    built: Built
    trained: Mapping[tuple[str, str], Mapping[str, str]]
    modulated: Mapping[str, Mapping[str, Mapping[str, str]]]
    streamed: Mapping[str, Collection[str]]
    dtype: torch.dtype
    surrogate: Surrogate
    reset_gradient: bool

    @classmethod
    def of(
        cls, built: Built, trainable: Trainable, streamed: Sequence[str], *, dtype: torch.dtype,
        surrogate: Surrogate, reset_gradient: bool,
    ) -> Assembly:  # fmt: skip
        """Read the names.

        Raises:
            NetworkError: if a name means nothing in this network.
            ConfigError: if it can be neither trained nor streamed.
        """
        modes = dict(trainable) if isinstance(trainable, Mapping) else dict.fromkeys(trainable, "")
        trained: dict[tuple[str, str], dict[str, str]] = {}
        for name, mode in modes.items():
            if mode not in ("", "each", "one"):
                raise ConfigError(f"trainable: `{name}` must be `each` or `one`, found `{mode}`")
            for place in places(built, name):
                trained.setdefault((place.kind, place.owner), {})[place.name] = mode
        given: dict[str, list[str]] = {}
        for name in streamed:
            for place in places(built, name, "streamed"):
                if place.kind != "cells":
                    raise ConfigError(
                        f"streamed: `{name}` must be a parameter of a population, found another"
                    )
                given.setdefault(place.owner, []).append(place.name)
        modulated: dict[str, dict[str, dict[str, str]]] = {"cells": {}, "edges": {}, "weight": {}}
        for key, scaled in scaled_by(built).items():
            for one in scaled:
                if one.kind in modulated:
                    modulated[one.kind].setdefault(one.owner, {})[one.parameter] = key
        return cls(built, trained, modulated, given, dtype, surrogate, reset_gradient)

    def cell(self, population: BuiltPopulation) -> CellStep:
        """The step of a population."""
        name = population.name
        parameters, start = (self.trained.get((kind, name), {}) for kind in ("cells", "start"))
        initial = _shaped(population.initial, start, population.n, name)
        shaped = replace(
            self._with_arrivals(population),
            parameters=_shaped(population.parameters, parameters, population.n, name),
            initial={state: np.asarray(value) for state, value in initial.items()},
        )
        return CellStep(
            shaped, self.built.dt_ms, surrogate=self.surrogate, dtype=self.dtype,
            trainable={*parameters, *start}, modulated=self.modulated["cells"].get(name, {}),
            streamed=self.streamed.get(name, ()), reset_gradient=self.reset_gradient,
        )  # fmt: skip

    def _with_arrivals(self, population: BuiltPopulation) -> BuiltPopulation:
        """The population, its program naming what plastic synapses add to as well."""
        deliveries = list(population.program.deliveries)
        for number, port in enumerate(population.ports):
            for name in set(port.projections) & set(self.built.edges):
                states = self.built.edges[name].program.writes_post
                deliveries[number] = tuple((state, WEIGHT) for state in states)
        program = replace(population.program, deliveries=tuple(deliveries))
        return replace(population, program=program)

    def edge(self, projection: BuiltProjection, paths: Paths) -> EdgeStep:
        """The synapses of a projection that have a state of their own."""
        name = projection.projection.name
        return EdgeStep(
            projection, paths, dtype=self.dtype, trainable=self.trained.get(("edges", name), {}),
            modulated=self.modulated["edges"].get(name, {}),
        )  # fmt: skip

    def weight(self, owner: str, values: float | NDArray[np.float64], n: int) -> Values:
        """A projection's or background's weights."""
        mode = self.trained.get(("weight", owner), {})
        shaped = _shaped({"weight": values}, mode, n, owner)
        return Values(shaped, mode, self.dtype, persistent=False)


def spread_over(value: float | NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """One value for each of n."""
    return np.broadcast_to(np.asarray(value, np.float64), (n,)).copy()


def _shaped(
    values: Mapping[str, float | NDArray[np.float64]], modes: Mapping[str, str], n: int, owner: str
) -> dict[str, float | NDArray[np.float64]]:
    """Trained values, one for each of n or one for all.

    Raises:
        ConfigError: if values that differ were to be one.
    """
    shaped = dict(values)
    for name, mode in modes.items():
        value = np.asarray(values[name])
        if mode == "each":
            shaped[name] = spread_over(value, n)
        elif mode == "one":
            if value.size and np.ptp(value):
                raise ConfigError(
                    f"trainable: `{owner}.{name}` can be `one` only if all are equal, found "
                    f"{value.min():g} to {value.max():g}"
                )
            shaped[name] = float(value.flat[0]) if value.size else 0.0
    return shaped
