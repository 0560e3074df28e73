"""A bound network in Loihi's whole numbers, and what that cost.

Potentials count from reset, so that a reset is 0. A population's scale (bits per mV) follows from
the whole number that its threshold becomes; that number is chosen so that its weights, too, come
close to whole numbers. Rounded time constants would change what inputs add up to, so constant
inputs and weights are scaled to leave steady states where they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.lif_form import LifForm, is_poisson
from neuro.backends.lava.processes import BIAS_MANTISSA, DECAY, STATE, LifCells, Synapses
from neuro.backends.lava.report import CellLoss, Pair, Report, WeightLoss
from neuro.backends.lava.scaling import TOP, UNIT, Decays, Incoming, choose_threshold
from neuro.backends.lava.support import lif_forms
from neuro.build import Built, BuiltPopulation
from neuro.errors import NetworkError

__all__ = ["Quantised", "Scale", "quantise"]


@dataclass(frozen=True, eq=False)
class Scale:
    """How a population's whole numbers are read.

    Attributes:
        membrane: Name of the potential.
        reset: `(n,)` mV at which the potential is 0.
        per_mv: Bits of the potential in a mV.
        current: Bits of the current for one unit of each current state.
        jump: Bits of the current for a mV by which a delta synapse steps the membrane; 0 without.
    """

    membrane: str
    reset: NDArray[np.float64]
    per_mv: float
    current: dict[str, float]
    jump: float


@dataclass(frozen=True, eq=False)
class Quantised:
    """Processes of cells and synapses; those of inputs depend on the length of the run."""

    cells: tuple[LifCells, ...]
    synapses: tuple[Synapses, ...]
    scales: dict[str, Scale]
    report: Report


def quantise(built: Built) -> Quantised:
    """Scale a network to Loihi's ranges.

    Raises:
        BackendUnsupported: if Loihi lacks something for it.
        NetworkError: if a weight, a constant input or a time constant does not fit.
    """
    forms = lif_forms(built)
    cells, synapses = list[LifCells](), list[Synapses]()
    scales, losses, weights = dict[str, Scale](), list[CellLoss](), list[WeightLoss]()
    for population in built.populations:
        if is_poisson(population):
            continue
        form = forms[population.name]
        decays = Decays(population, form, built.dt_ms)
        incoming = _incoming(built, population, form, decays)
        vth = choose_threshold(population, form, decays, incoming)
        per_mv = UNIT * vth / form.distance
        made, loss = _cells(population, form, decays, vth, per_mv)
        cells.append(made)
        losses.append(loss)
        scales[population.name] = Scale(
            form.membrane, form.reset, per_mv,
            {name: per_mv * gain * decays.correction for name, gain in form.flow.items()},
            per_mv * form.keep * decays.correction if form.steps else 0.0,
        )  # fmt: skip
        for part in incoming:
            whole, lost = _whole(part, per_mv)
            weights.append(lost)
            synapses.extend(_processes(built, part.name, population.name, whole, lost))
    report = Report(built.network.name, tuple(losses), tuple(weights))
    return Quantised(tuple(cells), tuple(synapses), scales, report)


def _incoming(
    built: Built, population: BuiltPopulation, form: LifForm, decays: Decays
) -> list[Incoming]:
    def one(name: str, port: int, weight: NDArray[np.float64]) -> Incoming:
        unit = population.ports[port].synapse.weight.dimension.unit
        return Incoming(name, unit, weight, form.currents[port].gain * decays.correction)

    found = [
        one(p.projection.name, p.port, p.weight)
        for p in built.projections
        if p.projection.target == population.name
    ]
    found += [
        one(b.background.name, b.port, np.full(population.n, b.weight))
        for b in built.backgrounds
        if b.background.target == population.name
    ]
    for part in found:
        if not np.isfinite(part.weight).all():
            raise NetworkError(f"projection `{part.name}`: weights must be finite")
    return found


def _cells(
    population: BuiltPopulation, form: LifForm, decays: Decays, vth: int, per_mv: float
) -> tuple[LifCells, CellLoss]:
    bias = per_mv * form.rise * decays.leak
    exponent = np.zeros(population.n, np.int64)
    while (over := np.abs(np.rint(bias / 2.0**exponent)) > BIAS_MANTISSA - 1).any():
        exponent += over
    mantissa = np.rint(bias / 2.0**exponent).astype(np.int64)
    start = np.rint((population.initial[form.membrane] - form.reset) * per_mv)
    v = np.clip(start, 1 - STATE, STATE - 1)
    current = np.zeros(population.n)
    for name, gain in form.flow.items():
        # Lava decays a current before it uses it, and Ember after.
        current += per_mv * gain * decays.correction * population.initial[name]
    u = np.zeros(population.n)
    if decays.u < DECAY:
        u = np.clip(np.rint(current / (1 - decays.u / DECAY)), 1 - STATE, STATE - 1)
    cells = LifCells(
        population.name, population.n, decays.u - 1, decays.v, vth, mantissa, exponent,
        u.astype(np.int64), v.astype(np.int64),
    )  # fmt: skip
    settles = 0.0
    if decays.v:
        got = mantissa * 2.0**exponent * DECAY / decays.v / per_mv
        settles = float(np.abs(got - form.rise / (1 - form.keep)).max())
    threshold = float(form.reset.max()) + form.distance
    loss = CellLoss(
        population.name, decays.membrane_ms, decays.synapse_ms,
        Pair(threshold, float(form.reset.max()) + UNIT * vth / per_mv),
        settles, 1 / per_mv, float(form.reset.max()) - (STATE - 1) / per_mv,
        int((start != v).sum()),
    )  # fmt: skip
    return cells, loss


def _whole(part: Incoming, per_mv: float) -> tuple[NDArray[np.int64], WeightLoss]:
    """Mantissas of a projection's weights, and what was lost.

    Raises:
        NetworkError: if there are weights, and all of them became 0.
    """
    wanted = part.weight * part.gain * per_mv / UNIT
    mixed = bool(wanted.size) and wanted.min() < 0 < wanted.max()
    step = 2 if mixed else 1
    exponent = 0
    while np.abs(np.rint(wanted / step / 2.0**exponent)).max(initial=0) * step > TOP:
        exponent += 1
    mantissa = (np.rint(wanted / step / 2.0**exponent) * step).astype(np.int64)
    in_unit = UNIT / (part.gain * per_mv)
    off = mantissa * 2.0**exponent * in_unit - part.weight
    lost = WeightLoss(
        part.name, part.unit, part.weight.size, exponent,
        "mixed" if mixed else "inhibitory" if (wanted < 0).any() else "excitatory",
        abs(step * 2.0**exponent * in_unit),
        rms=_rms(off), rms_relative=_rms(off) / (_rms(part.weight) or 1.0),
        worst=float(np.abs(off).max(initial=0.0)),
        zeroed=int(((mantissa == 0) & (part.weight != 0)).sum()),
    )  # fmt: skip
    if lost.zeroed and not mantissa.any():
        raise NetworkError(
            f"projection `{part.name}`: some weight must reach {lost.step / 2:.3g} {part.unit}, "
            f"below which it rounds to 0 on Loihi, found {np.abs(part.weight).max():.3g} "
            f"{part.unit} at most; raise the weights, or raise dt"
        )
    return mantissa, lost


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def _processes(
    built: Built, name: str, target: str, whole: NDArray[np.int64], lost: WeightLoss
) -> list[Synapses]:
    """One process of synapses, or several where a pair of cells has several synapses."""
    for background in built.backgrounds:
        if background.background.name == name:
            each = np.arange(whole.size)
            return [
                Synapses(
                    name, background_input(name), target, "sparse", each, each, whole,
                    np.zeros(whole.size, np.int64), lost.exponent, 8, lost.sign_mode,
                    num_message_bits=16,
                )
            ]  # fmt: skip
    drawn = next(p for p in built.projections if p.projection.name == name)
    pair = drawn.source * drawn.post.n + drawn.target
    order = np.argsort(pair, kind="stable")
    new = np.flatnonzero(np.diff(pair[order], prepend=-1))
    layer = np.empty(pair.size, np.int64)
    layer[order] = np.arange(pair.size) - np.repeat(new, np.diff(np.append(new, pair.size)))
    found = []
    for k in range(int(layer.max(initial=0)) + 1):
        mine = (layer == k) & (whole != 0)
        if not mine.any():  # nothing to do, and Lava has trouble with empty matrices
            continue
        found.append(
            Synapses(
                name if k == 0 else f"{name} ({k + 1})", drawn.projection.source, target,
                "delay_sparse", drawn.source[mine], drawn.target[mine], whole[mine],
                drawn.delay_steps[mine].astype(np.int64), lost.exponent, 8, lost.sign_mode,
            )
        )  # fmt: skip
    return found


def background_input(name: str) -> str:
    """The process that sends a background's arrivals."""
    return f"arrivals of {name}"
