"""A population -> the neuron node that does the same, and how weights enter it.

Every tool that reads NIR advances a node by forward Euler, so time constants are given as
`dt / (1 - keeps)`: Euler with them makes exactly the step that Ember makes, whichever integrator
made it. Among the ways to say that, these are the ones that most tools read alike: resistances of
1 where currents last a step, and `tau / dt` where they decay, so that an arriving spike is a jump
by its weight (as snnTorch, SpikingJelly and Norse's readers have it); voltages counted from where
each cell starts, so that leak and start are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.build import Built, BuiltPopulation
from neuro.nir._membrane import Membrane, membrane_of
from neuro.nir.models import CURRENT_INPUT, GRADED, PULSE, SAME_STEP, nir_model
from neuro.nir.units import OWN
from neuro.units import ms

__all__ = ["Cell", "Way", "cell_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Way:
    """How a port's weights enter: times `scale` for each target, through `filter` if there is one.

    `at_once` marks synapses that read their source at every step and have no delay.
    """

    scale: Array
    filter: Mapping[str, Array] | None = None
    at_once: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """A node in the making: its type and fields, ways in, and a constant current or None."""

    kind: str
    values: Mapping[str, Array]
    ways: Mapping[int, Way] = field(default_factory=dict)
    bias: Array | None = None
    late: int | None = None
    """The step in which `bias` begins, if it is not the first; the cell must lag as much."""


def cell_of(
    built: Built, population: BuiltPopulation, ignored: set[str]
) -> tuple[Cell | None, list[str]]:
    """The node of a population, or what NIR cannot say of it."""
    for kind in ("LIF", "IF", "LI", "I", "CubaLIF", "CubaLI"):
        for driven in (False, True):
            for seen in (False, True):
                model: Any = nir_model(kind, driven=driven, seen=seen)
                if population.population.model is model:
                    return _native(built, population, kind)
    membrane, reasons = membrane_of(built, population, ignored)
    if membrane is None:
        return None, reasons
    return _cell(membrane, built.dt_ms / 1000.0), []


def _cell(membrane: Membrane, dt_s: float) -> Cell:
    nothing = np.zeros_like(membrane.keeps)
    leaky = bool((membrane.keeps < 1).all())
    bias = membrane.drift if membrane.drift.any() else None
    share = 1.0 - membrane.keeps if leaky else np.ones_like(nothing)
    arrivals = membrane.arrivals
    spiking: dict[str, Array] = {}
    if membrane.threshold is not None:
        spiking = {"v_threshold": membrane.threshold, "v_reset": membrane.reset}
    if leaky and bias is None and [a.kind for a in arrivals.values()] == ["exponential"]:
        ((number, arrival),) = arrivals.items()
        tau_mem, tau_syn = dt_s / share, dt_s / (1.0 - arrival.keeps)
        values = {
            "tau_mem": tau_mem, "tau_syn": tau_syn, "r": tau_mem / dt_s, "v_leak": nothing,
            "w_in": tau_syn / dt_s, **spiking,
        }  # fmt: skip
        kind = "CubaLIF" if spiking else "CubaLI"
        return Cell(kind, values, {number: Way(arrival.gain)})
    ways = {}
    for number, arrival in arrivals.items():
        held = None
        if arrival.kind == "exponential":
            tau = dt_s / (1.0 - arrival.keeps)
            held = {"tau": tau, "r": tau / dt_s, "v_leak": nothing}
        ways[number] = Way(arrival.gain / share, held)
    bias = None if bias is None else bias / share
    if leaky:
        values = {"tau": dt_s / share, "r": np.ones_like(nothing), "v_leak": nothing, **spiking}
        return Cell("LIF" if spiking else "LI", values, ways, bias)
    values = {"r": np.full_like(nothing, 1.0 / dt_s), **spiking}
    return Cell("IF" if spiking else "I", values, ways, bias)


def _native(built: Built, population: BuiltPopulation, kind: str) -> tuple[Cell | None, list[str]]:
    """A population that was read from a NIR graph: its parameters are the node's fields."""
    where, n = f"population `{population.name}`", population.n
    given = {key: np.broadcast_to(value, (n,)) for key, value in population.parameters.items()}
    reasons, ways = list[str](), {}
    current, voltage = float(OWN.current), float(OWN.voltage)
    for number, port in enumerate(population.ports):
        graded = port.synapse is GRADED
        if not (graded or port.synapse in (PULSE, SAME_STEP)):
            reasons.append(f"synapse `{port.synapse.name}` on {where}, which was read from NIR")
            continue
        if port.synapse is PULSE and port.parameters["width"] != ms(built.dt_ms):
            reasons.append(f"pulses of {port.parameters['width']} at steps of {built.dt_ms:g} ms")
        unit = current / voltage if graded else current
        ways[number] = Way(np.full(n, 1.0 / unit), at_once=port.synapse is not PULSE)
    start = np.broadcast_to(given.get("v_leak", 0.0), (n,))
    if (population.initial["v"] != start).any():
        reasons.append(f"start values of `v` ({where})")
    bias, late = given["I_ext"] / current, None
    for drive in population.drives.values():
        values = drive.values.reshape(drive.values.shape[0], -1)
        starts = int((values == 0).all(axis=1).sum())
        if drive.dt_ms != built.dt_ms or (values[starts:] != values[-1]).any():
            reasons.append(f"currents over time (drive `{CURRENT_INPUT}` of {where})")
        bias, late = np.broadcast_to(values[-1] / current, (n,)), starts
    if reasons:
        return None, reasons
    voltages = ("v_leak", "v_threshold", "v_reset")
    fields = {key: given[key] / voltage for key in voltages if key in given}
    for key in ("tau", "tau_mem", "tau_syn"):
        if key in given:
            fields[key] = given[key] / float(OWN.time)
    per_time = float(OWN.time) if kind in ("IF", "I") else 1.0
    fields["r"] = given["r"] / OWN.resistance * per_time
    if "w_in" in given:
        fields["w_in"] = np.array(given["w_in"])
    return Cell(kind, fields, ways, bias if np.any(bias) else None, late), []
