"""Ranges that Python objects check as configs do: what is outside is refused by class and field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pint
import pytest

from neuro.errors import EmberError
from neuro.models import LIF
from neuro.network import Population, Projection
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, mV, pA, read
from neuro.wiring import Listed, OneToOne, Site

MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])
UNMASKED = np.ma.masked_array([1.0, 2.0, 3.0])
SITE = Site("s", 3, {})


def spikes(times: Any, units: Any, n: Any = 3) -> Spikes:
    return Spikes(times, units, n_units=n, t_stop_ms=10)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: read(MASKED * mV), "1 masked of 3"),
    (lambda: mV(MASKED), "1 masked of 3"),
    (lambda: read(MASKED * pint.UnitRegistry().mV), "1 masked of 3"),
    (lambda: Population("c", LIF, 3, {"g_L": MASKED}), "`g_L`: expected values without a mask"),
    (lambda: Population("c", LIF, 3, {"g_L": [1.0, np.ma.masked, 2.0]}), "1 masked of 1"),
    (
        lambda: Projection("p", "a", "b", EXPONENTIAL_CURRENT, OneToOne(), MASKED, ms(1)),
        "`weight`: expected values without a mask",
    ),
    (
        lambda: Projection("p", "a", "b", EXPONENTIAL_CURRENT, OneToOne(), pA(1), MASKED),
        "`delay`: expected values without a mask",
    ),
    (lambda: Signal(MASKED, 1.0), "expected values without a mask"),
    (lambda: spikes(MASKED, [0, 1, 2]), "`times_ms`: expected values without a mask"),
    (lambda: spikes([1, 2, 3], np.ma.masked_array([0, 1, 2], [0, 0, 1])), "1 masked of 3"),
    (lambda: spikes([1], [0], "2"), "n_units must be a whole number"),
    (
        lambda: Listed(np.ma.masked_array([0, 1], [0, 1]), [0, 1]).edges(SITE, SITE, True, None),
        "1 masked of 2",
    ),
]  # each: what is made, and a part of the refusal


@pytest.mark.parametrize(("make", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_out_of_range_is_refused_in_one_line(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(EmberError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


ACCEPTED: list[tuple[Callable[[], Any], Any]] = [
    (lambda: Signal(UNMASKED, 1.0).values, [1, 2, 3]),
    (lambda: spikes(UNMASKED, [0, 1, 2]).times_ms, [1, 2, 3]),
    (lambda: read(UNMASKED * mV).number, [1, 2, 3]),
    (lambda: mV(UNMASKED).number, [1, 2, 3]),
]


@pytest.mark.parametrize(("make", "value"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_what_lies_on_the_edge_of_a_range_is_taken(make: Callable[[], Any], value: Any) -> None:
    assert np.array_equal(make(), value)
