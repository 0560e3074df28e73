"""Whether a population's step is that of Loihi's LIF, and with which numbers.

A StepProgram is taken apart, whatever its text: a membrane that keeps a part of its distance from
rest and adds one decaying current is Loihi's LIF, exactly, since that is how the exact step, the
exponential Euler step and the explicit ones of such a model all look.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.affine import Affine, NotAffine, affine_step, affine_value
from neuro.build import BuiltPopulation
from neuro.equations.hoist import evaluate
from neuro.equations.names import WEIGHT
from neuro.equations.syntax import is_condition, names_in, parse_lines
from neuro.errors import NetworkError
from neuro.models.poisson import POISSON

__all__ = ["Current", "LifForm", "Unfit", "is_poisson", "lif_form"]

_SAME = 1e-9  # relative; what rounding in double precision leaves of equal values


class Unfit(ValueError):
    """What Loihi's LIF has not, in words that complete `it has no …`."""


@dataclass(frozen=True)
class Current:
    """How one port reaches the membrane.

    A weight w arriving at the port adds `gain*w` (mV) to the membrane in the step after, and
    `decay` is what is left of that a step later; 0 for a synapse that steps the membrane itself.
    `state` is the variable that holds it; empty for the latter.
    """

    state: str
    gain: float
    decay: float


@dataclass(frozen=True, eq=False)
class LifForm:
    """`x` is the membrane potential above reset, in mV: `x = keep*x + currents + rise`.

    Attributes:
        membrane: The state that is x above `reset`.
        keep: What a step leaves of x.
        rise: `(n,)` what a step adds without input.
        distance: From reset to threshold.
        reset: `(n,)` potential after a spike.
        currents: Of each port.
        flow: What one unit of each current state adds to x in a step.
    """

    membrane: str
    keep: float
    rise: NDArray[np.float64]
    distance: float
    reset: NDArray[np.float64]
    currents: tuple[Current, ...]
    flow: Mapping[str, float]

    @property
    def steps(self) -> bool:
        """Whether synapses step the membrane itself."""
        return any(not current.state for current in self.currents)

    @property
    def decay(self) -> float:
        """What a step leaves of the current; all ports have the same."""
        return self.currents[0].decay if self.currents else 0.0


def is_poisson(population: BuiltPopulation) -> bool:
    """Whether cells spike by chance alone; they become input spikes."""
    return population.program.threshold == POISSON.threshold and not population.program.states


def lif_form(population: BuiltPopulation, dt_ms: float) -> LifForm:
    """The population in the form of Loihi's LIF.

    Raises:
        Unfit: naming what Loihi's LIF has not.
        NetworkError: if the parameters make no step.
    """
    program = population.program
    if program.inputs:
        raise Unfit(f"input over time (`{program.inputs[0]}`)")
    if not program.states:
        raise Unfit("cells without a membrane")
    values: dict[str, Any] = {**population.parameters, "dt": dt_ms}
    _no_refractoriness(population, values)
    try:
        step = affine_step(program.active, program.states, values)
    except NotAffine as error:
        raise Unfit(_nonlinear(population, str(error))) from None
    numbers = [x for a in step.values() for x in (a.constant, *a.weights.values())]
    if not all(np.isfinite(x).all() for x in numbers):
        raise NetworkError(
            f"population `{population.name}`: a step must come out finite, found infinity or NaN; "
            f"check the parameters {', '.join(program.parameters)}"
        )
    reader = _Constants(population, values)
    membrane, threshold = reader.threshold()
    reset = reader.reset(membrane)
    distance = _one("distance from reset to threshold", threshold - reset)
    if not distance > 0:
        raise Unfit(f"threshold at or below the reset (they are {distance:g} mV apart)")
    keep = _one("membrane time constant", step[membrane].of(membrane), dt_ms)
    if not 0 <= keep <= 1:
        raise Unfit(f"membrane that grows or swings by itself (a step leaves {keep:.3g} of it)")
    flow, decays = _currents(population, step, membrane, values)
    currents = tuple(
        _port(population, k, membrane, keep, flow, decays, values)
        for k in range(len(population.ports))
    )
    found = sorted({round(c.decay, 12) for c in currents})
    if len(found) > 1:
        taus = " and ".join("none" if d <= 0 else f"{-dt_ms / np.log(d):.3g} ms" for d in found)
        raise Unfit(f"second synaptic time constant in one population (these have {taus})")
    rise, reset = (
        np.broadcast_to(np.asarray(value, np.float64), (population.n,))
        for value in (step[membrane].constant, reset)
    )
    return LifForm(membrane, keep, rise - (1 - keep) * reset, distance, reset, currents, flow)


def _no_refractoriness(population: BuiltPopulation, values: Mapping[str, Any]) -> None:
    text = population.program.refractory
    if not text:
        return
    if is_condition(text):
        raise Unfit("conditional refractoriness")
    steps = np.floor(evaluate(text, values) / values["dt"] + 0.001)
    if np.max(steps) > 1:  # the step after a spike is never the spike's own
        raise Unfit(
            f"refractory period, as Lava's fixed-point LIF has none (`{text}` is "
            f"{np.max(evaluate(text, values)):g} ms; at most {1.99 * values['dt']:.3g} ms is none)"
        )


def _nonlinear(population: BuiltPopulation, part: str) -> str:
    reads_v = {
        port.synapse.name
        for port in population.ports
        for line in parse_lines(port.synapse.equations, "synapse")
        if line.expression and "v" in names_in(line.expression)
    }
    if reads_v:
        return f"synapses that depend on the target's voltage (`{'`, `'.join(sorted(reads_v))}`)"
    return f"membrane other than a linear one with constant coefficients (`{part}`)"


class _Constants:
    """Reads threshold and reset, which may use subexpressions."""

    def __init__(self, population: BuiltPopulation, values: Mapping[str, Any]) -> None:
        self._program, self._values = population.program, values
        self._known = {name: Affine(0.0, {name: 1.0}) for name in self._program.states}
        for name, text in self._program.subexpressions:
            try:
                self._known[name] = affine_value(text, self._known, values)
            except NotAffine:
                continue  # threshold or reset will miss it if they read it

    def threshold(self) -> tuple[str, Any]:
        """The state that is compared, and with what."""
        text = self._program.threshold
        tree = ast.parse(text or "0", mode="eval").body
        match tree:
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                sides = ast.unparse(left), ast.unparse(right)
            case ast.Compare(left=left, ops=[ast.Lt()], comparators=[right]):
                sides = ast.unparse(right), ast.unparse(left)
            case _:
                raise Unfit(f"threshold like `{text}`" if text else "cells that never spike")
        if sides[0] not in self._program.states:
            raise Unfit(f"threshold like `{text}`")
        return sides[0], self._constant(sides[1], f"threshold like `{text}`")

    def reset(self, membrane: str) -> Any:
        """What the membrane becomes."""
        states = self._program.states
        resets = [(name, text) for name, text in self._program.reset if name in states]
        if len(resets) != 1 or resets[0][0] != membrane:
            texts = "; ".join(f"{name} = {text}" for name, text in resets)
            raise Unfit(f"reset like `{texts}`" if texts else "spikes without a reset")
        text = resets[0][1]
        return self._constant(text, f"reset like `{membrane} = {text}`")

    def _constant(self, text: str, otherwise: str) -> Any:
        try:
            value = affine_value(text, self._known, self._values)
        except NotAffine:
            raise Unfit(otherwise) from None
        if value.weights:
            raise Unfit(otherwise)
        return np.asarray(value.constant, np.float64)


def _one(what: str, value: Any, dt_ms: float = 0.0) -> float:
    """The one value that all cells have; with `dt_ms`, what a step leaves, shown as a time."""
    array = np.asarray(value, np.float64)
    if np.ptp(array) > _SAME * max(1.0, float(np.abs(array).max())):
        low, high, unit = array.min(), array.max(), ""
        if dt_ms and low > 0 and high < 1:
            low, high, unit = -dt_ms / np.log(low), -dt_ms / np.log(high), " ms"
        raise Unfit(
            f"{what} that differs from cell to cell (found {low:.4g} to {high:.4g}{unit}); give "
            f"each value a population of its own"
        )
    return float(array.flat[0])


def _currents(
    population: BuiltPopulation, step: Mapping[str, Affine], membrane: str,
    values: Mapping[str, Any],
) -> tuple[dict[str, float], dict[str, float]]:  # fmt: skip
    """What each other state adds to the membrane in a step, and what a step leaves of it."""
    flow, decays = dict[str, float](), dict[str, float]()
    owner = {
        line.name + port.suffix: port.synapse.name
        for port in population.ports
        for line in parse_lines(port.synapse.equations, "synapse")
    }
    for state in population.program.states:
        if state == membrane:
            continue
        reads = {name for name, weight in step[state].weights.items() if np.any(weight)}
        if state not in owner or membrane in reads or np.any(step[state].constant):
            raise Unfit(f"second variable beside the membrane (`{population.shown(state)}`)")
        if reads - {state}:
            raise Unfit(f"synaptic current that rises before it falls (`{owner[state]}`)")
        flow[state] = _one(f"effect of `{population.shown(state)}`", step[membrane].of(state))
        decays[state] = _one("synaptic time constant", step[state].of(state), values["dt"])
        if not 0 <= decays[state] <= 1:
            raise Unfit(f"synaptic current that grows or swings by itself (`{owner[state]}`)")
    return flow, decays


def _port(
    population: BuiltPopulation, k: int, membrane: str, keep: float, flow: Mapping[str, float],
    decays: Mapping[str, float], values: Mapping[str, Any],
) -> Current:  # fmt: skip
    name = population.ports[k].synapse.name
    arriving = {WEIGHT: Affine(0.0, {WEIGHT: 1.0})}
    added = population.program.deliveries[k]
    if len(added) != 1:
        raise Unfit(f"synapses that change {len(added)} variables at once (`{name}`)")
    state, text = added[0]
    try:
        increment = affine_value(text, arriving, values)
    except NotAffine:
        raise Unfit(
            f"synapses whose effect is not in proportion to the weight (`{name}`)"
        ) from None
    if np.any(increment.constant):
        raise Unfit(f"synapses whose effect is not in proportion to the weight (`{name}`)")
    factor = _one(f"effect of `{name}`", increment.of(WEIGHT))
    if state == membrane:
        return Current("", keep * factor, 0.0)
    if state not in flow:
        raise Unfit(f"synapses that change `{population.shown(state)}` (`{name}`)")
    return Current(state, flow[state] * factor, decays[state])
