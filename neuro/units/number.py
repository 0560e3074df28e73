"""Plain numbers, as a quantity holds them: floats and read-only arrays of doubles."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import UnitError, shown

__all__ = ["coherent", "is_real", "real", "refuse_masked", "shifted"]


def is_real(value: object) -> bool:
    """Whether it is one real number without a unit; a bool is none."""
    if isinstance(value, (float, int, np.floating, np.integer, Fraction, Decimal)):
        if isinstance(value, (bool, np.timedelta64)):  # NumPy counts a time as an integer
            return False
        return not (isinstance(value, Decimal) and value.is_snan())  # it can't even be compared
    return False


def refuse_masked(value: Any) -> None:
    """Refuse an array with masked values, which would be taken for the numbers behind the mask.

    Raises:
        UnitError: if there are any.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        n = int(np.ma.getmaskarray(value).sum())
        raise UnitError(
            f"expected values without a mask, found {n} masked of {value.size}; fill them with "
            f"`filled`, or leave them out with `compressed`"
        )


def real(value: Any) -> float | NDArray[np.float64]:
    """A float, or a read-only float64 array that is a copy.

    Raises:
        UnitError: if it is neither.
    """
    if type(value) is float:
        return value
    if is_real(value):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if (not number and value) or (math.isinf(number) and value != number):
            raise UnitError(f"expected a number in the range of a double, found {shown(value)}")
        return number
    refuse_masked(value)
    if isinstance(value, (np.ndarray, list, tuple)):
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            if array.ndim == 0:
                return float(array)
            array = array.astype(np.float64)
            array.flags.writeable = False
            return array
    raise UnitError(f"expected a real number, found {shown(value)}")


def shifted(number: Any, places: int) -> Any:
    """`number * 10**places` for a number or an array, as text would be shifted: no digit is lost.

    >>> 0.0003 * 1000, shifted(0.0003, 3)
    (0.3, 0.3)
    """
    if not places:
        return number
    if isinstance(number, np.ndarray):
        flat = [shifted(each, places) for each in number.ravel().tolist()]
        return np.array(flat, np.float64).reshape(number.shape)
    return float(Decimal(repr(float(number))).scaleb(places))


def coherent(value: Any) -> Any:
    """The bare number or float64 array, in coherent units, of a value that a gate has checked."""
    number = getattr(value, "number", value)
    return np.asarray(number, np.float64) if np.ndim(number) else float(number)
