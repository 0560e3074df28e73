"""Static synapses against their closed forms: one spike into cells held at known voltages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro import Network, Population, Projection, Record, Recording, Source, Spikes, simulate
from neuro.models import LEAKY_INTEGRATOR
from neuro.synapses import (
    ALPHA_CONDUCTANCE,
    ALPHA_CURRENT,
    BIEXPONENTIAL_CONDUCTANCE,
    BIEXPONENTIAL_CURRENT,
    GABA_A,
    GABA_B,
    NMDA,
)
from neuro.units import Quantity, ms, mV, nM, nS, pA, pF
from neuro.wiring import Pairwise

DT_MS, SPIKE_MS, ARRIVED_MS = 0.1, 10.0, 11.1  # a delay of 1 ms, and the frame after that step
HELD_MV = np.array([-90.0, -70.0, -50.0, -30.0, -20.0, 0.0, 20.0])
HELD = {"C": pF(1e12), "E_L": HELD_MV}  # nothing moves such a membrane
WAYS = {
    "alpha_current": (ALPHA_CURRENT, pA(40), {}, {}),
    "alpha_conductance": (ALPHA_CONDUCTANCE, nS(2), {}, HELD),
    "biexponential_current": (BIEXPONENTIAL_CURRENT, pA(40), {}, {}),
    "biexponential_conductance": (BIEXPONENTIAL_CONDUCTANCE, nS(2), {}, HELD),
    "nmda": (NMDA, nS(2), {}, HELD),
    "nmda_unblocked": (NMDA, nS(2), {"Mg": nM(0)}, HELD),
    "gaba_a": (GABA_A, nS(2), {}, HELD),
}


def one_spike(dt_ms: float = DT_MS) -> Recording:
    """One spike into each kind of synapse; `I_syn` of every cell at every step."""
    cells = tuple(
        Population(name, LEAKY_INTEGRATOR, 7, parameters) for name, (*_, parameters) in WAYS.items()
    )
    projections = tuple(
        Projection(f"to {name}", "s", name, synapse, Pairwise(1.0), weight, ms(1), changed)
        for name, (synapse, weight, changed, _) in WAYS.items()
    )
    source = Source("s", Spikes([SPIKE_MS], [0], n_units=1, t_stop_ms=60))
    records = [Record(name, f"to {name}.I_syn", dt_ms) for name in WAYS]
    records += [Record("alpha_current", "v", dt_ms), Record("biexponential_current", "v", dt_ms)]
    return simulate(
        Network("one", cells, (source,), projections), duration_ms=60, dt_ms=dt_ms,
        record=records, options={"precision": "float64"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def response() -> Recording:
    return one_spike()


def since(recording: Recording, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time since arrival (negative before) of each frame, and the current of the cells."""
    trace = recording.traces[f"{name}.to {name}.I_syn"]
    return trace.times_ms - (SPIKE_MS + 1 + recording.dt_ms), trace.data


def difference(t: NDArray[np.float64], rise: float, decay: float) -> NDArray[np.float64]:
    """A difference of exponentials with its peak at 1, from t = 0."""
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    scale = 1 / (np.exp(-peak / decay) - np.exp(-peak / rise))
    late = np.maximum(t, 0)
    return np.asarray(scale * (np.exp(-late / decay) - np.exp(-late / rise)) * (t > -1e-9))


def test_an_alpha_current_is_exact_and_so_is_the_membrane_it_charges(response: Recording) -> None:
    """w t/tau exp(1 - t/tau), and its convolution with the membrane: only rounding is left."""
    t, current = since(response, "alpha_current")
    late, tau = np.maximum(t, 0), 2.0
    np.testing.assert_allclose(current[:, 0], 40 * late / tau * np.exp(1 - late / tau), atol=1e-11)
    assert current.max() == pytest.approx(40, rel=1e-9)  # at tau, which is a frame
    a, b = 16.7 / 250, 1 / tau
    shape = (
        late * np.exp(-b * late) / (a - b) - (np.exp(-b * late) - np.exp(-a * late)) / (a - b) ** 2
    )
    v = response.traces["alpha_current.v"].data[:, 0]
    np.testing.assert_allclose(v, -70 + 40 * np.e / tau / 250 * shape, atol=1e-10)
    assert np.ptp(v) > 0.4


def test_a_biexponential_current_is_exact_and_its_peak_is_the_weight(response: Recording) -> None:
    t, current = since(response, "biexponential_current")
    np.testing.assert_allclose(current[:, 0], 40 * difference(t, 0.2, 1.7), atol=1e-11)
    # The nearest frame misses the peak by half a step at most; its curvature is w/(rise decay).
    assert 0 <= 40 - current.max() < 40 / (0.2 * 1.7) * (DT_MS / 2) ** 2 / 2
    v = response.traces["biexponential_current.v"].data[:, 0]
    assert np.ptp(v) > 0.2


@pytest.mark.parametrize(
    ("name", "rise", "decay", "reversal"),
    [("biexponential_conductance", 0.2, 1.7, 0.0), ("gaba_a", 0.2, 8.3, -80.0),
     ("nmda_unblocked", 2.0, 100.0, 0.0)],
)  # fmt: skip
def test_biexponential_conductances_are_exact_at_any_voltage(
    response: Recording, name: str, rise: float, decay: float, reversal: float
) -> None:
    """Also under exponential Euler, since each of their variables decays by itself."""
    t, current = since(response, name)
    exact = 2 * difference(t, rise, decay)[:, None] * (reversal - HELD_MV)
    np.testing.assert_allclose(current, exact, atol=1e-10)
    assert np.abs(exact).max() > 100


def test_an_alpha_conductance_lags_by_half_a_step_at_most(response: Recording) -> None:
    """Exponential Euler holds what feeds g for a step: an error of first order in the step.

    The slope of the alpha function is at most w e/tau, so half a step of lag is w e dt/(2 tau).
    """
    errors = []
    for run in (response, one_spike(DT_MS / 2)):
        t, current = since(run, "alpha_conductance")
        late = np.maximum(t, 0)
        exact = 2 * late / 2 * np.exp(1 - late / 2)
        errors.append(np.abs(current[:, 1] / 70 - exact).max())
        assert errors[-1] < 2 * np.e * run.dt_ms / (2 * 2)
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)


def test_magnesium_blocks_nmda_as_measured(response: Recording) -> None:
    """Jahr & Stevens 1990: 1/(1 + [Mg]/3.57 mM exp(-0.062 V)); half open at -20.5 mV at 1 mM."""
    (t, blocked), (_, free) = since(response, "nmda"), since(response, "nmda_unblocked")
    peak = int(np.argmin(np.abs(t - 8)))
    assert HELD_MV[5] == 0  # where no current flows either way
    driven = HELD_MV != 0
    open_share = blocked[peak, driven] / free[peak, driven]
    exact = 1 / (1 + np.exp(-0.062 * HELD_MV[driven]) / 3.57)
    np.testing.assert_allclose(open_share, exact, rtol=1e-9)  # it is held to 1e-10 mV
    assert open_share[4] == pytest.approx(0.5, abs=0.01)  # at -20 mV
    inward = blocked[peak]
    assert HELD_MV[np.argmax(inward)] == -30  # a region of negative slope below it
    assert np.argmax(free[peak]) == 0  # control: without magnesium there is none


def gaba_b(n_spikes: int, hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """s and the current of a burst of spikes, in a cell held at -60 mV."""
    times = SPIKE_MS + np.arange(n_spikes) * 1000 / hz
    source = Source("s", Spikes(times, np.zeros(n_spikes), n_units=1, t_stop_ms=900))
    cell = Population("c", LEAKY_INTEGRATOR, 1, {"C": pF(1e12), "E_L": mV(-60)})
    projection = Projection("p", "s", "c", GABA_B, Pairwise(1.0), Quantity(0.09), ms(1))
    run = simulate(
        Network("one", (cell,), (source,), (projection,)), duration_ms=900, dt_ms=DT_MS,
        record=[Record("c", "p.s", DT_MS), Record("c", "p.I_syn", DT_MS)],
        options={"precision": "float64"},
    )  # fmt: skip
    return run.traces["c.p.s"].data[:, 0], run.traces["c.p.I_syn"].data[:, 0]


def test_gaba_b_follows_its_kinetics_and_answers_to_bursts() -> None:
    """G-protein: K3 r0/(K4 - K2) (exp(-K2 t) - exp(-K4 t)), held for half a step on average.

    Its peak is at ln(K4/K2)/(K4 - K2) = 102 ms. Four of it open a channel, so that a burst of ten
    gives far more than ten single spikes (Destexhe et al. 1998).
    """
    s, single = gaba_b(1, 100)
    t = np.maximum(np.arange(s.size) * DT_MS - ARRIVED_MS, 0)
    exact = 0.18 * 0.09 / (0.034 - 0.0012) * (np.exp(-0.0012 * t) - np.exp(-0.034 * t))
    steepest = 0.18 * 0.09  # of s, at its start
    np.testing.assert_allclose(s, exact, atol=steepest * DT_MS / 2)
    peak_ms = t[np.argmax(s)]
    assert peak_ms == pytest.approx(np.log(0.034 / 0.0012) / (0.034 - 0.0012), abs=0.5)
    np.testing.assert_allclose(single, s**4 / (s**4 + 100) * (-95 + 60), rtol=1e-12)
    _, burst = gaba_b(10, 200)
    assert np.abs(burst).max() > 5  # pA at 1 nS: a good part of its channels is open
    assert np.abs(burst).max() > 100 * 10 * np.abs(single).max()


def test_equal_time_constants_need_no_care() -> None:
    """A current that decays as fast as the membrane: v rises as t exp(-t/tau), its limit."""
    from neuro.synapses import EXPONENTIAL_CURRENT

    cell = replace(LEAKY_INTEGRATOR, parameters={**LEAKY_INTEGRATOR.parameters, "g_L": nS(25)})
    network = Network(
        "one",
        (Population("c", cell, 1),),
        (Source("s", Spikes([SPIKE_MS], [0], n_units=1, t_stop_ms=60)),),
        (Projection("p", "s", "c", EXPONENTIAL_CURRENT, Pairwise(1.0), pA(50), ms(1),
                    {"tau": ms(10)}),),
    )  # fmt: skip
    trace = simulate(
        network, duration_ms=60, dt_ms=DT_MS, record=[Record("c", "v", DT_MS)],
        options={"precision": "float64"},
    ).traces["c.v"]  # fmt: skip
    t = np.maximum(trace.times_ms - ARRIVED_MS, 0)
    np.testing.assert_allclose(trace.data[:, 0], -70 + 50 / 250 * t * np.exp(-t / 10), atol=1e-10)
    assert np.ptp(trace.data) > 0.5
