"""Ranges of fields and arguments, checked where an object is made and named by class and field.

The dataclasses of `neuro` call these in `__post_init__`, after `admit` has read the units.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuro.errors import EmberError, NetworkError, shown
from neuro.units import NUMBER, Quantity
from neuro.units.declared import named
from neuro.units.gate import number_in, read, suffix_of
from neuro.units.number import is_real

__all__ = [
    "cells_of",
    "coordinates_of",
    "finite",
    "flags",
    "increasing",
    "not_negative",
    "ordered",
    "part_of",
    "parts",
    "parts_of",
    "positive",
    "pure",
    "whole",
    "whole_field",
]

T = TypeVar("T")


def whole(
    value: Any,
    what: str,
    *,
    least: int = 0,
    most: float = math.inf,
    error: type[EmberError] = NetworkError,
) -> int:
    """`value` as an int: Python's or NumPy's, neither a bool nor a float.

    Raises:
        EmberError: of the class `error`, if it is no whole number, or outside `least..most`.
    """
    try:
        found = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        found = None
    if found is None or not least <= found <= most:
        span = f"of at least {least}" if most == math.inf else f"in {least}..{most}"
        raise error(f"{what} must be a whole number {span}, found {shown(value)}")
    return found


def whole_field(instance: Any, name: str, *, least: int = 0) -> None:
    """Make a field an int, as `whole` does."""
    _set(instance, name, whole(getattr(instance, name), _label(instance, name), least=least))


def flags(instance: Any, *names: str) -> None:
    """Refuse fields that are neither true nor false; the text `no` would count as true."""
    for name in names:
        value = getattr(instance, name)
        if not isinstance(value, (bool, np.bool_)):
            raise NetworkError(
                f"{_label(instance, name)} must be True or False, found {shown(value)}"
            )


def parts(value: Any, what: str, kind: type[T]) -> tuple[T, ...]:
    """`value`, a list or another sequence of parts of one kind, as a tuple.

    Raises:
        NetworkError: if it is a part alone, or holds anything else.
    """
    must = f"{what} must be a list or tuple, each a {kind.__name__}"
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise NetworkError(f"{must}, found {_found(value)}")
    found = tuple(value)
    for one in found:
        if not isinstance(one, kind):
            raise NetworkError(f"{must}, found {_found(one)} in it")
    return found


def parts_of(instance: Any, **kinds: type) -> None:
    """Make each field a tuple of parts of its kind, as `parts` does."""
    for name, kind in kinds.items():
        _set(instance, name, parts(getattr(instance, name), _label(instance, name), kind))


def part_of(instance: Any, **kinds: type) -> None:
    """Refuse fields that are no part of their kind."""
    for name, kind in kinds.items():
        given = getattr(instance, name)
        if not isinstance(given, kind):
            raise NetworkError(
                f"{_label(instance, name)} must be a {kind.__name__}, found {_found(given)}"
            )


def _found(value: Any) -> str:
    """A part by its kind and name; its other fields would fill the line."""
    name = getattr(value, "name", None)
    if isinstance(name, str) and not isinstance(value, type):
        return f"the {type(value).__name__} `{name}`"
    return shown(value)


def pure(instance: Any, *names: str) -> None:
    """Make fields floats: one finite number without a unit each."""
    for name in names:
        value = getattr(instance, name)
        plain = value.number if isinstance(value, Quantity) and value.dimension == NUMBER else value
        try:
            number = float(plain) if is_real(plain) else math.nan
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise NetworkError(
                f"{_label(instance, name)} must be a finite number without a unit, "
                f"found {shown(value)}"
            )
        _set(instance, name, number)


def finite(instance: Any, *names: str) -> None:
    """Refuse fields that are NaN or infinite."""
    _hold(instance, names, "be finite", math.isfinite)


def positive(instance: Any, *names: str) -> None:
    """Refuse fields that are not finite and above 0."""
    _hold(instance, names, "be finite and above 0", lambda number: 0 < number < math.inf)


def not_negative(instance: Any, *names: str) -> None:
    """Refuse fields that are not finite and at least 0."""
    _hold(instance, names, "be finite and at least 0", lambda number: 0 <= number < math.inf)


def ordered(instance: Any, low: str, high: str) -> None:
    """Refuse a field `low` that is above the field `high`, or NaN in either."""
    first, second = getattr(instance, low), getattr(instance, high)
    if not float(first) <= float(second):
        raise NetworkError(
            f"{_label(instance, low)} must be at most `{high}`, found {first} and {second}"
        )


def increasing(instance: Any, name: str) -> None:
    """Refuse `(time, level)` points whose times do not increase, or that fall below 0."""
    points = [(float(time), float(level)) for time, level in getattr(instance, name)]
    what = _label(instance, name)
    for time, level in points:
        if not (0 <= time < math.inf and 0 <= level < math.inf):
            raise NetworkError(
                f"{what} must hold finite times and levels of at least 0, found {level:g} at "
                f"{time:g} ms"
            )
    for (before, _), (after, _) in pairwise(points):
        if not before < after:
            raise NetworkError(
                f"{what} must have times that increase, found {before:g} ms and then {after:g} ms"
            )


def cells_of(instance: Any, name: str) -> None:
    """Make a field a tuple of ints of at least 0: cell numbers in any sequence or array."""
    given, what = getattr(instance, name), _label(instance, name)
    each: Iterable[Any] = given.ravel().tolist() if _is_whole_array(given) else given
    if isinstance(given, str) or not isinstance(each, Iterable):
        raise NetworkError(f"{what} must be a list of whole numbers, found {shown(given)}")
    _set(instance, name, tuple(whole(cell, f"{what}: a cell's number") for cell in each))


def coordinates_of(instance: Any, name: str, n: int) -> None:
    """Make a field a dict of `(n,)` float64 arrays, each in the unit that its key ends in.

    Raises:
        EmberError: if one has another shape, another dimension, or is not finite.
    """
    found = {}
    for key, value in getattr(instance, name).items():
        what = f"{_label(instance, name)}: `{key}`"
        array = np.asarray(named(_in_unit(suffix_of(key)), what)(value))
        if array.dtype.kind not in "iuf" or array.shape != (n,):
            raise NetworkError(f"{what} needs {n} numbers, one a cell, found shape {array.shape}")
        if not np.isfinite(array).all():
            raise NetworkError(f"{what} must be finite, found NaN or infinity")
        found[key] = array.astype(np.float64, copy=False)
    _set(instance, name, found)


def _in_unit(suffix: str | None) -> Callable[[Any], NDArray[Any]]:
    if suffix is None:
        return lambda value: np.asarray(read(value, NUMBER).number)
    return lambda value: number_in(value, suffix)


def _hold(instance: Any, names: Iterable[str], rule: str, holds: Callable[[float], bool]) -> None:
    for name in names:
        value = getattr(instance, name)
        if not holds(float(value)):
            raise NetworkError(f"{_label(instance, name)} must {rule}, found {value}")


def _is_whole_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 1


def _label(instance: Any, name: str) -> str:
    return f"{type(instance).__name__}: `{name}`"


def _set(instance: Any, name: str, value: Any) -> None:
    object.__setattr__(instance, name, value)
