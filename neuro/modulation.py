"""Transmitters that nuclei release, receptors that sense them, effects on parameters.

    concentration c:   dc/dt = -(c - baseline)/uptake + release per spike of the mean cell
    occupancy o:       c^n / (EC50^n + c^n)
    effect:            p_eff = p * max(0, 1 + sum over receptors of (at_saturation - 1) * o)

Form of the effect: Lindroos & Hellgren Kotaleski 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import NetworkError
from neuro.ranges import increasing, not_negative, positive, pure
from neuro.units import (
    CONCENTRATION,
    Concentration,
    Time,
    admit,
    coherent,
    ms,
    nM,
    quantities,
    read_in,
)

__all__ = ["Effect", "Receptor", "Transmitter", "effect_factor"]

REASONER = "reasoner"
"""Target of effects that are handed to the bridge and not to a population."""


@dataclass(frozen=True)
class Transmitter:
    """A substance whose concentration follows from spikes, or from a schedule.

    Args:
        name: Such as `noradrenaline`.
        released_by: Population that releases it; empty if only the schedule sets it.
        per_spike: Rise of the concentration when every releasing cell spikes once.
        uptake: Time constant of the return to baseline.
        delay: From spike to release (diffusion).
        baseline: Concentration without release; also the start value.
        schedule: `(time, concentration)` points that replace the baseline, joined by straight
            lines and held before the first and after the last; for infusions and clamps.

    Raises:
        NetworkError: if a field is negative, the uptake is not above 0, the schedule's times do
            not increase, or a field has no effect beside the others.
    """

    name: str
    released_by: str = ""
    per_spike: Concentration = nM(0)
    uptake: Time = ms(300)
    delay: Time = ms(0)
    baseline: Concentration = nM(0)
    schedule: tuple[tuple[Time, Concentration], ...] = ()

    def __post_init__(self) -> None:
        admit(self)
        positive(self, "uptake")
        not_negative(self, "per_spike", "delay", "baseline")
        increasing(self, "schedule")
        if not self.released_by:
            for name in ("per_spike", "delay"):
                if float(getattr(self, name)):
                    raise NetworkError(
                        f"a `{name}` needs the population that releases the transmitter, found "
                        f"{getattr(self, name)} for `{self.name}` without `released_by`; give it, "
                        f"or leave out `{name}`"
                    )
        if self.schedule and float(self.baseline):
            raise NetworkError(
                f"a schedule replaces the baseline, found both for the transmitter `{self.name}` "
                f"(baseline {self.baseline}); leave out one of them"
            )

    @quantities
    def baseline_at(self, times_ms: ArrayLike) -> NDArray[np.float64]:
        """The baseline at each time: constant, or interpolated from the schedule."""
        times = np.asarray(times_ms, dtype=np.float64)
        if not self.schedule:
            return np.full(times.shape, float(self.baseline))
        when, level = np.array([(float(t), float(c)) for t, c in self.schedule]).T
        return np.interp(times, when, level)


@dataclass(frozen=True)
class Receptor:
    """A receptor's occupancy as a Hill curve of one transmitter's concentration."""

    name: str
    transmitter: str
    ec50: Concentration
    hill: float = 1.0

    def __post_init__(self) -> None:
        admit(self)
        pure(self, "hill")
        positive(self, "ec50", "hill")

    def occupancy(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """`c^n / (EC50^n + c^n)`, elementwise, in 0..1; bare numbers are in nM."""
        found = np.asarray(coherent(read_in(concentration, CONCENTRATION)))
        # A ratio to a power, since powers of each may be beyond the range of a double.
        with np.errstate(divide="ignore", over="ignore"):
            away = np.power(float(self.ec50) / np.maximum(found, 0.0), self.hill)
        return np.asarray(1.0 / (1.0 + away))


@dataclass(frozen=True)
class Effect:
    """What a fully occupied receptor does to one parameter.

    Args:
        receptor: Name of the receptor.
        target: A population, a projection, or `reasoner` (a number handed to the bridge).
        parameter: A parameter of the target's model; for a projection one of its synapses', or
            `weight`, which scales what arrives and not the weights that plasticity changes.
        at_saturation: Factor on the parameter at full occupancy; 1 changes nothing.
    """

    receptor: str
    target: str
    parameter: str
    at_saturation: float

    def __post_init__(self) -> None:
        pure(self, "at_saturation")
        not_negative(self, "at_saturation")


def effect_factor(
    effects: Sequence[Effect], occupancy: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Joint factor of effects on one parameter, given each receptor's occupancy over time."""
    total = sum((effect.at_saturation - 1.0) * occupancy[effect.receptor] for effect in effects)
    return np.maximum(0.0, 1.0 + np.asarray(total, dtype=np.float64))
