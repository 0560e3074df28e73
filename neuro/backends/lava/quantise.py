"""A bound network in Loihi's whole numbers, and what that cost.

Potentials count from reset, so that a reset is 0. A population's scale (bits per mV) follows from
the whole number that its threshold becomes; that number is chosen so that its weights, too, come
close to whole numbers. Rounded time constants would change what inputs add up to, so constant
inputs and weights are scaled to leave steady states where they were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.lif_form import Current, LifForm, is_poisson
from neuro.backends.lava.processes import (
    BIAS_MANTISSA,
    DECAY,
    EXPONENT,
    STATE,
    LifCells,
    Synapses,
)
from neuro.backends.lava.report import CellLoss, Pair, Report, WeightLoss
from neuro.backends.lava.support import lif_forms
from neuro.build import Built, BuiltPopulation
from neuro.errors import NetworkError

__all__ = ["Quantised", "Scale", "quantise"]

# Engineering choices: the threshold is 2 to 4 times nearer to reset than the lowest potential
# there is, unless a strong synapse needs more room; below the smallest the leak's rounding shows.
_THRESHOLD, _LEAST_THRESHOLD = 2**16, 2**8
_CHOICES = 4096  # thresholds that are tried
_SAMPLED = 256  # weights of a projection that are looked at while trying
_TOP = 255  # the largest mantissa; 254 where weights have either sign
_UNIT = 64  # of a current, for one unit of a weight
_FAR = 0.5  # a time constant this much off, relatively, is refused


@dataclass(frozen=True, eq=False)
class Scale:
    """How a population's whole numbers are read.

    Attributes:
        membrane: Name of the potential.
        reset: `(n,)` mV at which the potential is 0.
        per_mv: Bits of the potential in a mV.
        current: Bits of the current for one unit of each current state.
    """

    membrane: str
    reset: NDArray[np.float64]
    per_mv: float
    current: dict[str, float]


@dataclass(frozen=True, eq=False)
class Quantised:
    """Processes of cells and synapses; those of inputs depend on the length of the run."""

    cells: tuple[LifCells, ...]
    synapses: tuple[Synapses, ...]
    scales: dict[str, Scale]
    report: Report


@dataclass(frozen=True, eq=False)
class _Incoming:
    """One projection or background onto a population, with `gain` in mV for a unit of weight."""

    name: str
    unit: str
    weight: NDArray[np.float64]
    gain: float


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
        decays = _Decays(population, form, built.dt_ms)
        incoming = _incoming(built, population, form, decays)
        vth = _threshold(population, form, decays, incoming)
        per_mv = _UNIT * vth / form.distance
        made, loss = _cells(population, form, decays, vth, per_mv)
        cells.append(made)
        losses.append(loss)
        scales[population.name] = Scale(
            form.membrane, form.reset, per_mv,
            {name: per_mv * gain * decays.correction(Current(name, gain, form.decay))
             for name, gain in form.flow.items()},
        )  # fmt: skip
        for part in incoming:
            whole, lost = _whole(part, per_mv)
            weights.append(lost)
            synapses.extend(_processes(built, part.name, population.name, whole, lost))
    report = Report(built.network.name, tuple(losses), tuple(weights))
    return Quantised(tuple(cells), tuple(synapses), scales, report)


class _Decays:
    """Decays of a population in parts of 4096, and what their rounding must be corrected by."""

    def __init__(self, population: BuiltPopulation, form: LifForm, dt_ms: float) -> None:
        where = f"population `{population.name}`"
        self._form = form
        self.v = _decay(form.keep, 0, DECAY - 1, dt_ms, f"{where}: membrane time constant")
        self.u = _decay(form.decay, 1, DECAY, dt_ms, f"{where}: synaptic time constant")
        self.membrane_ms = Pair(_tau(form.keep, dt_ms), _tau(1 - self.v / DECAY, dt_ms))
        self.synapse_ms = (
            Pair(_tau(form.decay, dt_ms), _tau(1 - self.u / DECAY, dt_ms)) if form.decay else None
        )

    @property
    def leak(self) -> float:
        """The leak that is, over the one wanted: 1 where there is none."""
        return self.v / DECAY / (1 - self._form.keep) if self.v else 1.0

    def correction(self, current: Current) -> float:
        """Of a port's gain, so that a steady input moves the membrane as far as it should."""
        return self.leak * self.u / DECAY / (1 - current.decay)


def _decay(keep: float, least: int, most: int, dt_ms: float, what: str) -> int:
    """The nearest decay; no leak stays none, and a leak stays one."""
    if keep == 1 and least == 0:
        return 0
    decay = min(max(round(DECAY * (1 - keep)), least, 1), most)
    wanted, got = _tau(keep, dt_ms), _tau(1 - decay / DECAY, dt_ms)
    if wanted > got * (1 + _FAR) and wanted > dt_ms:
        raise NetworkError(
            f"{what} may be up to {got * (1 + _FAR):.4g} ms at steps of {dt_ms:g} ms, found "
            f"{wanted:.4g} ms; raise dt"
        )
    return decay


def _tau(keep: float, dt_ms: float) -> float:
    if keep <= 0:
        return 0.0
    return -dt_ms / math.log(keep) if keep < 1 else math.inf


def _incoming(
    built: Built, population: BuiltPopulation, form: LifForm, decays: _Decays
) -> list[_Incoming]:
    def one(name: str, port: int, weight: NDArray[np.float64]) -> _Incoming:
        current = form.currents[port]
        unit = population.ports[port].synapse.weight.dimension.unit
        return _Incoming(name, unit, weight, current.gain * decays.correction(current))

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


def _threshold(
    population: BuiltPopulation, form: LifForm, decays: _Decays, incoming: Sequence[_Incoming]
) -> int:
    """The whole number that the threshold becomes, at which weights are nearest to whole numbers.

    Raises:
        NetworkError: if a weight or the constant input is too strong at any.
    """
    most = _THRESHOLD
    for part in incoming:
        # Of a threshold of 1, in units of a weight.
        strongest = float(np.abs(part.weight * part.gain).max(initial=0.0)) / form.distance
        limit = _TOP * 2.0 ** EXPONENT[1]
        if strongest * _LEAST_THRESHOLD > limit:
            largest = limit / _LEAST_THRESHOLD * form.distance / abs(part.gain)
            found = part.weight[np.abs(part.weight).argmax()]
            raise NetworkError(
                f"projection `{part.name}`: a weight may be up to {largest:.4g} {part.unit}, the "
                f"most that 8 bits and an exponent of {EXPONENT[1]} hold beside the threshold of "
                f"`{population.name}`, found {found:.6g} {part.unit}; lower it"
            )
        if strongest:
            most = min(most, int(limit / strongest))
    strongest = _UNIT * float(np.abs(form.rise * decays.leak).max()) / form.distance
    limit = (BIAS_MANTISSA - 1) * 2.0**7
    if strongest * _LEAST_THRESHOLD > limit:
        raise NetworkError(
            f"population `{population.name}`: the constant input may move a cell by up to "
            f"{limit / _LEAST_THRESHOLD / _UNIT:.4g} times the distance to threshold in a step, "
            f"found {strongest / _UNIT:.4g} times; lower it, or lower dt"
        )
    if strongest:
        most = min(most, int(limit / strongest))
    choices = np.unique(np.linspace(max(most // 2, _LEAST_THRESHOLD), most, _CHOICES).astype(int))
    error = np.zeros(choices.size)
    for part in incoming:
        weight = part.weight[:: max(1, part.weight.size // _SAMPLED)]
        units = weight[weight != 0] * part.gain / form.distance
        if units.size:
            error += _rounding(units, choices)
    return int(choices[::-1][error[::-1].argmin()])


def _rounding(units: NDArray[np.float64], choices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean squared relative error of some weights at each choice of the threshold."""
    step = 2 if units.min() < 0 < units.max() else 1
    wanted = units * choices[:, None]
    largest = np.abs(wanted).max(axis=1)
    exponent = np.maximum(0, np.ceil(np.log2(np.maximum(largest, 1e-300) / (_TOP - step + 1))))
    grain = (step * 2.0**exponent)[:, None]
    got = np.rint(wanted / grain) * grain
    return np.asarray((((got - wanted) / wanted) ** 2).mean(axis=1))


def _cells(
    population: BuiltPopulation, form: LifForm, decays: _Decays, vth: int, per_mv: float
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
        correction = decays.correction(Current(name, gain, form.decay))
        current += per_mv * gain * correction * population.initial[name]
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
        Pair(threshold, float(form.reset.max()) + _UNIT * vth / per_mv),
        settles, 1 / per_mv, float(form.reset.max()) - (STATE - 1) / per_mv,
        int((start != v).sum()),
    )  # fmt: skip
    return cells, loss


def _whole(part: _Incoming, per_mv: float) -> tuple[NDArray[np.int64], WeightLoss]:
    """Mantissas of a projection's weights, and what was lost.

    Raises:
        NetworkError: if there are weights, and all of them became 0.
    """
    wanted = part.weight * part.gain * per_mv / _UNIT
    mixed = bool(wanted.size) and wanted.min() < 0 < wanted.max()
    step = 2 if mixed else 1
    exponent = 0
    while np.abs(np.rint(wanted / step / 2.0**exponent)).max(initial=0) * step > _TOP:
        exponent += 1
    mantissa = (np.rint(wanted / step / 2.0**exponent) * step).astype(np.int64)
    in_unit = _UNIT / (part.gain * per_mv)
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
