"""Quantities of other packages, converted by their own units and told apart by what they offer.

No package is imported: whoever made the object has done that. Brian2 (`dim`), pint
(`to_root_units`), quantities and Neo (`rescale`), astropy (`unit.decompose`), `timedelta`s, and
anything else that carries a number beside the name of its unit.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuro.errors import UnitError
from neuro.units.dimension import TEMPERATURE, TIME, coherent_factor, dimension_from_si
from neuro.units.number import refuse_masked
from neuro.units.quantity import Quantity
from neuro.units.text import unit_of

__all__ = ["from_foreign"]

_KELVIN = 273.15
_SI = {"m": "length", "kg": "mass", "s": "time", "A": "current", "K": "temperature",
       "mol": "substance"}  # fmt: skip
_NO_UNIT = {"rad", "sr", ""}


def from_foreign(value: Any) -> Quantity | None:
    """The quantity that an object of another package stands for; None if it has no unit.

    Raises:
        UnitError: if its unit has no counterpart here.
    """
    try:
        return _converted(value)
    except UnitError:
        raise
    except Exception as error:  # other packages raise many kinds
        raise UnitError(
            f"expected a quantity that converts to SI units, found {_shown(value)}: "
            f"{type(error).__name__}; give text such as `20 ms` instead"
        ) from None


def _converted(value: Any) -> Quantity | None:
    kind = type(value)
    for inner in ("magnitude", "value"):  # before a conversion drops the mask
        refuse_masked(getattr(value, inner, None))
    if isinstance(value, datetime.timedelta):
        return Quantity(value / datetime.timedelta(milliseconds=1), TIME)
    dtype = getattr(value, "dtype", None)
    if getattr(dtype, "kind", None) in ("m", "M"):
        if dtype.kind == "M":  # type: ignore[union-attr]
            raise UnitError(f"expected a quantity, found the date {_shown(value)}")
        return Quantity(np.asarray(value) / np.timedelta64(1, "ms"), TIME)
    if hasattr(kind, "dim") and hasattr(value.dim, "get_dimension"):
        return _of_brian(value)
    if hasattr(kind, "to_root_units"):
        return _of_pint(value)
    if hasattr(kind, "rescale") and hasattr(value, "dimensionality"):
        return _of_quantities(value)
    if hasattr(kind, "unit") and hasattr(value.unit, "decompose"):
        return _of_astropy(value)
    return _of_named_unit(value)


def _of_brian(value: Any) -> Quantity:
    names = ("length", "mass", "time", "current", "temperature", "substance", "luminosity")
    powers = {name: value.dim.get_dimension(name) for name in names}
    return _from_si(np.array(value, dtype=float), powers, value)


def _of_pint(value: Any) -> Quantity:
    powers = {name.strip("[]"): power for name, power in value.dimensionality.items()}
    offset = any("delta" in str(unit) for unit in value.unit_items())
    if offset:
        raise UnitError(f"expected a quantity, found the temperature difference {_shown(value)}")
    bases = {"length": "meter", "mass": "kilogram", "time": "second", "current": "ampere",
             "temperature": "kelvin", "substance": "mole"}  # fmt: skip
    known = _known(powers, value)
    si = " * ".join(f"{bases[name]} ** {power}" for name, power in known.items())
    si = si or "dimensionless"
    return _from_si(value.to(si).magnitude, powers, value)


def _of_quantities(value: Any) -> Quantity:
    units = value.dimensionality
    if any(unit.symbol in {"degC", "degF"} for unit in units):  # differences, in that package
        if [(u.symbol, p) for u, p in units.items()] == [("degC", 1)]:
            return Quantity(np.array(value.magnitude, dtype=float), TEMPERATURE)
        raise UnitError(f"expected a temperature in degC or K, found {_shown(value)}")
    simple = value.simplified
    powers = {unit.symbol: power for unit, power in simple.dimensionality.items()}
    return _from_symbols(np.array(simple.magnitude, dtype=float), powers, value)


def _of_astropy(value: Any) -> Quantity:
    if str(value.unit) == "deg_C":
        return Quantity(np.array(value.value, dtype=float), TEMPERATURE)
    simple = value.unit.decompose()
    powers = {str(base): power for base, power in zip(simple.bases, simple.powers, strict=True)}
    return _from_symbols(np.array(value.value, dtype=float) * float(simple.scale), powers, value)


def _of_named_unit(value: Any) -> Quantity | None:
    """A number (`value`, `magnitude`, or the array itself) beside the text of its unit."""
    attributes = getattr(value, "attrs", None)
    if isinstance(attributes, Mapping) and "units" in attributes:
        name: Any = attributes["units"]
    else:
        found = [getattr(value, key) for key in ("units", "unit") if hasattr(value, key)]
        if not found:
            return None
        name = found[0]
    number = next(
        (getattr(value, key) for key in ("magnitude", "value", "values") if hasattr(value, key)),
        value,
    )
    if callable(number) or callable(name):
        return None
    text = str(name).strip()
    if text in ("1", "dimensionless", ""):
        return Quantity(np.array(number, dtype=float))
    if text in ("degC", "deg_C", "°C"):
        return Quantity(np.array(number, dtype=float), TEMPERATURE)
    factor, dimension = unit_of(text.replace("·", "*").replace("^", "**"))
    if dimension.has_offset:
        raise UnitError(f"expected a temperature in degC, found {_shown(value)}")
    return Quantity(_scaled(np.array(number, dtype=float), float(factor)), dimension)


def _from_symbols(number: Any, powers: Mapping[str, Any], value: Any) -> Quantity:
    named = {_SI.get(symbol, symbol): p for symbol, p in powers.items() if symbol not in _NO_UNIT}
    return _from_si(number, named, value)


def _from_si(number: Any, powers: Mapping[str, Any], value: Any) -> Quantity:
    dimension = dimension_from_si(**_known(powers, value))
    if dimension == TEMPERATURE:
        return Quantity(_tidy(np.asarray(number, float) - _KELVIN), dimension)
    return Quantity(_scaled(number, coherent_factor(dimension)), dimension)


def _known(powers: Mapping[str, Any], value: Any) -> dict[str, Any]:
    present = {name: power for name, power in powers.items() if power}
    if unknown := sorted(present.keys() - set(_SI.values())):
        raise UnitError(
            f"expected units of length, mass, time, current, temperature and substance, found "
            f"{_shown(value)}, which has {', '.join(unknown)}"
        )
    return present


def _scaled(number: Any, factor: float) -> Any:
    array = np.asarray(number, dtype=float)
    return _tidy(array * factor) if factor != 1 else array


def _tidy(array: Any) -> Any:
    """Take back the last-digit errors of two factors: 0.7*ms is 0.7 ms, not 0.7000000000000001."""
    flat = [_short(each) for each in np.asarray(array).ravel().tolist()]
    return np.array(flat, float).reshape(np.shape(array))


def _short(number: float) -> float:
    if not math.isfinite(number):
        return number
    decimal = float(f"{number:.12g}")
    return decimal if abs(decimal - number) <= 1e-15 * abs(number) else number


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
