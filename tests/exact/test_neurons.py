"""Models against what is known exactly; every tolerance is derived where it is used."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Network, NeuronModel, Population, Projection, Record, Source, Spikes, simulate
from neuro.models import ADEX, LEAKY_INTEGRATOR, LIF, POISSON
from neuro.synapses import DELTA, EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.units import Dimension, Hz, Quantity, ms, mV, nS, pA
from neuro.wiring import OneToOne


def one(model: NeuronModel, **parameters: object) -> Network:
    return Network("one", (Population("cell", model, 1, parameters),))


def test_lif_interval_matches_the_closed_form(backend: str) -> None:
    currents, dt_ms = np.array([400.0, 800.0, 1600.0]), 0.01
    p = {name: float(value) for name, value in LIF.parameters.items()}
    v_inf, tau = p["E_L"] + currents / p["g_L"], p["C"] / p["g_L"]
    exact = p["t_ref"] + tau * np.log((v_inf - p["V_r"]) / (v_inf - p["V_th"]))
    network = Network("three", (Population("cell", LIF, 3, {"I_ext": currents}),))
    spikes = simulate(network, duration_ms=600, dt_ms=dt_ms, backend=backend).spikes["cell"]
    intervals = [np.diff(spikes.of(cell)) for cell in range(3)]
    assert len(intervals[0]) > 15 and len(intervals[1]) > 40 and len(intervals[2]) > 80
    for found, expected in zip(intervals, exact, strict=True):
        assert abs(found.mean() - expected) <= dt_ms  # spikes fall on the grid


def test_lif_below_rheobase_never_spikes(backend: str) -> None:
    rheobase = float(LIF.parameters["g_L"]) * 20  # pA to hold the cell at its threshold
    currents = rheobase * np.array([0.99, 1.01])
    network = Network("two", (Population("cell", LIF, 2, {"I_ext": currents}),))
    spikes = simulate(network, duration_ms=500, backend=backend).spikes["cell"]
    assert len(spikes.of(0)) == 0 < len(spikes.of(1))


@pytest.mark.usefixtures("plain")
def test_leaky_integrator_charges_exponentially(backend: str) -> None:
    """The exact integrator has no error but rounding: a few ulp of 70 mV a step, 1e-10 in all."""
    network = one(LEAKY_INTEGRATOR, I_ext=pA(100))
    trace = simulate(
        network, duration_ms=50, dt_ms=0.5, backend=backend, record=[Record("cell", "v", 0.5)]
    ).traces["cell.v"]
    p = {name: float(value) for name, value in LEAKY_INTEGRATOR.parameters.items()}
    exact = p["E_L"] + 100 / p["g_L"] * (1 - np.exp(-trace.times_ms * p["g_L"] / p["C"]))
    assert np.ptp(exact) > 5
    np.testing.assert_allclose(trace.data[:, 0], exact, atol=1e-10)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("delay", [0.5, 3.0])
def test_an_exponential_current_arrives_after_its_delay(backend: str, delay: float) -> None:
    """A spike of step n adds its weight after step n + delay and decays exactly from there."""
    dt_ms, spike, weight, tau = 0.5, 10.0, 40.0, 5.0
    network = Network(
        "one",
        (Population("cell", LEAKY_INTEGRATOR, 1),),
        (Source("s", Spikes([spike], [0], n_units=1, t_stop_ms=50)),),
        (Projection("p", "s", "cell", EXPONENTIAL_CURRENT, OneToOne(), pA(weight), ms(delay)),),
    )
    trace = simulate(
        network, duration_ms=50, dt_ms=dt_ms, backend=backend,
        record=[Record("cell", "p.I_syn", dt_ms)],
    ).traces["cell.p.I_syn"]  # fmt: skip
    arrived = spike + delay + dt_ms  # the first frame after the step of arrival
    since = trace.times_ms - arrived
    exact = np.where(since >= -1e-9, weight * np.exp(-np.maximum(since, 0) / tau), 0.0)
    np.testing.assert_allclose(trace.data[:, 0], exact, atol=1e-12)
    assert trace.unit == "pA"


@pytest.mark.usefixtures("plain")
def test_a_conductance_pulls_towards_its_reversal_potential(backend: str) -> None:
    """Steady drive at rate r gives mean g = w tau r; then v_inf is the weighted mean."""
    dt_ms, tau, weight = 0.1, 5.0, 1.0
    times = np.arange(0, 400, 0.5)
    network = Network(
        "one",
        (Population("cell", LEAKY_INTEGRATOR, 1),),
        (Source("s", Spikes(times, np.zeros(times.size), n_units=1, t_stop_ms=400)),),
        (Projection("p", "s", "cell", EXPONENTIAL_CONDUCTANCE, OneToOne(), nS(weight), ms(1)),),
    )
    trace = simulate(
        network, duration_ms=400, dt_ms=dt_ms, backend=backend, record=[Record("cell", "v")]
    ).traces["cell.v"]
    g, g_leak = weight * tau / 0.5, float(LEAKY_INTEGRATOR.parameters["g_L"])
    exact = (g_leak * -70 + g * 0) / (g_leak + g)
    # g ripples by w/2 around its mean, and v follows by at most d(v_inf)/dg * w/2.
    ripple = 70 * g_leak / (g_leak + g) ** 2 * weight / 2
    assert abs(trace.data[-100:, 0].mean() - exact) < ripple
    assert exact > -60


@pytest.mark.usefixtures("plain")
def test_a_delta_synapse_steps_the_membrane(backend: str) -> None:
    network = Network(
        "one",
        (Population("cell", LEAKY_INTEGRATOR, 1),),
        (Source("s", Spikes([5.0], [0], n_units=1, t_stop_ms=20)),),
        (Projection("p", "s", "cell", DELTA, OneToOne(), mV(2), ms(1)),),
    )
    trace = simulate(
        network, duration_ms=20, backend=backend, record=[Record("cell", "v", 0.1)]
    ).traces["cell.v"]
    assert trace.data[60, 0] == pytest.approx(-70, abs=1e-9)
    assert trace.data[61, 0] == pytest.approx(-68, abs=1e-9)


def test_adex_adapts_and_rests(backend: str) -> None:
    """Brette & Gerstner 2005: at rest silent; a step above rheobase fires with growing gaps."""
    #        at rest  a step  control: no adaptation
    settings = {
        "I_ext": np.array([0.0, 1200.0, 1200.0]),
        "a": float(ADEX.parameters["a"]) * np.array([1, 1, 0]),
        "b": float(ADEX.parameters["b"]) * np.array([1, 1, 0]),
    }
    network = Network("three", (Population("cell", ADEX, 3, settings),))
    spikes = simulate(network, duration_ms=500, backend=backend).spikes["cell"]
    assert len(spikes.of(0)) == 0
    intervals, still = (np.diff(spikes.of(cell)) for cell in (1, 2))
    assert len(intervals) > 5
    assert intervals[-1] > 1.5 * intervals[0]
    assert len(still) > 5
    assert np.ptp(still[1:]) <= 0.1 + 1e-9  # one step of the grid


def test_poisson_rate_and_irregularity(backend: str) -> None:
    """Mean rate within 5 standard errors; CV of intervals 1; a clock-like cell is told apart."""
    n, rate_hz, seconds = 100, 40.0, 2.0
    network = Network("p", (Population("cell", POISSON, n, {"rate": Hz(rate_hz)}),))
    spikes = simulate(network, duration_ms=1000 * seconds, backend=backend, seed=1).spikes["cell"]
    expected = n * rate_hz * seconds
    assert abs(len(spikes) - expected) < 5 * np.sqrt(expected)
    intervals = np.concatenate([np.diff(spikes.of(k)) for k in range(n)])
    assert intervals.std() / intervals.mean() == pytest.approx(1, abs=0.05)
    regular = simulate(one(LIF, I_ext=np.array([500.0])), duration_ms=500, backend=backend).spikes[
        "cell"
    ]
    gaps = np.diff(regular.times_ms)
    assert len(gaps) > 10
    assert gaps.std() / gaps.mean() < 0.1


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("rk2", 2), ("rk4", 4)])
def test_integrators_converge_at_their_order(method: str, order: int, exact: None) -> None:
    """dv/dt = -k v^2 has v(t) = v0/(1 + k v0 t); the error falls as dt^order (slope +-0.2)."""
    decay = NeuronModel(
        "quadratic", "dv/dt = -k*v**2 : volt",
        parameters={"k": Quantity(0.02, Dimension(voltage=mV(1).dimension.voltage * -1,
                                                  time=ms(1).dimension.time * -1))},
        initial={"v": mV(20)}, method=method,
    )  # fmt: skip
    steps, errors = [0.5, 0.25, 0.125, 0.0625], []
    for dt_ms in steps:
        trace = simulate(
            one(decay), duration_ms=24, dt_ms=dt_ms, record=[Record("cell", "v", 20.0)]
        ).traces["cell.v"]
        errors.append(abs(trace.data[1, 0] - 20 / (1 + 0.02 * 20 * 20)))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.2)
