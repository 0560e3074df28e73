"""How large a population's whole numbers are: its decays, and the number of its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.lif_form import LifForm
from neuro.backends.lava.processes import BIAS_MANTISSA, DECAY, EXPONENT
from neuro.backends.lava.report import Pair
from neuro.build import BuiltPopulation
from neuro.errors import NetworkError

__all__ = ["TOP", "UNIT", "Decays", "Incoming", "choose_threshold"]

# Engineering choices: the threshold is 2 to 4 times nearer to reset than the lowest potential
# there is, unless a strong synapse needs more room; below the smallest the leak's rounding shows.
_THRESHOLD, _LEAST_THRESHOLD = 2**16, 2**8
_CHOICES = 4096  # thresholds that are tried
_SAMPLED = 256  # weights of a projection that are looked at while trying
_FAR = 0.5  # a time constant this much off, relatively, is refused
TOP = 255
"""The largest mantissa of a weight; 254 where weights have either sign."""
UNIT = 64
"""Of a current, for one unit of a weight."""


@dataclass(frozen=True, eq=False)
class Incoming:
    """One projection or background onto a population, with `gain` in mV for a unit of weight."""

    name: str
    unit: str
    weight: NDArray[np.float64]
    gain: float


class Decays:
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

    @property
    def correction(self) -> float:
        """Of the gain of synapses, so that steady input moves the membrane as far as it should."""
        return self.leak * self.u / DECAY / (1 - self._form.decay)


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


def choose_threshold(
    population: BuiltPopulation, form: LifForm, decays: Decays, incoming: Sequence[Incoming]
) -> int:
    """The whole number that the threshold becomes, at which weights are nearest to whole numbers.

    Raises:
        NetworkError: if a weight or the constant input is too strong at any.
    """
    most = _THRESHOLD
    for part in incoming:
        # Of a threshold of 1, in units of a weight.
        strongest = float(np.abs(part.weight * part.gain).max(initial=0.0)) / form.distance
        limit = TOP * 2.0 ** EXPONENT[1]
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
    strongest = UNIT * float(np.abs(form.rise * decays.leak).max()) / form.distance
    limit = (BIAS_MANTISSA - 1) * 2.0**7
    if strongest * _LEAST_THRESHOLD > limit:
        raise NetworkError(
            f"population `{population.name}`: the constant input may move a cell by up to "
            f"{limit / _LEAST_THRESHOLD / UNIT:.4g} times the distance to threshold in a step, "
            f"found {strongest / UNIT:.4g} times; lower it, or lower dt"
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
    exponent = np.maximum(0, np.ceil(np.log2(np.maximum(largest, 1e-300) / (TOP - step + 1))))
    grain = (step * 2.0**exponent)[:, None]
    got = np.rint(wanted / grain) * grain
    return np.asarray((((got - wanted) / wanted) ** 2).mean(axis=1))
