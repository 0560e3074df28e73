"""Twins: networks that differ from the given one by roundings, to learn what roundings can do.

A back end rounds at every step. By backward error analysis (Wilkinson 1963, Rounding Errors in
Algebraic Processes) what it computes is what exact arithmetic gives for numbers that differ a
little from those it was given. So the reference runs networks whose every number differs a little
too; how far they come apart is what may come from rounding in this very network, however it
amplifies errors: not at all, in the upswing of a spike, or without bound, if it is chaotic.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from neuro.network import Network, Normal, Population, Projection, Uniform, Value
from neuro.units import CAPACITANCE, TIME, Quantity
from neuro.wiring import generator
from sims.compare.rounding import Rounding

__all__ = ["twin_of"]


_SLOW = (TIME, CAPACITANCE)
"""Dimensions of what sets a time constant."""


def twin_of(network: Network, rounding: Rounding, seed: int) -> Network:
    """The network with every parameter, start value, weight and drive moved by a rounding.

    Each number is moved by a factor of its own, `1 + r*u` with u even in -1..1 and r what
    `rounding` has for its kind. What is counted in whole steps stays: delays, refractory times,
    the times of spikes. So do transmitters, and the rates of random spikes. Of what is drawn, the
    distribution is moved.
    """
    return _Mover(rounding, generator(seed, "twin")).network(network)


class _Mover:
    def __init__(self, rounding: Rounding, rng: np.random.Generator) -> None:
        self._rounding, self._rng = rounding, rng

    def network(self, network: Network) -> Network:
        return replace(
            network,
            populations=tuple(map(self._cells, network.populations)),
            projections=tuple(map(self._synapses, network.projections)),
            drives=tuple(
                replace(d, values=self._moved(d.values, self._rounding.others))
                for d in network.drives
            ),
        )

    def _cells(self, population: Population) -> Population:
        model = population.model
        counted = set(re.findall(r"\w+", model.refractory))
        start = {**model.initial, **population.initial}
        named = {name: value for name, value in start.items() if isinstance(value, str)}
        parameters: dict[str, Value] = {**model.parameters, **population.parameters}
        return replace(
            population,
            parameters={
                name: value
                if name in counted
                else self._moved(value, self._size(model.parameters.get(name)))
                for name, value in parameters.items()
            },
            initial={
                name: self._moved(value, self._rounding.others)
                for name, value in start.items()
                if not isinstance(value, str)
            },
            # A start value that a parameter names follows that parameter.
            model=replace(model, initial=named),
        )

    def _synapses(self, projection: Projection) -> Projection:
        given = {**projection.synapse.parameters, **projection.parameters}
        return replace(
            projection,
            weight=self._moved(projection.weight, self._rounding.weights),
            parameters={
                k: self._quantity(v, self._factor(self._size(v))) for k, v in given.items()
            },
        )

    def _size(self, parameter: Quantity | None) -> float:
        slow = parameter is not None and parameter.dimension in _SLOW
        return self._rounding.times if slow else self._rounding.others

    def _factor(self, relative: float, size: int | None = None) -> Any:
        return 1.0 + relative * self._rng.uniform(-1.0, 1.0, size)

    def _moved(self, value: Value, relative: float) -> Any:
        if isinstance(value, Quantity):
            if not value.ndim:
                return self._quantity(value, self._factor(relative))
            return value * self._factor(relative, value.size).reshape(value.shape)
        if isinstance(value, (Normal, Uniform)):
            by = self._factor(relative)
            ends = ("mean", "sd") if isinstance(value, Normal) else ("low", "high")
            moved = {end: self._quantity(getattr(value, end), by) for end in ends}
            return replace(value, **moved)  # type: ignore[arg-type]
        array = np.asarray(value, np.float64)
        return array * self._factor(relative, array.size).reshape(array.shape)

    @staticmethod
    def _quantity(value: Quantity, by: float) -> Quantity:
        return Quantity(float(value) * by, value.dimension)
