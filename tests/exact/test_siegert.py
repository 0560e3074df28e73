"""Rates from theory against integrals done another way, and synchrony on trains of known kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr

from neuro.errors import NetworkError, SignalError
from neuro.measures import BalancedNetwork, count_synchrony, siegert_rate
from neuro.spikes import Spikes

CELL = {"threshold": 20.0, "reset": 10.0, "tau_ms": 20.0, "refractory_ms": 2.0}


def by_quadrature(mean: float, noise: float) -> float:
    """The integrand in logarithms: 1 + erf(u) is 2 Φ(u √2), whose logarithm is exact far out."""

    def integrand(u: float) -> float:
        return float(np.exp(u * u + np.log(2) + log_ndtr(u * np.sqrt(2))))

    ends = ((10.0 - mean) / noise, (20.0 - mean) / noise)
    area, _ = quad(integrand, *ends, epsabs=0, epsrel=1e-12, limit=500)
    return float(1000 / (2.0 + 20.0 * np.sqrt(np.pi) * area))


@pytest.mark.parametrize(
    ("mean", "noise"),
    [
        (15, 10),
        (5, 5),
        (0, 2),
        (19.9, 0.5),
        (25, 1),
        (25, 0.3),
        (80, 8),
        (300, 3),
        (-20, 6),
        (20, 1),
    ],
)
def test_it_is_the_integral(mean: float, noise: float) -> None:
    """Quadrature is good to 1e-12 of the integral; the rest is rounding in e^(u²), u up to 10."""
    assert siegert_rate(mean, noise, **CELL) == pytest.approx(by_quadrature(mean, noise), rel=1e-9)


def test_without_noise_it_is_the_rate_of_a_constant_current() -> None:
    exact = 1000 / (2 + 20 * np.log((25 - 10) / (25 - 20)))
    assert siegert_rate(25, 0, **CELL) == pytest.approx(exact, rel=1e-12)
    # The first correction is of second order in the noise.
    errors = [abs(siegert_rate(25, noise, **CELL) - exact) for noise in (0.1, 0.05)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert siegert_rate([20, 19, -5], 0, **CELL).tolist() == [0, 0, 0]


def test_far_from_threshold_nothing_overflows() -> None:
    with np.errstate(all="raise", under="ignore"):
        rates = siegert_rate([-1e4, -1e4, 1e4, 1e6, 10], [0.1, 1e3, 0.1, 1e4, 1e-6], **CELL)
    assert np.isfinite(rates).all()
    assert rates[0] == 0
    assert 0 < rates[1] < 1
    assert rates[2] == pytest.approx(1000 / (2 + 20 * np.log(9990 / 9980)), rel=1e-6)
    assert rates[4] == 0


@given(
    mean=st.floats(-100, 200), more=st.floats(0.01, 50), noise=st.floats(0.05, 50),
    refractory=st.floats(0, 10),
)  # fmt: skip
def test_more_input_is_more_rate_up_to_what_the_refractory_time_allows(
    mean: float, more: float, noise: float, refractory: float
) -> None:
    cell = {**CELL, "refractory_ms": refractory}
    low, high = siegert_rate([mean, mean + more], noise, **cell)
    assert 0 <= low <= high * (1 + 1e-9)
    if refractory:
        assert high < 1000 / refractory * (1 + 1e-12)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"reset": 20.0}, "under the threshold"), ({"tau_ms": 0.0}, "tau above 0"),
     ({"refractory_ms": -1.0}, "refractory time and noise of 0 or more")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(changed: dict[str, float], said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        siegert_rate(10, 1, **{**CELL, **changed})
    with pytest.raises(NetworkError, match="noise of 0 or more"):
        siegert_rate(10, -1, **CELL)


def network(g: float) -> BalancedNetwork:
    return BalancedNetwork(n_excitatory=1000, n_inhibitory=250, n_external=1000, jump=0.1, g=g)


@pytest.mark.parametrize(("g", "eta", "rate_hz"), [(5, 2, 37.95), (6, 4, 55.84), (4.5, 0.9, 6.52)])
def test_rates_of_brunels_three_states(g: float, eta: float, rate_hz: float) -> None:
    """Brunel 2000, figure 8 B, C and D; its eq. 19-21."""
    net = network(g)
    assert net.threshold_rate_hz == pytest.approx(10.0)  # 20 mV / (0.1 mV * 1000 * 20 ms)
    found = net.rate_hz(eta * net.threshold_rate_hz)
    assert found == pytest.approx(rate_hz, abs=0.005)
    assert net.response_hz(found, eta * net.threshold_rate_hz) == pytest.approx(found, rel=1e-9)


def test_of_several_rates_the_highest_stable_one_counts() -> None:
    """With weak inhibition and input just short of threshold, cells are silent or saturated."""
    net = network(3.0)
    rates = np.geomspace(1e-3, 499, 5000)
    above = net.response_hz(rates, 7.0) - rates
    assert np.count_nonzero(np.diff(np.sign(above))) > 1  # there are several
    found = net.rate_hz(7.0)
    assert found > 200
    assert net.response_hz(found + 1, 7.0) < found + 1
    assert network(5.0).rate_hz(0.0) == 0.0
    endless = BalancedNetwork(1000, 250, 1000, 0.1, 0.0, refractory_ms=0.0)
    with pytest.raises(NetworkError, match="no self-consistent rate"):
        endless.rate_hz(30.0)


def trains(times: np.ndarray, units: np.ndarray, n_units: int) -> Spikes:
    order = np.argsort(times, kind="stable")
    return Spikes(times[order], units[order], n_units=n_units, t_stop_ms=30_000.0)


def test_synchrony_of_strangers_clocks_and_copies() -> None:
    """Over n bins the ratio of a Poisson count has a standard deviation of √(2/n): 0.014 here."""
    rng = np.random.default_rng(0)
    n_units, n_spikes = 50, 50 * 300  # 10 Hz each, for 30 s
    alone = trains(rng.uniform(0, 30_000, n_spikes), rng.integers(0, n_units, n_spikes), n_units)
    assert count_synchrony(alone) == pytest.approx(1, abs=5 * 0.0142)
    one = rng.uniform(0, 30_000, 300)
    copies = trains(np.repeat(one, n_units), np.tile(np.arange(n_units), 300), n_units)
    assert count_synchrony(copies) == pytest.approx(n_units, rel=5 * 0.0142)
    clock = np.arange(0, 30_000, 3.0) + 1.0
    assert count_synchrony(trains(clock, np.zeros(clock.size, int), 1)) == 0
    # The start is left out on demand.
    volley = trains(np.append(alone.times_ms, np.full(500, 5.0)), np.zeros(n_spikes + 500, int), 50)
    assert count_synchrony(volley) > 3
    assert count_synchrony(volley, after_ms=30) == pytest.approx(1, abs=5 * 0.0142)


def test_synchrony_of_nothing() -> None:
    silent = Spikes([], [], n_units=3, t_stop_ms=100.0)
    assert np.isnan(count_synchrony(silent))
    with pytest.raises(SignalError, match="two bins of 60 ms"):
        count_synchrony(silent, bin_ms=60)


def test_a_threshold_rate_needs_an_input_from_outside() -> None:
    alone = BalancedNetwork(8000, 2000, 0, 0.1, 5.0)
    with pytest.raises(NetworkError, match="n_external, jump and tau above 0, found 0"):
        _ = alone.threshold_rate_hz
