"""What one step of a population does, if it is a membrane that NIR has a word for.

The numbers come from the population's own step, whatever its model is called and whichever
integrator it has: v' = keeps * v + gains * currents + drift. So a file says what Ember does.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuro.build import Built, BuiltPopulation
from neuro.equations.names import WEIGHT
from neuro.equations.syntax import names_in, parse_lines
from neuro.nir._affine import Number, Sum, assigned, sum_of

__all__ = ["Arrival", "Membrane", "membrane_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arrival:
    """How a spike of weight w at one port acts.

    `delta` adds `gain * w` to the membrane; `exponential` adds w to a current that keeps `keeps` of
    itself each step, `gain` times which is added to the membrane in the step after.
    """

    kind: Literal["delta", "exponential"]
    gain: Array
    keeps: Array


@dataclass(frozen=True, eq=False)
class Membrane:
    """One step of a linear membrane, `(n,)` each, in mV from where each cell starts.

    `threshold` is None for cells that never spike; `drift` is what a step adds where they start.
    """

    keeps: Array
    drift: Array
    threshold: Array | None
    reset: Array
    arrivals: Mapping[int, Arrival] = field(default_factory=dict)


def membrane_of(
    built: Built, population: BuiltPopulation, ignored: set[str]
) -> tuple[Membrane | None, list[str]]:
    """The membrane of a population, or what NIR cannot say of it.

    Args:
        ignored: Of `refractory` and `coincidences`, what the caller wants left out.
    """
    program, where = population.program, f"population `{population.name}`"
    reasons = _by_name(built, population, ignored)
    if reasons:
        return None, reasons
    known = _known(built, population)
    new = assigned(program.active, known)
    states = {name: new[f"{name}__new"] for name in program.states}
    arrivals: dict[int, Arrival] = {}
    currents: set[str] = set()
    for number, delivery in enumerate(program.deliveries):
        synapse = population.ports[number].synapse.name
        if len(delivery) != 1 or delivery[0][0] not in states:
            reasons.append(f"what synapse `{synapse}` on {where} does")
            continue
        state, text = delivery[0]
        if state == "v" and program.threshold and "coincidences" not in ignored:
            reasons.append(f"delta synapses, whose arrivals a reset wipes out (on {where})")
        increment = sum_of(text, {**known, WEIGHT: Sum(0.0, {WEIGHT: 1.0})})
        if increment is None or np.any(increment.constant) or increment.reads() - {WEIGHT}:
            reasons.append(f"what synapse `{synapse}` on {where} adds")
            continue
        gain = increment.factor(WEIGHT)
        step = states[state]
        if state != "v":
            currents.add(state)
            if step is None or step.reads() - {state} or np.any(step.constant):
                reasons.append(f"synapses that do more than decay (`{synapse}` on {where})")
                continue
        kind: Literal["delta", "exponential"] = "delta" if state == "v" else "exponential"
        keeps = 0.0 if step is None else step.factor(state)
        arrivals[number] = Arrival(kind, _full(gain, population), _full(keeps, population))
        if state != "v" and np.any(population.initial[state]):
            reasons.append(f"start values of `{population.shown(state)}` (on {where})")
    if odd := sorted(set(states) - currents - {"v"}):
        port = next((p for p in population.ports if odd[0].endswith(p.suffix)), None)
        reasons.append(
            f"the variable `{odd[0]}` of model `{program.name}` ({where})"
            if port is None
            else f"synapses of several variables (`{port.synapse.name}` on {where})"
        )
    membrane = states.get("v")
    if not reasons and membrane is None:
        reasons.append(f"a membrane that is not linear ({where}, model `{program.name}`)")
    threshold, reset = _spike(population, known, reasons)
    if reasons or membrane is None:
        return None, reasons
    start = population.initial["v"]
    keeps_v = _full(membrane.factor("v"), population)
    drift = _full(membrane.constant, population) + (keeps_v - 1.0) * start
    # Cells that start at rest drift by the rounding of a few operations.
    scale = np.abs(start) + np.abs(_full(membrane.constant, population))
    drift = np.where(np.abs(drift) <= 8 * np.finfo(float).eps * scale, 0.0, drift)
    gains = {
        number: Arrival(
            arrival.kind,
            arrival.gain
            * _full(
                membrane.factor("v")
                if arrival.kind == "delta"
                else membrane.factor(program.deliveries[number][0][0]),
                population,
            ),
            arrival.keeps,
        )
        for number, arrival in arrivals.items()
    }
    found = Membrane(
        keeps_v, drift, None if threshold is None else threshold - start, reset - start, gains
    )
    return (found, []) if _usable(found) else (None, [f"time constants under a step ({where})"])


def _by_name(built: Built, population: BuiltPopulation, ignored: set[str]) -> list[str]:
    program, where = population.program, f"population `{population.name}`"
    reasons = []
    if "white noise" in program.features:
        reasons.append(f"noise ({where})")
    if "random numbers" in program.features:
        reasons.append(f"chance ({where}, model `{program.name}`)")
    if program.refractory and "refractory" not in ignored:
        lasts = sum_of(program.refractory, _known(built, population))
        if lasts is None or lasts.factors:
            reasons.append(f"a refractory condition ({where})")
        elif np.max(lasts.constant) > 0:
            reasons.append(f"a refractory period ({where}: {np.max(lasts.constant):g} ms)")
    for port in population.ports:
        lines = parse_lines(port.synapse.equations, port.synapse.name)
        if any("v" in names_in(line.expression) for line in lines if line.expression):
            reasons.append(f"conductances (synapse `{port.synapse.name}` on {where})")
    if population.drives:
        reasons.append(f"currents over time (drive of {where})")
    if "v" not in program.states and not reasons:
        reasons.append(f"cells without a membrane `v` ({where}, model `{program.name}`)")
    return reasons


def _known(built: Built, population: BuiltPopulation) -> dict[str, Sum]:
    program, n = population.program, population.n
    known = {name: Sum(value) for name, value in population.parameters.items()}
    known |= {"dt": Sum(built.dt_ms), "i": Sum(np.arange(n) * 1.0), "N": Sum(float(n))}
    varying = (*program.states, *program.inputs, *program.summed, "t")
    return known | {name: Sum(0.0, {name: 1.0}) for name in varying}


def _spike(
    population: BuiltPopulation, known: Mapping[str, Sum], reasons: list[str]
) -> tuple[Array | None, Array]:
    """Threshold and reset, in mV."""
    program, where = population.program, f"population `{population.name}`"
    nothing = np.zeros(population.n)
    if not program.threshold:
        return None, nothing
    after = assigned(program.subexpressions, known)
    level: Number = 0.0
    match ast.parse(program.threshold, mode="eval").body:
        case ast.Compare(
            left=ast.Name(id="v"), ops=[(ast.Gt() | ast.GtE()) as above], comparators=[right]
        ):
            found = sum_of(ast.unparse(right), after)
            if found is None or found.reads():
                reasons.append(f"a threshold that varies ({where}: `{program.threshold}`)")
            else:
                level = found.constant
                if isinstance(above, ast.GtE):  # NIR fires above its threshold, not at it
                    level = np.nextafter(level, -np.inf)
        case _:
            reasons.append(f"the threshold `{program.threshold}` ({where})")
    reset: Number = 0.0
    resets = {name: text for name, text in program.reset if name in program.states}
    back = sum_of(resets["v"], after) if set(resets) == {"v"} else None
    if back is None or back.reads():
        text = "; ".join(population.population.model.reset.split("\n")).strip()
        reasons.append(f"the reset `{text or 'of nothing'}` ({where})")
    else:
        reset = back.constant
    return _full(level, population), _full(reset, population)


def _usable(membrane: Membrane) -> bool:
    """Whether there are positive time constants, of at least a step, that do the same."""
    arrivals = membrane.arrivals.values()
    finite = all(np.isfinite(a.gain).all() and ((a.keeps >= 0) & (a.keeps < 1)).all()
                 for a in arrivals)  # fmt: skip
    leaks = (membrane.keeps >= 0) & (membrane.keeps < 1)
    return finite and bool(leaks.all() or (membrane.keeps == 1).all())


def _full(value: Number, population: BuiltPopulation) -> Array:
    return np.broadcast_to(np.asarray(value, np.float64), (population.n,)).copy()
