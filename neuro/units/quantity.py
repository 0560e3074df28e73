"""Quantity: a number, or an array of numbers, that keeps its dimension."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import UnitError
from neuro.units.dimension import NUMBER, Dimension, surface_shift
from neuro.units.number import is_real, real, shifted

__all__ = ["Quantity"]

if TYPE_CHECKING:
    _Number = float  # a parameter `dt_ms: float` takes `ms(0.1)` as well; see `neuro.units.gate`
else:
    _Number = object


class Quantity(_Number):
    """A number in the coherent system, or a read-only array of them, with its dimension.

    Sums and comparisons of two dimensions are refused, products have the product's dimension,
    and a quotient of one dimension is a plain number. A bare 0 and an infinity compare with and
    add to every dimension. Temperatures in °C and levels in dB have no sum and no product.

    `float(quantity)`, which functions such as `math.exp` call as well, gives the number in
    coherent units (`Hz(10)` is 0.01 per ms); `quantity / Hz` gives the number in Hz.
    NumPy's functions keep the dimension, or refuse.

    >>> from neuro.units import Hz, mV, ms, nS, pA
    >>> pA(300), nS(3) * mV(2), -70 * mV
    (300 pA, 6 pA, -70 mV)
    >>> Hz(10), float(Hz(10)), Hz(10) / Hz
    (10 Hz, 0.01, 10.0)

    Raises:
        UnitError: if the value is no real number, or an operation has no dimension.
    """

    __slots__ = ("dimension", "number")
    number: float | NDArray[np.float64]
    dimension: Dimension

    def __new__(cls, value: Any, dimension: Dimension = NUMBER) -> Quantity:
        """`value` is in coherent units."""
        self = super().__new__(cls)
        object.__setattr__(self, "number", real(value))
        object.__setattr__(self, "dimension", dimension)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a quantity does not change; make a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return Quantity, (self.number, self.dimension)

    def __copy__(self) -> Quantity:
        return self

    def __deepcopy__(self, memo: object) -> Quantity:
        return self

    # Text

    @property
    def surface(self) -> Any:
        """The number, or array, in the unit that a person writes: Hz, not 1/ms."""
        return shifted(self.number, surface_shift(self.dimension))

    def __repr__(self) -> str:
        if isinstance(self.number, np.ndarray):
            number_text = np.array2string(np.asarray(self.surface), threshold=6, edgeitems=2)
        else:
            number_text = f"{self.number * 10.0 ** surface_shift(self.dimension):.12g}"
        return number_text if self.dimension == NUMBER else f"{number_text} {self.dimension.unit}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        text = format(self.surface, spec)
        return text if self.dimension == NUMBER else f"{text} {self.dimension.unit}"

    @property
    def text(self) -> str:
        """Text that `parse_quantity` reads back to the same quantity, bit for bit.

        >>> from neuro.units import Hz, ms
        >>> ms(0.1 + 0.2).text, Hz(40).text
        ('0.30000000000000004 ms', '40 Hz')
        """
        shift = surface_shift(self.dimension)  # a decimal shift loses no digit
        number = Decimal(repr(float(self))).scaleb(shift)
        if number.is_finite() and number and -7 < number.adjusted() < 16:
            number_text = f"{number.normalize():f}"
        else:
            number_text = repr(float(self)) if not shift else str(number)
        number_text = number_text.removesuffix(".0")
        return number_text if self.dimension == NUMBER else f"{number_text} {self.dimension.unit}"

    # As a number, and as an array

    def __float__(self) -> float:
        return float(self.number)

    def __int__(self) -> int:
        """The integer part of a pure number.

        Raises:
            UnitError: if it has a unit: 5 of what the integer is, `int` does not say.
        """
        if self.dimension != NUMBER:
            unit = self.dimension.unit
            raise UnitError(
                f"an int has no unit, found {self}; divide by one first, as in `int(x / {unit})`"
            )
        return int(float(self))

    __trunc__ = __int__

    def __bool__(self) -> bool:
        return bool(self.number)

    def __hash__(self) -> int:
        number = float(self)
        if self.dimension == NUMBER or number == 0 or math.isinf(number):
            return hash(number)  # equal to the bare number
        return hash((number, self.dimension))

    def __round__(self, digits: int | None = None) -> Quantity:  # type: ignore[override]
        return Quantity(
            shifted(round(self.surface, digits), -surface_shift(self.dimension)), self.dimension
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array; `()` for one number."""
        return np.shape(self.number)

    @property
    def ndim(self) -> int:
        """How many axes the array has; 0 for one number."""
        return self.number.ndim if isinstance(self.number, np.ndarray) else 0

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.size(self.number))

    def __len__(self) -> int:
        return len(self._array())

    def __getitem__(self, key: Any) -> Quantity:
        return Quantity(self._array()[key], self.dimension)

    def __iter__(self) -> Iterator[Quantity]:
        return (Quantity(number, self.dimension) for number in self._array())

    def _array(self) -> NDArray[np.float64]:
        if not isinstance(self.number, np.ndarray):
            raise TypeError(f"the quantity {self} is one number and has no elements")
        return self.number

    # Arithmetic: `_binary` holds the rules

    def __neg__(self) -> Quantity:
        return Quantity(-self.number, self.dimension)

    def __pos__(self) -> Quantity:
        return Quantity(self.number, self.dimension)

    def __abs__(self) -> Quantity:
        return Quantity(abs(self.number), self.dimension)

    def __add__(self, other: Any) -> Any:
        return _binary("+", operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary("+", operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _binary("-", operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("-", operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return _binary("*", operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary("*", operator.mul, other, self)

    def __matmul__(self, other: Any) -> Any:
        return _binary("@", operator.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _binary("@", operator.matmul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary("/", operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary("/", operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _binary("//", operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary("//", operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return _binary("%", operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _binary("%", operator.mod, other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, power: Any, modulus: None = None) -> Any:
        return _power(self, power)

    def __rpow__(self, base: Any, modulus: None = None) -> Any:
        if self.dimension != NUMBER:
            raise UnitError(f"an exponent must be a pure number, found {self}")
        return base**self.number

    def __lt__(self, other: Any) -> Any:
        return _binary("<", operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return _binary("<=", operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return _binary(">", operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return _binary(">=", operator.ge, self, other)

    def __eq__(self, other: object) -> Any:
        right = _operand(other)
        if right is None:
            return NotImplemented
        if self.dimension == right.dimension or _fits_all(self, right):
            return self.number == right.number
        shape = np.broadcast_shapes(self.shape, right.shape)
        return np.zeros(shape, bool) if shape else False

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        if equal is NotImplemented:
            return equal
        return ~equal if isinstance(equal, np.ndarray) else not equal

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's elementwise functions, where the result has a dimension.

        Raises:
            UnitError: if it has none, as `np.exp(mV(3))`.
        """
        name = ufunc.__name__
        operands = [_operand(each) for each in inputs]
        if method == "reduce" and name in _SAME and operands[0] is not None:
            if name == "add":
                _no_offset("+", operands[0])
            return _made(ufunc.reduce(operands[0].number, **options), operands[0].dimension)
        if method == "__call__" and not options and None not in operands:
            first, *rest = [each for each in operands if each is not None]
            if name in _BINARY:
                return _binary(*_BINARY[name], first, rest[0])
            if name == "equal":
                return first == rest[0]
            if name == "not_equal":
                return first != rest[0]
            if name in _PREDICATES:
                return ufunc(first.number)
            if name in _KEEP:
                return _made(ufunc(first.number), first.dimension)
            if name in _SAME:
                dimension = _common(name, first, rest[0])
                return _made(ufunc(first.number, rest[0].number), dimension)
            if name in _POWERS:
                return _power(first, _POWERS[name])
            if name == "power":
                return _power(first, rest[0])
            if all(each.dimension == NUMBER for each in (first, *rest)):
                return ufunc(*(each.number for each in (first, *rest)))
        raise _no_dimension(f"numpy.{name}", _shown(inputs))

    def __array_function__(
        self, function: Any, kinds: Any, given: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """NumPy's other functions, where they need no more than the operations above.

        Raises:
            UnitError: if they need plain numbers, as `np.interp` and `np.var`.
        """
        name = f"{function.__module__}.{function.__name__}"
        if name not in _TO_FLOATS:
            with contextlib.suppress(TypeError, AttributeError):
                return function.__wrapped__(*given, **options)
        found = [each for each in (*given, *options.values()) if isinstance(each, Quantity)]
        raise _no_dimension(name, _shown(found or [self]))


def _no_dimension(function: str, found: str) -> UnitError:
    return UnitError(
        f"{function} has no result with a dimension, found {found}; divide by a unit first, as in "
        f"`{function}(x / mV)`"
    )


_BINARY: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "add": ("+", operator.add), "subtract": ("-", operator.sub), "multiply": ("*", operator.mul),
    "divide": ("/", operator.truediv), "floor_divide": ("//", operator.floordiv),
    "remainder": ("%", operator.mod), "less": ("<", operator.lt),
    "less_equal": ("<=", operator.le), "greater": (">", operator.gt),
    "greater_equal": (">=", operator.ge), "matmul": ("@", operator.matmul),
}  # fmt: skip
_PREDICATES = {"isfinite", "isnan", "isinf", "sign", "signbit"}
_KEEP = {"absolute", "fabs", "negative", "positive", "conjugate"}
_TO_FLOATS = {"numpy.gradient", "numpy.interp"}  # they would drop the dimension without a word
_SAME = {"add", "maximum", "minimum", "fmax", "fmin", "hypot"}
_POWERS = {"sqrt": Fraction(1, 2), "cbrt": Fraction(1, 3), "square": 2, "reciprocal": -1}
_ALIKE = {"+", "-", "%", "//", "<", "<=", ">", ">="}


def _binary(sign: str, operate: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    a, b = _operand(left), _operand(right)
    if a is None or b is None:
        return NotImplemented
    if sign == "@" and not (a.ndim and b.ndim):
        raise UnitError(f"both sides of `@` must be arrays, found {_shown((a, b))}; use `*`")
    if sign in {"*", "@", "/"}:
        _no_offset(sign, a, b)
        return _made(
            operate(a.number, b.number), a.dimension.times(b.dimension, -1 if sign == "/" else 1)
        )
    dimension = _common(sign, a, b)
    number = operate(a.number, b.number)
    if sign in {"+", "-", "%"}:
        _no_offset(sign, a, b)
        return _made(number, dimension)
    return number


def _power(base: Quantity, power: Any) -> Any:
    exponent = _operand(power)
    if exponent is None or exponent.dimension != NUMBER or exponent.ndim:
        raise UnitError(f"an exponent must be one pure number, found {power!r}")
    _no_offset("**", base)
    by = Fraction(float(exponent)).limit_denominator(64)
    return _made(base.number ** float(exponent), NUMBER.times(base.dimension, by))


def _common(sign: str, a: Quantity, b: Quantity) -> Dimension:
    """The dimension that two operands share.

    Raises:
        UnitError: if there is none.
    """
    if a.dimension == b.dimension:
        return a.dimension
    if _fits_all(a, b):
        return a.dimension if b.dimension == NUMBER else b.dimension
    raise UnitError(
        f"both sides of `{sign}` must have one dimension, found {_shown((a, b))}; give both the "
        f"same unit, or divide by one"
    )


def _fits_all(a: Quantity, b: Quantity) -> bool:
    """Whether one of the two is a bare 0 or infinity, which is the same in every unit."""
    if a.dimension.has_offset or b.dimension.has_offset:
        return False
    bare = a if a.dimension == NUMBER else b
    if bare.dimension != NUMBER or bare.ndim:
        return False
    number = float(bare)
    return number == 0 or math.isinf(number)


def _no_offset(sign: str, *operands: Quantity) -> None:
    for each in operands:
        if each.dimension.has_offset:
            raise UnitError(
                f"a {each.dimension} has no `{sign}`, found {each}: it starts at a zero of its "
                f"own; compute with `float(quantity)`, in {each.dimension.unit}"
            )


def _shown(operands: Any) -> str:
    found = [_operand(each) for each in operands]
    return " and ".join(
        repr(raw) if each is None else f"{each} ({each.dimension})"
        for raw, each in zip(operands, found, strict=True)
    )


def _made(number: Any, dimension: Dimension) -> Any:
    """A quantity, or the plain number where the dimension is gone."""
    if dimension == NUMBER:
        return number if isinstance(number, np.ndarray) else float(number)
    return Quantity(number, dimension)


def _operand(value: object) -> Quantity | None:
    """What stands beside a quantity, as one; None for what is no number."""
    if isinstance(value, Quantity):
        return value
    if is_real(value):
        return Quantity(value)
    if isinstance(value, (bool, np.bool_, str, bytes)) or value is None:
        return None
    from neuro.units.gate import read  # it needs this class

    try:
        return read(value, None)
    except UnitError:
        return None
