"""Transmitters and effects in Brian2: one operation at the start of each step."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.brian.edges import FACTOR, parameter_of
from neuro.backends.brian.parts import Parts
from neuro.build import Built
from neuro.edge_binding import Scaled, scaled_by
from neuro.modulation import Effect, effect_factor
from neuro.timing import release_steps, steps_of
from neuro.units import coherent_factor

__all__ = ["Modulators"]


class Modulators:
    """Follows concentrations from the groups' spikes, and sets what they scale.

    Attributes:
        operation: The Brian2 object to add to the network.
    """

    def __init__(self, b2: Any, parts: Parts, built: Built, n_steps: int, every_ms: float) -> None:
        self._parts, self._built, self._n_steps = parts, built, n_steps
        network, dt_ms = built.network, built.dt_ms
        self._every = steps_of(every_ms, dt_ms, "every")
        self._concentration = {t.name: float(t.baseline_at(0.0)) for t in network.transmitters}
        self._effects: dict[str, list[Effect]] = {}
        for effect in network.effects:
            key = f"{effect.target}.{effect.parameter}"
            self._effects.setdefault(key, []).append(effect)
        self._factors = dict.fromkeys(self._effects, 1.0)
        places = scaled_by(built)
        self._scaled = {
            key: [self._variable(place) for place in places[key] if place.kind != "reasoner"]
            for key in self._effects
        }
        self._counts: dict[str, deque[int]] = {}
        for t in network.transmitters:
            delay = release_steps(float(t.delay), dt_ms)
            self._counts[t.name] = deque([0] * delay, maxlen=delay)
        self._kept: list[tuple[list[float], list[float]]] = []
        self._step = 0
        self.operation = b2.NetworkOperation(self._advance, dt=parts.dt, when="start", order=0)

    def _advance(self) -> None:
        """Bring concentrations to the start of this step, and set the parameters they scale."""
        if self._step >= self._n_steps:
            return
        if self._step:
            self._release_and_decay()
        self._apply()
        if self._step % self._every == 0:
            values = list(self._concentration.values()), list(self._factors.values())
            self._kept.append(values)
        self._step += 1

    def _release_and_decay(self) -> None:
        dt_ms = self._built.dt_ms
        for t in self._built.network.transmitters:
            base = float(t.baseline_at((self._step - 1) * dt_ms))
            old = self._concentration[t.name]
            new = base + (old - base) * np.exp(-dt_ms / float(t.uptake))
            if t.released_by:
                group = self._parts.groups[t.released_by]
                self._counts[t.name].append(len(group.spikes))
                new += float(t.per_spike) / group.N * self._counts[t.name][0]
            self._concentration[t.name] = float(new)

    def _apply(self) -> None:
        occupancy = {
            r.name: r.occupancy(self._concentration[r.transmitter])
            for r in self._built.network.receptors
        }
        for key, effects in self._effects.items():
            factor = self._factors[key] = float(effect_factor(effects, occupancy))
            for variable, value in self._scaled[key]:
                variable.set_value(value * factor)

    def _variable(self, place: Scaled) -> tuple[Any, Any]:
        """Brian2's variable of a parameter or weight, and its value at a factor of 1."""
        parts, built = self._parts, self._built
        if place.kind == "weight":
            if place.owner in parts.synapses:
                return parts.synapses[place.owner].variables[FACTOR], 1.0
            return parts.backgrounds[place.owner], 1.0
        if place.kind == "cells":
            cells = next(p for p in built.populations if p.name == place.owner)
            scale = coherent_factor(cells.composed.parameters[place.parameter].dimension)
            name = parts.spelled[place.owner][place.parameter]
            variable = parts.groups[place.owner].variables[name]
            return variable, np.asarray(cells.parameters[place.parameter]) / scale
        projection = next(p for p in built.projections if p.projection.name == place.owner)
        target = next(p for p in built.populations if p.name == projection.projection.target)
        return parameter_of(
            parts.synapses[place.owner],
            target.ports[projection.port],
            place.parameter,
            projection.edge_parameters[place.parameter],
        )

    def courses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What was sampled, one row a frame: concentrations, factors."""
        n = len(self._kept)
        widths = len(self._concentration), len(self._effects)
        return (
            np.array([kept[0] for kept in self._kept]).reshape(n, widths[0]),
            np.array([kept[1] for kept in self._kept]).reshape(n, widths[1]),
        )
