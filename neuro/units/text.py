"""Text with a unit, such as `20 ms`, to a quantity; pint reads the rarer units."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from neuro.errors import UnitError, nearest
from neuro.units.dimension import (
    CAPACITANCE,
    CONCENTRATION,
    CONDUCTANCE,
    CURRENT,
    FREQUENCY,
    LENGTH,
    LEVEL,
    NUMBER,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
    coherent_factor,
    dimension_from_si,
)
from neuro.units.quantity import Quantity

if TYPE_CHECKING:
    import pint

__all__ = ["checked", "read_text", "unit_of", "wanted"]


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[float]:
    import pint  # 0.2 s: loaded when the first text is read

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=False)
    return registry


def read_text(text: str, expected: Dimension | None = None) -> Quantity:
    """Read text such as `20 ms`, `1.5 nS`, `70 dB` or `46 degC`.

    Args:
        expected: The dimension that must come out; None takes any.

    Raises:
        UnitError: if the unit is missing, unknown, or of another dimension.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise UnitError(f"expected {wanted(expected)}, found `{_shortened(text)}`")
    number, unit = match["number"], match["unit"].strip()
    if not (math.isfinite(float(number)) and (float(number) or _ZERO.match(number))):
        raise UnitError(
            f"expected {wanted(expected)}, found `{_shortened(text)}`, which no double holds"
        )
    if not _UNIT.fullmatch(unit):  # pint would leave out `#` and `=`, and read `ms; ms` as `ms*ms`
        raise UnitError(f"expected {wanted(expected)}, found `{_shortened(text)}`")
    if unit in {"dB", "dB SPL"}:  # a level is not a ratio of anything here
        return checked(Quantity(float(number), LEVEL), expected, text)
    if unit in {"degC", "°C", "celsius"}:
        return checked(Quantity(float(number), TEMPERATURE), expected, text)
    if unit.startswith("delta_"):
        raise UnitError(
            f"expected {wanted(expected)}, found `{text}`, which is a temperature difference"
        )
    try:
        factor, dimension = unit_of("1" + unit if unit.startswith("/") else unit)
        if dimension == TEMPERATURE:  # kelvin and Fahrenheit start elsewhere
            value = float(_registry().Quantity(float(number), unit).to("degC").magnitude)
        else:
            value = _product(number, factor)
    except Exception as error:  # pint raises many kinds on text that is no unit
        raise UnitError(
            f"expected {wanted(expected)}, found `{text}`{_unknown_unit(error)}"
        ) from None
    return checked(Quantity(value, dimension), expected, text)


_LONGEST = 100
_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(?P<unit>.*)",
    re.DOTALL,
)
_ZERO = re.compile(r"[+-]?[0.]+(?:[eE]|$)")
_UNIT = re.compile(r"[\w\s°%*/^().·²³¹⁻-]*")
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


def unit_of(text: str) -> tuple[Fraction, Dimension]:
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
    if not value or not math.isfinite(value):
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


def checked(found: Quantity, expected: Dimension | None, text: str) -> Quantity:
    """The quantity, if it is of the dimension expected.

    Raises:
        UnitError: if not; it shows `text`.
    """
    if expected is None or found.dimension == expected:
        return found
    if found.dimension == NUMBER:
        raise UnitError(f"expected {wanted(expected)}, found the bare number {text}")
    raise UnitError(f"expected {wanted(expected)}, found `{text}`, which is {found.dimension}")


def wanted(expected: Dimension | None) -> str:
    """How a refusal names what must hold."""
    if expected is None:
        return "a number with a unit, such as `20 ms`"
    if expected == NUMBER:
        return "a pure number"
    return f"a {expected} with its unit, such as `20 {expected.unit}`"
