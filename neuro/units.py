"""The closed unit system: ms, mV, pA, nS, pF, nM, plus metre, degree Celsius and dB SPL.

Every number inside Ember is in this one coherent system (pA/pF = mV/ms, nS·mV = pA), so no
conversion factor appears in a kernel. A frequency is therefore per millisecond inside; names
such as `rate_hz` mark the places at the surface where a plain number per second is meant.
Text with a unit is read by pint.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from neuro.errors import UnitError, nearest

if TYPE_CHECKING:
    import pint

__all__ = [
    "CAPACITANCE", "CONCENTRATION", "CONDUCTANCE", "CURRENT", "FREQUENCY", "LENGTH", "LEVEL",
    "NUMBER", "SPEED", "TEMPERATURE", "TIME", "VOLTAGE",
    "Capacitance", "Concentration", "Conductance", "Current", "Dimension", "Frequency", "Length",
    "Level", "Quantity", "Speed", "Temperature", "Time", "Voltage",
    "Hz", "celsius", "dB", "m", "m_per_s", "ms", "mV", "nM", "nS", "pA", "pF", "parse_quantity",
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
# How many of the written unit make one coherent unit: 1/ms = 1000 Hz, 1 m/ms = 1000 m/s.
_SURFACE = {FREQUENCY: 1000.0, SPEED: 1000.0}
_BASE_UNITS = ("ms", "mV", "pA", "nM", "m", "degC", "dB")


def _spell(dimension: Dimension) -> str:
    parts = [
        unit if power == 1 else f"{unit}^{float(power):.15g}"
        for unit, power in zip(_BASE_UNITS, dimension, strict=True)
        if power
    ]
    return "·".join(parts) or "1"


class Quantity(float):
    """A number in the coherent system that remembers its dimension.

    It *is* the float that kernels use, so arithmetic gives plain floats; `repr` shows the unit.

    >>> pA(300)
    300 pA
    >>> Hz(10), float(Hz(10))
    (10 Hz, 0.01)
    """

    dimension: Dimension

    def __new__(cls, value: float, dimension: Dimension = NUMBER) -> Quantity:
        """`value` is in coherent units."""
        self = super().__new__(cls, value)
        self.dimension = dimension
        return self

    def __getnewargs__(self) -> tuple[float, Dimension]:  # type: ignore[override]  # so that copies and workers keep it
        return float(self), self.dimension

    def __repr__(self) -> str:
        number = f"{float(self) * _SURFACE.get(self.dimension, 1.0):.12g}"
        return number if self.dimension == NUMBER else f"{number} {self.dimension.unit}"

    __str__ = __repr__

    @property
    def text(self) -> str:
        """Text that `parse_quantity` reads back to the same quantity, bit for bit.

        >>> ms(0.1 + 0.2).text, Hz(40).text
        ('0.30000000000000004 ms', '40 Hz')
        """
        shift = 3 if self.dimension in _SURFACE else 0  # a decimal shift loses no digit
        number = Decimal(float.__repr__(self)).scaleb(shift)
        if number.is_finite() and number and -7 < number.adjusted() < 16:
            number_text = f"{number.normalize():f}"
        else:
            number_text = float.__repr__(self) if not shift else str(number)
        number_text = number_text.removesuffix(".0")
        return number_text if self.dimension == NUMBER else f"{number_text} {self.dimension.unit}"


def ms(value: float) -> Quantity:
    """`value` milliseconds."""
    return Quantity(value, TIME)


def mV(value: float) -> Quantity:
    """`value` millivolts."""
    return Quantity(value, VOLTAGE)


def pA(value: float) -> Quantity:
    """`value` picoamperes."""
    return Quantity(value, CURRENT)


def nS(value: float) -> Quantity:
    """`value` nanosiemens."""
    return Quantity(value, CONDUCTANCE)


def pF(value: float) -> Quantity:
    """`value` picofarads."""
    return Quantity(value, CAPACITANCE)


def nM(value: float) -> Quantity:
    """`value` nanomolar."""
    return Quantity(value, CONCENTRATION)


def Hz(value: float) -> Quantity:
    """`value` per second; the float inside is per millisecond."""
    return Quantity(value / 1000.0, FREQUENCY)


def m(value: float) -> Quantity:
    """`value` metres."""
    return Quantity(value, LENGTH)


def m_per_s(value: float) -> Quantity:
    """`value` metres per second; the float inside is per millisecond."""
    return Quantity(value / 1000.0, SPEED)


def celsius(value: float) -> Quantity:
    """`value` degrees Celsius (an absolute temperature, not a difference)."""
    return Quantity(value, TEMPERATURE)


def dB(value: float) -> Quantity:
    """`value` dB SPL (re 20 µPa)."""
    return Quantity(value, LEVEL)


# Parameter annotations: a config reads text with a unit, a caller in Python passes `ms(20)`.
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


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[float]:
    import pint  # 0.2 s: loaded when the first text is read

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=False)
    return registry


def parse_quantity(text: object, expected: Dimension | None = None) -> Quantity:
    """Read text such as `20 ms`, `1.5 nS`, `70 dB` or `46 degC`.

    Args:
        text: The text; a bare number is accepted only where a pure number is expected.
        expected: The dimension that must come out; None takes any.

    Raises:
        UnitError: if the unit is missing, unknown, or of another dimension.

    >>> parse_quantity("0.02 s", TIME)
    20 ms
    """
    if isinstance(text, Quantity):
        return _checked(text, expected, str(text))
    if isinstance(text, bool) or not isinstance(text, (int, float, str)):
        raise UnitError(f"expected {_wanted(expected)}, found {text!r}")
    if isinstance(text, (int, float)):
        return _checked(Quantity(float(text)), expected, repr(text))
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not math.isfinite(float(match["number"])):
        raise UnitError(f"expected {_wanted(expected)}, found `{_shortened(text)}`")
    number, unit = match["number"], match["unit"].strip()
    if unit in {"dB", "dB SPL"}:  # a level is not a ratio of anything here
        return _checked(Quantity(float(number), LEVEL), expected, text)
    if unit in {"degC", "°C", "celsius"}:
        return _checked(Quantity(float(number), TEMPERATURE), expected, text)
    if unit.startswith("delta_"):
        raise UnitError(
            f"expected {_wanted(expected)}, found `{text}`, which is a temperature difference"
        )
    try:
        factor, dimension = _unit("1" + unit if unit.startswith("/") else unit)
        if dimension == TEMPERATURE:  # kelvin and Fahrenheit start elsewhere
            value = float(_registry().Quantity(float(number), unit).to("degC").magnitude)
        else:
            value = _product(number, factor)
    except Exception as error:  # pint raises many kinds on text that is no unit
        raise UnitError(
            f"expected {_wanted(expected)}, found `{text}`{_unknown_unit(error)}"
        ) from None
    return _checked(Quantity(value, dimension), expected, text)


_LONGEST = 100
_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(?P<unit>.*)",
    re.DOTALL,
)
_COMMON_UNITS = (
    "ms", "s", "us", "min", "mV", "V", "uV", "pA", "nA", "uA", "nS", "uS", "mS", "pF", "nF", "uF",
    "nM", "uM", "mM", "Hz", "kHz", "m", "cm", "mm", "dB", "degC",
)  # fmt: skip


def _plain_units() -> dict[str, tuple[Fraction, Dimension]]:
    """The units of nearly every config, known without pint, which takes 0.6 s to load."""
    prefixes = {"": 0, "k": 3, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12}
    bases = {  # power of ten in coherent units
        "s": (3, TIME), "V": (3, VOLTAGE), "A": (12, CURRENT), "S": (9, CONDUCTANCE),
        "F": (12, CAPACITANCE), "Hz": (-3, FREQUENCY), "M": (9, CONCENTRATION), "m": (0, LENGTH),
    }  # fmt: skip
    return {
        prefix + base: (Fraction(10) ** (power + size), dimension)
        for prefix, power in prefixes.items()
        for base, (size, dimension) in bases.items()
    }


_PLAIN_UNITS = _plain_units()


def _unit(text: str) -> tuple[Fraction, Dimension]:
    """How many coherent units one `text` is, exactly where that is a decimal number."""
    return _PLAIN_UNITS.get(text) or _unit_of_pint(text)


@lru_cache(maxsize=1024)
def _unit_of_pint(text: str) -> tuple[Fraction, Dimension]:
    base = _registry().Quantity(1.0, _registry().parse_units(text)).to_base_units()
    powers = {name.strip("[]"): power for name, power in base.dimensionality.items()}
    dimension = dimension_from_si(**powers)  # refuses what Ember has no unit for, such as candela
    factor = float(base.magnitude) * coherent_factor(dimension)
    if not factor or not math.isfinite(factor):
        raise OverflowError(text)
    decimal = Fraction(f"{factor:.12g}")
    # Decimal prefixes pass through binary floats above; two parts in 1e15 are their rounding.
    exact = abs(decimal - Fraction(factor)) <= Fraction(factor) * Fraction(2, 10**15)
    return (decimal if exact else Fraction(factor)), dimension


def _product(number: str, factor: Fraction) -> float:
    """`number * factor`, rounded once."""
    if float(number) == 0.0:
        return float(number)
    value = float(Fraction(number) * factor)
    if not math.isfinite(value):
        raise OverflowError(number)
    return value


def _unknown_unit(error: Exception) -> str:
    import pint

    if not isinstance(error, pint.UndefinedUnitError):
        return ""
    name = str(error.unit_names).strip("'()[], ")
    return " with an unknown unit" + nearest(name, _COMMON_UNITS)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def _checked(found: Quantity, expected: Dimension | None, text: str) -> Quantity:
    if expected is None or found.dimension == expected:
        return found
    if found.dimension == NUMBER:
        raise UnitError(f"expected {_wanted(expected)}, found the bare number {text}")
    raise UnitError(f"expected {_wanted(expected)}, found `{text}`, which is {found.dimension}")


def _wanted(expected: Dimension | None) -> str:
    if expected is None:
        return "a number with a unit, such as `20 ms`"
    if expected == NUMBER:
        return "a pure number"
    return f"a {expected} with its unit, such as `20 {expected.unit}`"
