"""The gate: what a public function takes for a value with a unit, and what it refuses.

A parameter whose name ends in a unit (`dt_ms`, `rate_hz`) takes a number in that unit; one that
is annotated `Time`, `Voltage`, … has no unit in its name and takes no bare number. Both take
Ember's quantities, text such as `"20 ms"`, and quantities of Brian2, pint, quantities and
astropy, one or an array of them. A wrong dimension is refused by name. Numbers pass unchanged;
a `Decimal` or a `Fraction` becomes a float, and an int beyond a double is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from neuro.errors import UnitError, shown
from neuro.units.dimension import (
    CAPACITANCE,
    CONDUCTANCE,
    CURRENT,
    FREQUENCY,
    LENGTH,
    LEVEL,
    NUMBER,
    SPEED,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
    surface_shift,
)
from neuro.units.foreign import from_foreign
from neuro.units.number import is_real, real, refuse_masked, shifted
from neuro.units.quantity import Quantity
from neuro.units.text import checked, read_text, wanted

__all__ = [
    "SUFFIXES",
    "is_bare",
    "number_in",
    "parse_quantity",
    "read",
    "read_coherent",
    "read_in",
    "suffix_of",
]

SUFFIXES: dict[str, tuple[Dimension, int]] = {
    "ms": (TIME, 0), "s": (TIME, -3), "us": (TIME, 3),
    "hz": (FREQUENCY, 3), "khz": (FREQUENCY, 0),
    "mv": (VOLTAGE, 0), "pa": (CURRENT, 0), "ns": (CONDUCTANCE, 0), "pf": (CAPACITANCE, 0),
    "m": (LENGTH, 0), "nm": (LENGTH, 9), "m_per_s": (SPEED, 3), "db": (LEVEL, 0),
    "c": (TEMPERATURE, 0), "sd_c": (NUMBER, 0),  # a difference has no unit here
    "hz_per_c": (FREQUENCY.times(TEMPERATURE, -1), 3), "rad": (NUMBER, 0),
    "rad_per_s": (FREQUENCY, 3), "per_ms": (FREQUENCY, 0), "per_s": (FREQUENCY, 3),
    "per_mv": (VOLTAGE.times(VOLTAGE, -2), 0), "pa_ms": (CURRENT.times(TIME), 0),
}  # fmt: skip
"""The unit that the end of a name stands for: its dimension, and the decimal places from the
coherent number to the number in that unit."""


def suffix_of(name: str) -> str | None:
    """The unit at the end of a parameter's name; the longest, so that `x_m_per_s` is a speed.

    >>> suffix_of("dt_ms"), suffix_of("speed_m_per_s"), suffix_of("items")
    ('ms', 'm_per_s', None)
    """
    parts = name.split("_")
    for start in range(1, len(parts)):
        ending = "_".join(parts[start:])
        if ending in SUFFIXES:
            return None if parts[start - 1] == "per" else ending
    return None


def parse_quantity(value: object, expected: Dimension | None = None) -> Quantity:
    """One quantity: Ember's, text such as `20 ms`, or another package's.

    Args:
        value: What to read; a bare number is accepted only where a pure number is expected.
        expected: The dimension that must come out; None takes any.

    Raises:
        UnitError: if the unit is missing, unknown, or of another dimension.

    >>> parse_quantity("0.02 s", TIME)
    20 ms
    """
    found = read(value, expected)
    if found.ndim:
        raise UnitError(f"expected {wanted(expected)}, found {found.size} values")
    return _no_nan(found, expected)


def read(value: Any, expected: Dimension | None = None) -> Quantity:
    """One quantity, or an array of them; a list may mix whatever the gate takes.

    Raises:
        UnitError: as `parse_quantity`.
    """
    return _read(value, expected, None)


def read_in(value: Any, dimension: Dimension) -> Quantity:
    """As `read`, but a bare number or array is in the unit that the dimension is written in.

    Raises:
        UnitError: as `parse_quantity`.
    """
    if isinstance(value, Quantity):  # nearly all are: it spares the shift
        return _checked(value, dimension)
    return _read(value, dimension, surface_shift(dimension))


def read_coherent(value: Any, dimension: Dimension | None) -> Quantity:
    """As `read`, but a bare number or array is in the coherent unit, if that is what people write.

    A bare rate is refused, since 20 could mean 20 Hz or 20 per ms.

    Raises:
        UnitError: as `parse_quantity`.
    """
    return _read(value, dimension, None if dimension is None or surface_shift(dimension) else 0)


def number_in(value: Any, suffix: str) -> Any:
    """The number, or array, in the unit `suffix` names; what has no unit passes as it is.

    Raises:
        UnitError: if it is no number, or of another dimension.

    >>> number_in("0.5 s", "ms"), number_in(40, "hz")
    (500.0, 40)
    """
    return number_of(value, *SUFFIXES[suffix])


def number_of(value: Any, dimension: Dimension, shift: int) -> Any:
    """As `number_in`, in the unit that lies `shift` places from the coherent one.

    Raises:
        UnitError: if it is no number, or of another dimension.
    """
    if type(value) not in (float, int) and isinstance(value, (Decimal, Fraction)):
        value = real(value)
    if is_bare(value):
        return value
    return shifted(_no_nan(_read(value, dimension, shift), dimension).number, shift)


_MOST = int(np.finfo(np.float64).max)


def _no_nan(found: Quantity, expected: Dimension | None) -> Quantity:
    if not found.ndim and found.number != found.number:
        raise UnitError(f"expected {wanted(expected)}, found NaN")
    return found


def is_bare(value: Any) -> bool:
    """Whether it is numbers without a unit, one or many; neither NaN alone nor beyond a double."""
    if type(value) is float:
        return value == value
    if type(value) is int:
        return -_MOST <= value <= _MOST
    if isinstance(value, (list, tuple)):
        return all(is_bare(each) for each in value)
    if is_real(value):
        return bool(value == value) and from_foreign(value) is None
    refuse_masked(value)
    dtype = None if isinstance(value, (Quantity, str)) else getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", "f")  # torch's dtype has none
    return dtype is not None and kind in "iuf" and from_foreign(value) is None


def _read(value: Any, expected: Dimension | None, shift: int | None) -> Quantity:
    """`shift` places from the coherent number to a bare one; None refuses bare numbers."""
    if isinstance(value, Quantity):
        return _checked(value, expected)
    if isinstance(value, str):
        return read_text(value, expected)
    if is_real(value):
        return _bare(value, expected, shift)
    refuse_masked(value)
    found = from_foreign(value)
    if found is not None:
        return _checked(found, expected)
    if isinstance(value, (list, tuple)) or _is_object_array(value):
        parts = [_read(each, expected, shift) for each in value]
        dimensions = {part.dimension for part in parts} or {expected or NUMBER}
        if len(dimensions) > 1:
            names = " and ".join(sorted(str(each) for each in dimensions))
            raise UnitError(f"expected values of one dimension, found {names}")
        try:
            return Quantity(np.array([part.number for part in parts], np.float64), *dimensions)
        except ValueError:
            raise UnitError("expected rows of one length, found several lengths") from None
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
        return _read(value.tolist(), expected, shift)
    if hasattr(value, "__array__") and not isinstance(value, Mapping):
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            return _bare(array if array.ndim else array.item(), expected, shift)
    raise UnitError(f"expected {_wanted(expected, shift)}, found {shown(value)}")


def _is_object_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.ndim > 0


def _bare(value: Any, expected: Dimension | None, shift: int | None) -> Quantity:
    found = Quantity(value)
    if shift is None or expected is None:
        return checked(found, expected, str(value) if found.ndim == 0 else str(found))
    number = found.number
    return Quantity(number / 10.0**shift if shift > 0 else number * 10.0**-shift, expected)


def _checked(found: Quantity, expected: Dimension | None) -> Quantity:
    return found if expected in (None, found.dimension) else checked(found, expected, str(found))


def _wanted(expected: Dimension | None, shift: int | None) -> str:
    return wanted(expected) + ("" if shift is None or not expected else ", or a bare number")
