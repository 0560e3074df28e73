"""Dimensions as powers of Ember's base units: ms, mV, pA, nM, metre, degree Celsius and dB SPL."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

__all__ = [
    "CAPACITANCE", "CONCENTRATION", "CONDUCTANCE", "CURRENT", "Dimension", "FREQUENCY", "LENGTH",
    "LEVEL", "NUMBER", "SPEED", "TEMPERATURE", "TIME", "VOLTAGE", "coherent_factor",
    "dimension_from_si", "surface_shift",
]  # fmt: skip


class Dimension(NamedTuple):
    """Powers of Ember's base units: ms, mV, pA, nM, metre, °C and dB SPL."""

    time: Fraction = Fraction(0)
    voltage: Fraction = Fraction(0)
    current: Fraction = Fraction(0)
    concentration: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    temperature: Fraction = Fraction(0)
    level: Fraction = Fraction(0)

    def __str__(self) -> str:
        return _NAMES.get(self) or _spell(self)

    @property
    def unit(self) -> str:
        """The unit a person writes for this dimension, such as `ms`."""
        return _UNITS.get(self) or _spell(self)

    @property
    def has_offset(self) -> bool:
        """Whether it counts °C or dB, whose values have no sum and no product."""
        return bool(self.temperature or self.level)

    def times(self, other: Dimension, power: Fraction | int = 1) -> Dimension:
        """The dimension of a product with `other` to a power."""
        return Dimension(*(a + power * b for a, b in zip(self, other, strict=True)))


def _dimension(**powers: int) -> Dimension:
    return Dimension(**{name: Fraction(power) for name, power in powers.items()})


NUMBER = Dimension()
TIME = _dimension(time=1)
VOLTAGE = _dimension(voltage=1)
CURRENT = _dimension(current=1)
CONDUCTANCE = _dimension(current=1, voltage=-1)
CAPACITANCE = _dimension(current=1, time=1, voltage=-1)
FREQUENCY = _dimension(time=-1)
CONCENTRATION = _dimension(concentration=1)
LENGTH = _dimension(length=1)
SPEED = _dimension(length=1, time=-1)
TEMPERATURE = _dimension(temperature=1)
LEVEL = _dimension(level=1)

_NAMES = {
    NUMBER: "number", TIME: "time", VOLTAGE: "voltage", CURRENT: "current",
    CONDUCTANCE: "conductance", CAPACITANCE: "capacitance", FREQUENCY: "frequency",
    CONCENTRATION: "concentration", LENGTH: "length", SPEED: "speed", TEMPERATURE: "temperature",
    LEVEL: "sound level",
}  # fmt: skip
_UNITS = {
    NUMBER: "1", TIME: "ms", VOLTAGE: "mV", CURRENT: "pA", CONDUCTANCE: "nS", CAPACITANCE: "pF",
    FREQUENCY: "Hz", CONCENTRATION: "nM", LENGTH: "m", SPEED: "m/s", TEMPERATURE: "degC",
    LEVEL: "dB",
}  # fmt: skip
# Decimal places between the coherent unit and the written one: 1/ms = 1000 Hz, 1 m/ms = 1000 m/s.
_SURFACE = {FREQUENCY: 3, SPEED: 3}
_BASE_UNITS = ("ms", "mV", "pA", "nM", "m", "degC", "dB")


def surface_shift(dimension: Dimension) -> int:
    """Decimal places from the coherent number to the number a person writes."""
    return _SURFACE.get(dimension, 0)


def _spell(dimension: Dimension) -> str:
    parts = [
        unit if power == 1 else f"{unit}^{float(power):.15g}"
        for unit, power in zip(_BASE_UNITS, dimension, strict=True)
        if power
    ]
    return "·".join(parts) or "1"


def coherent_factor(dimension: Dimension) -> float:
    """Multiply an SI value (volt, second, ampere, mol/m³, metre) by this to make it coherent."""
    return float(
        Fraction(10) ** 0
        * 10.0
        ** float(
            3 * dimension.time
            + 3 * dimension.voltage
            + 12 * dimension.current
            + 6 * dimension.concentration
        )
    )


def dimension_from_si(
    *, length: Any = 0, mass: Any = 0, time: Any = 0, current: Any = 0, temperature: Any = 0,
    substance: Any = 0,
) -> Dimension:  # fmt: skip
    """Ember's dimension for powers of the SI base units.

    A volt is kg·m²·s⁻³·A⁻¹, so the power of kg counts the volts; a molar is mol·m⁻³.
    """
    length, mass, time, current, temperature, substance = (
        Fraction(power).limit_denominator(64)
        for power in (length, mass, time, current, temperature, substance)
    )
    return Dimension(
        time=time + 3 * mass,
        voltage=mass,
        current=current + mass,
        concentration=substance,
        length=length - 2 * mass + 3 * substance,
        temperature=temperature,
    )
