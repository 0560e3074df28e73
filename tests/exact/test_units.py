"""Text to quantity and back, exactly; what is no quantity is refused with what was expected."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro.errors import UnitError
from neuro.units import (
    CAPACITANCE,
    CONCENTRATION,
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
    Hz,
    Quantity,
    coherent_factor,
    dimension_from_si,
    m_per_s,
    ms,
    nS,
    pA,
    parse_quantity,
    pF,
)
from neuro.units.text import _PLAIN_UNITS, _unit_of_pint

NAMED = [
    TIME, VOLTAGE, CURRENT, CONDUCTANCE, CAPACITANCE, FREQUENCY, CONCENTRATION, LENGTH, SPEED,
    TEMPERATURE, LEVEL, NUMBER,
]  # fmt: skip
numbers = st.floats(allow_nan=False, allow_infinity=False)
# pint takes some 10 ms for a compound unit it has not met, so a few stand for all.
COMPOUND = [
    Dimension(*map(Fraction, powers))
    for powers in [(-1, 1), (0, -1), (-2, 0, 1), (1, -2, 1), (-1, 0, 0, 1), (-2, 0, 0, 0, 1)]
] + [Dimension(time=Fraction(-1, 2), voltage=Fraction(1))]
dimensions = st.sampled_from(NAMED + COMPOUND)


@given(numbers, dimensions)
def test_text_reads_back_to_the_same_bits(number: float, dimension: Dimension) -> None:
    quantity = Quantity(number, dimension)
    if math.isinf(1000.0 * number) and " " in quantity.text:
        return  # the surface number of such a rate is beyond a float
    again = parse_quantity(quantity.text, dimension)
    assert again == quantity
    assert math.copysign(1, again) == math.copysign(1, quantity)


@given(
    st.decimals(-10**9, 10**9, allow_nan=False, places=6),
    st.sampled_from(
        [("ns", -6), ("us", -3), ("ms", 0), ("s", 3), ("pA", 0), ("nA", 3), ("uA", 6), ("pS", -3),
         ("nS", 0), ("uS", 3), ("pF", 0), ("nF", 3), ("nM", 0), ("uM", 3), ("mM", 6), ("uV", -3),
         ("mV", 0), ("V", 3), ("Hz", -3), ("kHz", 0), ("cm", -2), ("m", 0)]
    ),
)  # fmt: skip
def test_a_prefix_moves_the_decimal_point_and_rounds_once(
    number: Decimal, unit: tuple[str, int]
) -> None:
    name, shift = unit
    assert float(parse_quantity(f"{number} {name}")) == float(number.scaleb(shift))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20 ms", ms(20)),
        ("20ms", ms(20)),
        ("  .5 s ", ms(500)),
        ("1e3 us", ms(1)),
        ("10 Hz", Hz(10)),
        ("1/ms", Hz(1000)),
        ("0.1 m/s", m_per_s(0.1)),
        ("1.5 nS", nS(1.5)),
        ("300 pA", pA(300)),
        ("0.2 nF", pF(200)),
        ("70 dB", Quantity(70, LEVEL)),
        ("70 dB SPL", Quantity(70, LEVEL)),
        ("46 degC", Quantity(46, TEMPERATURE)),
        ("46 °C", Quantity(46, TEMPERATURE)),
        ("5 %", Quantity(0.05)),
        ("0.25", Quantity(0.25)),
        (3, Quantity(3)),
    ],
)
def test_ways_to_write(text: object, expected: Quantity) -> None:
    found = parse_quantity(text)
    assert (found, found.dimension) == (expected, expected.dimension)


def test_absolute_temperatures_share_one_zero() -> None:
    assert float(parse_quantity("310.15 K", TEMPERATURE)) == pytest.approx(37)
    assert float(parse_quantity("98.6 degF", TEMPERATURE)) == pytest.approx(37)


@pytest.mark.parametrize(
    "text",
    ["", "ms", "20 banana", "20 ms ms", "nan ms", "inf s", "1e400 ms", "1e999999999 ms", "5 cd",
     "5 ms*3", "5 ms # 3", "5 ms; ms", "5 ms=s", "1 2", "5 delta_degC", "--5 ms",
     "__import__('os')", "9" * 5000 + " ms",
     "1 ms**99999", True, None, [20], {"ms": 20}],
)  # fmt: skip
def test_what_is_no_time_is_refused_in_one_short_line(text: object) -> None:
    with pytest.raises(UnitError) as refused:
        parse_quantity(text, TIME)
    message = str(refused.value)
    assert message.startswith("expected a time with its unit, such as `20 ms`, found ")
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (20, "found the bare number 20"),
        ("20", "found the bare number 20"),
        ("20 mV", "found `20 mV`, which is voltage"),
        ("20 mx", "found `20 mx` with an unknown unit; did you mean `m`?"),
    ],
)
def test_a_wrong_unit_is_named(text: object, end: str) -> None:
    with pytest.raises(UnitError, match="expected a time") as refused:
        parse_quantity(text, TIME)
    assert str(refused.value).endswith(end)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_quantity(text)
    except UnitError:
        return
    assert math.isfinite(found)
    assert parse_quantity(found.text, found.dimension) == found


def test_the_system_is_coherent() -> None:
    """pA/pF is mV/ms and nS·mV is pA, so that a kernel needs no factor."""
    assert Dimension(*(c + v for c, v in zip(CONDUCTANCE, VOLTAGE, strict=True))) == CURRENT
    per_time = [c - f for c, f in zip(CURRENT, CAPACITANCE, strict=True)]
    assert Dimension(*per_time) == VOLTAGE._replace(time=Fraction(-1))
    assert coherent_factor(CONDUCTANCE) == 1e9
    assert coherent_factor(CAPACITANCE) == 1e12


def test_si_powers_find_their_dimension() -> None:
    assert dimension_from_si(mass=1, length=2, time=-3, current=-1) == VOLTAGE
    assert dimension_from_si(mass=-1, length=-2, time=4, current=2) == CAPACITANCE
    assert dimension_from_si(substance=1, length=-3) == CONCENTRATION


@given(numbers, st.sampled_from(NAMED))
def test_copies_keep_the_dimension(number: float, dimension: Dimension) -> None:
    quantity = Quantity(number, dimension)
    for other in (copy.deepcopy(quantity), pickle.loads(pickle.dumps(quantity))):  # noqa: S301
        assert (other, other.dimension) == (quantity, dimension)


@pytest.mark.parametrize("text", sorted(_PLAIN_UNITS))
def test_units_that_are_known_without_pint_are_what_pint_says(text: str) -> None:
    assert _PLAIN_UNITS[text] == _unit_of_pint(text)


def test_a_number_with_a_plain_unit_needs_no_pint() -> None:
    code = "import sys; from neuro.units import parse_quantity as p; p('20 ms'), p('1.5 nS')"
    done = subprocess.run([sys.executable, "-c", code + "; print('pint' in sys.modules)"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "False"
