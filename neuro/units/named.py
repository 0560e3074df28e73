"""The units of the coherent system by name, and the types of parameters that have one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from neuro.units.dimension import (
    CAPACITANCE,
    CONCENTRATION,
    CONDUCTANCE,
    CURRENT,
    FREQUENCY,
    LENGTH,
    LEVEL,
    SPEED,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
    surface_shift,
)
from neuro.units.gate import read_in
from neuro.units.number import is_real
from neuro.units.quantity import Quantity

__all__ = [
    "Capacitance", "Concentration", "Conductance", "Current", "Frequency", "Hz", "Length",
    "Level", "Speed", "Temperature", "Time", "Unit", "Voltage", "celsius", "dB", "m", "m_per_s",
    "mV", "ms", "nM", "nS", "pA", "pF",
]  # fmt: skip


class Unit(Quantity):
    """One of a unit: `mV(-70)`, `-70 * mV` and `[-70, -65] * mV` are quantities in it.

    Called with a quantity or text, it checks the dimension.

    Raises:
        UnitError: if the value is no real number, or of another dimension.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, dimension: Dimension) -> Unit:
        """The unit that `dimension` is written in."""
        self = super().__new__(cls, 10.0 ** -surface_shift(dimension), dimension)
        object.__setattr__(self, "name", name)
        return self  # type: ignore[return-value]

    def __call__(self, value: Any) -> Quantity:
        """`value` of this unit."""
        return read_in(value, self.dimension)

    def __mul__(self, other: Any) -> Any:
        return self(other) if _bare(other) else super().__mul__(other)

    def __rmul__(self, other: Any) -> Any:
        return self(other) if _bare(other) else super().__rmul__(other)

    def __rtruediv__(self, other: Any) -> Any:
        if isinstance(other, Quantity) and other.dimension == self.dimension:
            return other.surface if not self.dimension.has_offset else super().__rtruediv__(other)
        return super().__rtruediv__(other)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.multiply and method == "__call__" and not options:
            (other,) = [each for each in inputs if each is not self] or (self,)
            if isinstance(other, (np.ndarray, np.number)):
                return self(other) if _bare(other) else super().__mul__(other)
        return super().__array_ufunc__(ufunc, method, *inputs, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        return Unit, (self.name, self.dimension)

    def __repr__(self) -> str:
        return self.name


def _bare(other: Any) -> bool:
    if isinstance(other, np.ndarray):
        return type(other) is np.ndarray and other.dtype.kind in "iuf"
    return is_real(other) or isinstance(other, list)


ms = Unit("ms", TIME)
mV = Unit("mV", VOLTAGE)
pA = Unit("pA", CURRENT)
nS = Unit("nS", CONDUCTANCE)
pF = Unit("pF", CAPACITANCE)
nM = Unit("nM", CONCENTRATION)
Hz = Unit("Hz", FREQUENCY)
"""Per second; the number inside is per millisecond."""
m = Unit("m", LENGTH)
m_per_s = Unit("m_per_s", SPEED)
"""Metres per second; the number inside is per millisecond."""
celsius = Unit("celsius", TEMPERATURE)
"""Degrees Celsius: an absolute temperature, not a difference."""
dB = Unit("dB", LEVEL)
"""Sound level in dB SPL (re 20 µPa)."""

# Parameter annotations: a config reads text with a unit, a caller in Python passes `ms(20)`,
# `"20 ms"` or another package's quantity; `neuro.units.gate` checks it.
Time = Annotated[Quantity, TIME]
Voltage = Annotated[Quantity, VOLTAGE]
Current = Annotated[Quantity, CURRENT]
Conductance = Annotated[Quantity, CONDUCTANCE]
Capacitance = Annotated[Quantity, CAPACITANCE]
Frequency = Annotated[Quantity, FREQUENCY]
Concentration = Annotated[Quantity, CONCENTRATION]
Length = Annotated[Quantity, LENGTH]
Speed = Annotated[Quantity, SPEED]
Temperature = Annotated[Quantity, TEMPERATURE]
Level = Annotated[Quantity, LEVEL]
