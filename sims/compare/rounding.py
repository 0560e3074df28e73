"""How much a back end rounds: the source of every tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuro.backends import backend_named
from sims.compare.named import Named

if TYPE_CHECKING:
    from neuro.build import Built

__all__ = ["Rounding", "coarser", "rounding_of"]

MEMORY_MS = 10.0
"""Roundings of so long a time add up, before a membrane has forgotten them; engineering choice:
the time constant of a membrane. Never fewer than `_LEAST` steps."""

_LEAST = 16

_UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Relative size of one rounding to nearest (IEEE 754; bfloat16 keeps 8 bits)."""


@dataclass(frozen=True)
class Rounding:
    """Relative changes of a network's numbers that a back end's arithmetic amounts to.

    Attributes:
        arithmetic: `float64`, `float32`, `fixed point` …
        times: Of time constants: parameters that are times or capacitances.
        weights: Of weights.
        others: Of every other number.
    """

    arithmetic: str
    times: float
    weights: float
    others: float

    @property
    def largest(self) -> float:
        """The largest of them."""
        return max(self.times, self.weights, self.others)

    def scaled(self, by: float) -> Rounding:
        """The same in another size."""
        return Rounding(self.arithmetic, self.times * by, self.weights * by, self.others * by)


def rounding_of(chosen: Named, dt_ms: float, built: Callable[[], Built]) -> Rounding:
    """What a back end's arithmetic does to this network.

    In floating point, the roundings of all steps that a membrane remembers: the errors of a
    contraction add up to that many. In Loihi's fixed point, what the back end says that it lost.
    A back end that says nothing about its arithmetic is taken to compute in double precision.

    Args:
        built: Gives the network with its edges drawn, for a back end that must be asked.
    """
    if backend_named(chosen.name).module.startswith("neuro.backends.lava"):
        return _fixed(built())
    name = chosen.precision.removeprefix("torch.") or "float64"
    unit = _UNITS.get(name, _UNITS["float64"])
    relative = unit * max(_LEAST, math.ceil(MEMORY_MS / dt_ms))
    return Rounding(name if name in _UNITS else "float64", relative, relative, relative)


def coarser(one: Rounding, other: Rounding) -> Rounding:
    """The rounding of two runs side by side."""
    return one if one.largest >= other.largest else other


def _fixed(built: Built) -> Rounding:
    from neuro.backends.lava.quantise import quantise

    report = quantise(built).report
    times, others = [0.0], [_UNITS["float32"]]
    for cells in report.cells:
        for pair in (cells.membrane_ms, cells.synapse_ms):
            if pair is not None and math.isfinite(pair.wanted) and pair.wanted > 0:
                times.append(abs(pair.got / pair.wanted - 1))
        wanted, got = cells.threshold_mv
        size = max(abs(wanted), abs(cells.lowest_mv))
        others += [abs(got - wanted) / size, cells.settles_mv / size, cells.bit_mv / size]
    # Even in -r..r has a root mean square of r/sqrt(3).
    weights = [0.0, *(math.sqrt(3) * lost.rms_relative for lost in report.weights)]
    return Rounding("fixed point", max(times), max(weights), max(others))
