"""Arithmetic keeps a dimension or refuses, and no value loses its unit without a word."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro.errors import UnitError
from neuro.units import (
    CONDUCTANCE,
    CURRENT,
    FREQUENCY,
    LEVEL,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
    Hz,
    Quantity,
    celsius,
    dB,
    m,
    m_per_s,
    ms,
    mV,
    nM,
    nS,
    pA,
    parse_quantity,
    pF,
    read,
)

UNITS = {"ms": ms, "mV": mV, "pA": pA, "nS": nS, "pF": pF, "nM": nM, "Hz": Hz, "m": m,
         "m/s": m_per_s}  # fmt: skip
numbers = st.floats(-1e6, 1e6)
units = st.sampled_from(list(UNITS.values()))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: mV(-70) + mV(5), mV(-65)),
        (lambda: -70 * mV, mV(-70)),
        (lambda: mV * 2, mV(2)),
        (lambda: mV(3) * 2, mV(6)),
        (lambda: nS(3) * mV(2), pA(6)),
        (lambda: pF(200) / nS(10), ms(20)),
        (lambda: pA(100) / mV(50), nS(2)),
        (lambda: 20 / ms(1), Hz(20000)),
        (lambda: 1 / ms, Hz(1000)),
        (lambda: m(1) / ms(10), m_per_s(100)),
        (lambda: sum([mV(1), mV(2)]), mV(3)),
        (lambda: abs(mV(-3)), mV(3)),
        (lambda: -mV(3), mV(-3)),
        (lambda: +mV(3), mV(3)),
        (lambda: mV(7) % mV(4), mV(3)),
        (lambda: round(Hz(12.34), 1), Hz(12.3)),
        (lambda: (mV(3) ** 2) ** 0.5, mV(3)),
        (lambda: max(ms(3), ms(5)), ms(5)),
        (lambda: np.float64(3) * mV, mV(3)),
        (lambda: mV * np.int32(3), mV(3)),
        (lambda: mV(np.array(3.0)), mV(3)),
        (lambda: mV(Decimal("-70.5")), mV(-70.5)),
        (lambda: mV(Fraction(1, 4)), mV(0.25)),
        (lambda: mV("0.003 V"), mV(3)),
        (lambda: np.mean([mV(1), mV(2)]), mV(1.5)),
        (lambda: np.sum([1, 2] * mV), mV(3)),
        (lambda: np.max(mV([1, 2])), mV(2)),
        (lambda: np.abs(mV(-3)), mV(3)),
        (lambda: np.sqrt(mV(3) * mV(3)), mV(3)),
        (lambda: np.add(mV(1), mV(2)), mV(3)),
        (lambda: np.maximum(mV(1), mV(2)), mV(2)),
        (lambda: mV([1, 2])[1], mV(2)),
        (lambda: mV(-70) + 0, mV(-70)),
    ],
)
def test_a_result_has_its_dimension(found: Callable[[], Any], expected: Quantity) -> None:
    result = found()
    assert isinstance(result, Quantity)
    assert result.dimension == expected.dimension
    assert float(result) == pytest.approx(float(expected), rel=1e-15)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: mV(6) / mV(3), 2.0),
        (lambda: Hz(500) / Hz, 500.0),
        (lambda: Hz(500) * ms(10), 5.0),
        (lambda: mV(7) // mV(2), 3.0),
        (lambda: Quantity(5) + 1, 6.0),
        (lambda: np.exp(mV(3) / mV), math.exp(3)),
        (lambda: float(Hz(10)), 0.01),
    ],
)
def test_a_quotient_of_one_dimension_is_a_plain_number(
    found: Callable[[], Any], expected: float
) -> None:
    assert type(found()) is float or type(found()) is np.float64
    assert found() == pytest.approx(expected)


@pytest.mark.parametrize(
    "operation",
    [
        lambda: mV(-70) + pA(5), lambda: mV(1) - ms(1), lambda: mV(1) + 5, lambda: 5 - mV(1),
        lambda: mV(1) < pA(3), lambda: mV(1) >= 5, lambda: max(mV(1), pA(2)),
        lambda: sum([mV(1), pA(2)]), lambda: mV(3) % ms(2), lambda: mV(3) // 2,
        lambda: 2 ** mV(1), lambda: mV(2) ** mV(1), lambda: np.exp(mV(3)), lambda: np.sin(ms(3)),
        lambda: np.add(mV(1), pA(1)), lambda: np.add(mV(1), 2.0), lambda: np.mean([mV(1), pA(2)]),
        lambda: np.array([1.0, 2.0]) + mV(1), lambda: np.floor(Hz(12.5)), lambda: np.log(mV(2)),
        lambda: celsius(20) + celsius(3), lambda: celsius(20) * 2, lambda: celsius(49) - celsius(3),
        lambda: dB(60) + dB(60), lambda: 2 * dB(60), lambda: dB(60) + 6, lambda: celsius(1) > 0,
        lambda: np.sum([20, 30] * celsius),
        lambda: mV(True), lambda: mV(1j), lambda: mV("5 pA"), lambda: mV(pA(5)), lambda: mV(None),
        lambda: mV({}), lambda: mV([1, True]), lambda: mV(np.array([1j])), lambda: mV("mV"),
        lambda: mV(np.bool_(True)), lambda: mV(10**400), lambda: Quantity("5"),
        lambda: mV(Decimal("sNaN")), lambda: read([mV(1), pA(2)]), lambda: read([[mV(1)], mV(2)]),
    ],
)  # fmt: skip
def test_what_has_no_dimension_is_refused_in_one_line(operation: Callable[[], Any]) -> None:
    with pytest.raises(UnitError) as refused:
        operation()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250
    assert "found" in str(refused.value)


def test_the_message_shows_both_sides() -> None:
    with pytest.raises(UnitError, match=r"found -70 mV \(voltage\) and 5 pA \(current\)"):
        mV(-70) + pA(5)


def test_two_dimensions_are_never_equal() -> None:
    assert mV(-70) != pA(-70)
    assert not mV(-70) == pA(-70)  # noqa: SIM201
    assert mV(0) != pA(0)
    assert mV(5) != 5
    assert mV(5) != "5 mV"
    assert mV(-70) == -70 * mV
    assert hash(mV(-70)) == hash(-70 * mV)
    assert len({mV(-70), pA(-70), -70 * mV, -70.0}) == 3
    assert mV(0) == 0
    assert hash(mV(0)) == hash(0)
    assert (mV([1, 2]) == pA([1, 2])).tolist() == [False, False]
    assert (mV([1, 2]) != mV([1, 3])).tolist() == [False, True]


@given(numbers, units, numbers, units)
def test_a_product_has_the_product_of_dimensions(
    a: float, first: Any, b: float, second: Any
) -> None:
    product = first(a) * second(b)
    expected = [x + y for x, y in zip(first.dimension, second.dimension, strict=True)]
    found = product.dimension if isinstance(product, Quantity) else Dimension()
    assert list(found) == expected
    assert float(product) == float(first(a)) * float(second(b))


@given(numbers, numbers, units, units)
def test_a_sum_needs_one_dimension(a: float, b: float, first: Any, second: Any) -> None:
    if first is second:
        assert float(first(a) + second(b)) == float(first(a)) + float(second(b))
        return
    with pytest.raises(UnitError):
        first(a) + second(b)
    with pytest.raises(UnitError):
        bool(first(a) < second(b))
    assert first(a) != second(b)


@given(numbers, st.sampled_from([*UNITS.values(), celsius, dB]))
def test_copies_are_equal(number: float, unit: Any) -> None:
    quantity = unit(number)
    array = unit([number, 1.0])
    for made in (copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q))):  # noqa: S301
        assert made(quantity) == quantity
        assert (made(array) == array).all()
        assert made(unit) == unit
        assert made(unit)(number) == quantity


def test_text_shows_the_unit() -> None:
    assert str(mV(-70)) == repr(mV(-70)) == f"{mV(-70)}" == "-70 mV"
    assert f"{Hz(12.345):.1f}" == "12.3 Hz"
    assert f"{ms(2):g}" == "2 ms"
    assert str(mV([1, 2])) == "[1. 2.] mV"
    assert str(Quantity(3)) == "3"


def test_a_quantity_does_not_change() -> None:
    with pytest.raises(AttributeError):
        mV(1).number = 2.0
    given_array = np.array([1.0, 2.0])
    held = mV(given_array)
    given_array[0] = 9.0
    assert held[0] == mV(1)
    with pytest.raises(ValueError, match="read-only"):
        held.number[0] = 5.0  # type: ignore[index]


def test_arrays_keep_the_unit() -> None:
    assert (np.array([0.1, 0.3]) * Hz).dimension == FREQUENCY
    assert ((np.array([0.1, 0.3]) * Hz) / Hz).tolist() == [0.1, 0.3]
    assert np.array([mV(1), mV(2)]).dtype == object
    assert read(np.array([mV(1), mV(2)])).dimension == VOLTAGE
    assert read([nS(1), "2 nS"]).number.tolist() == [1, 2]  # type: ignore[union-attr]
    assert np.isfinite(mV([1.0, np.inf])).tolist() == [True, False]
    assert (nS([1, 2]) * mV(3)).dimension == CURRENT
    assert (mV([1, 2]) < mV(1.5)).tolist() == [True, False]
    assert [*mV([1, 2])] == [mV(1), mV(2)]
    with pytest.raises(TypeError):
        len(mV(1))
    with pytest.raises(TypeError):
        mV(1)[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_numbers_of_a_unit_but_nan_is_no_parameter(value: float) -> None:
    quantity = mV(value)
    assert quantity.dimension == VOLTAGE
    if math.isnan(value):
        assert quantity != quantity
        with pytest.raises(UnitError, match="NaN"):
            parse_quantity(quantity, VOLTAGE)
    else:
        assert parse_quantity(quantity, VOLTAGE) == quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("600pA", pA(600)), ("2e-3 s", ms(2)), ("-70 mV", mV(-70)), ("+.5 nS", nS(0.5)),
        ("5 MV", mV(5e9)), ("5 %", Quantity(0.05)), ("1 / ms", Hz(1000)), ("-3 dB", dB(-3)),
        ("-40 degF", celsius(-40)), ("0 K", celsius(-273.15)),
    ],
)  # fmt: skip
def test_text_in_python_is_text_in_yaml(text: str, expected: Quantity) -> None:
    found = parse_quantity(text)
    assert found.dimension == expected.dimension
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["600 pA pA", "", " ", "nan mV", "inf mV", "1e400 mV", "５ mV", "5 mv", "5 milli V", "−70 mV",
     "5 mV\n6 mV", "5, 6 mV", "0x10 mV", "1_000 mV", "5 dB/ms", "5 delta_degC", "5 degC/ms",
     "mV 5", "5 mV ", "True mV", "5 dBm", "5 %%", "60%"],
)  # fmt: skip
def test_odd_text_is_a_voltage_or_refused_in_one_line(text: str) -> None:
    if text == "5 mV ":
        assert parse_quantity(text, VOLTAGE) == mV(5)
        return
    with pytest.raises(UnitError) as refused:
        parse_quantity(text, VOLTAGE)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("expected a voltage with its unit")


def test_si_prefixes_of_each_dimension() -> None:
    for dimension, text in (
        (TIME, "1 s"), (CURRENT, "1 nA"), (CONDUCTANCE, "1 uS"), (FREQUENCY, "1 kHz"),
        (TEMPERATURE, "1 degC"), (LEVEL, "1 dB"),
    ):  # fmt: skip
        assert parse_quantity(text, dimension).dimension == dimension


@pytest.mark.parametrize(
    "operation",
    [
        lambda: np.linspace(ms(0), ms(10), 3),
        lambda: np.var(ms([1, 2])),
        lambda: np.interp(ms(1.5), ms([1, 2]), [1, 2]),
        lambda: np.interp(1.5, [1, 2], ms([1, 2])),
        lambda: np.gradient(ms([1, 2, 4])),
        lambda: np.fft.fft(ms([1, 2])),
        lambda: nS(3) @ mV(2),
        lambda: int(ms(5)),
        lambda: math.trunc(ms(5)),
    ],
)
def test_functions_of_numbers_refuse_quantities(operation: Callable[[], Any]) -> None:
    with pytest.raises(UnitError) as refused:
        operation()
    assert "\n" not in str(refused.value)
    assert "divide" in str(refused.value) or "use `*`" in str(refused.value)


def test_a_product_of_arrays_has_the_product_of_their_dimensions() -> None:
    assert nS([1, 2]) @ mV([2, 3]) == pA(8)
    assert [1, 2] @ mV([2, 3]) == np.array([1, 2]) @ mV([2, 3]) == mV(8)
    assert int(Quantity(5.5)) == 5
