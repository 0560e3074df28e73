"""Shipped models as they are, against their papers' equations and numbers, typed here anew.

Nothing of a model's own parameters is read, so a number that is wrong there is wrong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from neuro import Network, NeuronModel, Population, Record, Recording, simulate
from neuro.models import (
    ADEX,
    GIF,
    IZHIKEVICH,
    LEAKY_INTEGRATOR,
    LIF,
    PINSKY_RINZEL,
    POISSON,
    TRAUB_MILES,
    TRAUB_MILES_PING,
    rothman_manis,
)
from neuro.units import pA
from tests.backends._plain import plain_kernels

pytestmark = pytest.mark.usefixtures("exact")
Array = NDArray[np.float64]


def driven(
    model: NeuronModel, current_pA: float, *, duration_ms: float, dt_ms: float,
    record: tuple[str, ...] = (), n: int = 1,
) -> Recording:  # fmt: skip
    cells = Population("cell", model, n, {"I_ext": pA(current_pA)} if current_pA else {})
    records = [Record("cell", name, dt_ms) for name in record]
    network = Network("driven", (cells,))
    return simulate(network, duration_ms=duration_ms, dt_ms=dt_ms, record=records, seed=3)


def test_lif_is_the_cell_of_vlachos_2011() -> None:
    """250 pF, 16.7 nS, rest and reset -70, threshold -50 mV, 2 ms: closed form of the interval."""
    spikes = driven(LIF, 500, duration_ms=500, dt_ms=0.01).spikes["cell"]
    tau, height = 250 / 16.7, 500 / 16.7
    exact = 2 + tau * np.log(height / (height - 20))
    assert len(spikes) > 20
    assert np.diff(spikes.times_ms).mean() == pytest.approx(exact, abs=0.01)


def test_adex_fires_when_brette_and_gerstner_s_equations_do() -> None:
    """Euler steps of the paper's table, 2005: 281 pF, 30 nS, -70.6, -50.4, 2 mV, 144 ms, 4 nS,
    80.5 pA, with reset to rest; the same steps, so the same spikes to a step."""
    dt_ms, current = 0.05, 1000.0
    v, w, by_hand = -70.6, 0.0, []
    for step in range(round(500 / dt_ms)):
        dv = (30 * (-70.6 - v) + 30 * 2 * np.exp((v + 50.4) / 2) - w + current) / 281
        dw = (4 * (v + 70.6) - w) / 144
        v, w = v + dt_ms * dv, w + dt_ms * dw
        if v > 0:
            by_hand.append(step * dt_ms)
            v, w = -70.6, w + 80.5
    found = driven(ADEX, current, duration_ms=500, dt_ms=dt_ms).spikes["cell"].times_ms
    assert len(by_hand) > 5 and by_hand[-1] - by_hand[-2] > 1.5 * (by_hand[1] - by_hand[0])
    assert found.size == len(by_hand)
    assert np.abs(found - by_hand).max() <= dt_ms * (1 + 1e-9)


def test_izhikevich_is_the_regular_spiking_cell_of_2003() -> None:
    """a 0.02, b 0.2, c -65, d 8 under I = 10, by an independent solver: times to a step."""

    def slope(t: float, y: Array) -> list[float]:
        return [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + 10, 0.02 * (0.2 * y[0] - y[1])]

    def peak(t: float, y: Array) -> float:
        return float(y[0] - 30)

    peak.terminal, peak.direction = True, 1  # type: ignore[attr-defined]
    dt_ms, now, y, exact = 0.02, 0.0, [-70.0, -14.0], []
    while now < 400:
        part = solve_ivp(slope, (now, 400), y, events=peak, rtol=1e-9, atol=1e-9)
        if not part.t_events[0].size:
            break
        now = float(part.t_events[0][0])
        exact.append(now)
        y = [-65.0, float(part.y_events[0][0][1]) + 8]
    found = driven(IZHIKEVICH, 1000, duration_ms=400, dt_ms=dt_ms).spikes["cell"].times_ms
    assert len(exact) > 5 and found.size == len(exact)
    # Each spike waits for the grid, up to a step, in which u grows as well: two steps a spike.
    late = 2 * dt_ms * np.arange(1, found.size + 1)
    assert (np.abs(found - exact) <= late).all()


def test_gif_carries_the_kernels_that_mensi_fitted() -> None:
    """q and tau of an excitatory cell (Mensi et al. 2012, as in NEST's example of the model).

    The current after a spike turns inward, which is its second, negative part; the threshold
    stays raised. Kernels decay exactly.
    """
    kept = ("eta_1", "eta_2", "gamma_1", "gamma_2")
    run = driven(GIF, 150, duration_ms=900, dt_ms=0.1, record=kept)
    times = run.spikes["cell"].times_ms
    assert times.size > 2
    course = run.traces["cell.eta_1"].times_ms
    fitted = ((56.7, 57.8), (-6.9, 218.2), (11.7, 53.8), (1.8, 640.0))
    for name, (jump, tau) in zip(kept, fitted, strict=True):
        exact = np.zeros(course.size)
        for time in times:  # a spike of step k is seen from the frame after it
            since = course - (time + 0.1)
            exact += np.where(since > -0.05, jump * np.exp(-np.maximum(since, 0) / tau), 0)
        np.testing.assert_allclose(run.traces[f"cell.{name}"].data[:, 0], exact, atol=1e-9)


def test_a_poisson_cell_fires_at_its_rate() -> None:
    """10 Hz for each cell: the count lies within 5 standard errors."""
    count = len(driven(POISSON, 0, duration_ms=20_000, dt_ms=1, n=50).spikes["cell"])
    assert abs(count - 10_000) < 5 * np.sqrt(10_000)


# nS: Na, KHT, KLT, A, h (Rothman & Manis 2003, table 1; octopus: Brian2's example of the paper)
TYPES = {
    "i_c": (1000, 150, 0, 0, 0.5), "i_t": (1000, 80, 0, 65, 0.5), "i_ii": (1000, 150, 20, 0, 2),
    "ii_i": (1000, 150, 35, 0, 3.5), "ii": (1000, 150, 200, 0, 20),
    "octopus": (1000, 150, 600, 0, 40),
}  # fmt: skip


def rothman_manis_gates(v: float) -> tuple[Array, Array]:
    """Where the gates m h n p w z a b c r go at a voltage, and how fast (ms), as printed."""
    u = v + 60

    def e(sign: int, width: float) -> float:
        return float(np.exp(sign * u / width))

    goal = np.array([
        1 / (1 + np.exp(-(v + 38) / 7)), 1 / (1 + np.exp((v + 65) / 6)),
        (1 + np.exp(-(v + 15) / 5)) ** -0.5, 1 / (1 + np.exp(-(v + 23) / 6)),
        (1 + np.exp(-(v + 48) / 6)) ** -0.25, 0.5 + 0.5 / (1 + np.exp((v + 71) / 10)),
        (1 + np.exp(-(v + 31) / 6)) ** -0.25, (1 + np.exp((v + 66) / 7)) ** -0.5,
        (1 + np.exp((v + 66) / 7)) ** -0.5, 1 / (1 + np.exp((v + 76) / 7)),
    ])  # fmt: skip
    tau = np.array([
        10 / (5 * e(1, 18) + 36 * e(-1, 25)) + 0.04, 100 / (7 * e(1, 11) + 10 * e(-1, 25)) + 0.6,
        100 / (11 * e(1, 24) + 21 * e(-1, 23)) + 0.7, 100 / (4 * e(1, 32) + 5 * e(-1, 22)) + 5,
        100 / (6 * e(1, 6) + 16 * e(-1, 45)) + 1.5, 1000 / (e(1, 20) + e(-1, 8)) + 50,
        100 / (7 * e(1, 14) + 29 * e(-1, 24)) + 0.1, 1000 / (14 * e(1, 27) + 29 * e(-1, 24)) + 1,
        90 / (1 + np.exp((-66 - v) / 17)) + 10, 1e5 / (237 * e(1, 12) + 17 * e(-1, 14)) + 25,
    ])  # fmt: skip
    return goal, tau


STEPS_PA = (-200.0, 60.0)


def rothman_manis_slope(t: float, y: Array, current: float, *g: float) -> Array:
    v, (m, h, n, p, w, z, a, b, c, r) = y[0], y[1:]
    inward = g[0] * m**3 * h * (50 - v) + g[1] * (0.85 * n**2 + 0.15 * p) * (-70 - v)
    inward += g[2] * w**4 * z * (-70 - v) + g[3] * a**4 * b * c * (-70 - v)
    inward += g[4] * r * (-43 - v) + 2 * (-65 - v)
    goal, tau = rothman_manis_gates(v)
    return np.concatenate([[(inward + current) / 12], (goal - y[1:]) / tau])


@pytest.mark.parametrize("kind", TYPES)
def test_rothman_manis_cells_answer_a_step_as_their_equations_do(kind: str) -> None:
    """Voltage under a step from rest, all gates at work, by an independent solver.

    Exponential Euler with 0.005 ms lags by some steps, after spikes most, which where the voltage
    is calm makes 0.025 mV a step; the types differ by far more than the tolerance.
    """
    dt_ms, duration_ms = 0.005, 30.0
    cells = Population(kind, rothman_manis(kind), 2, {"I_ext": np.array(STEPS_PA)})
    run = simulate(
        Network("nucleus", (cells,)),
        duration_ms=duration_ms,
        dt_ms=dt_ms,
        record=[Record(kind, "v", 0.5)],
    )
    trace = run.traces[f"{kind}.v"]
    for cell, current in enumerate(STEPS_PA):
        solved = stepped(kind, current, trace.times_ms, trace.data[0, 0])
        off = np.abs(trace.data[:, cell] - solved)
        calm = np.abs(np.gradient(solved, trace.times_ms)) < 5  # mV/ms: no spike near
        assert calm.mean() > 0.5
        assert off[calm].max() < 0.2, current


def test_the_step_tells_rothman_manis_types_apart() -> None:
    times = np.arange(0, 30, 0.5)
    for one, other in (("ii", "octopus"), ("i_ii", "ii")):
        ends = [stepped(kind, -200.0, times, -64.0)[-1] for kind in (one, other)]
        assert abs(ends[0] - ends[1]) > 1


def stepped(kind: str, current: float, times_ms: Array, start_mV: float) -> Array:
    """Voltage of the equations as printed, under a step from the shipped start of the gates."""
    solved = solve_ivp(
        rothman_manis_slope, (0, 30), [start_mV, *_starts()], t_eval=times_ms, method="LSODA",
        args=(current, *TYPES[kind]), rtol=1e-8, atol=1e-8,
    )  # fmt: skip
    return np.asarray(solved.y[0])


def _starts() -> list[float]:
    """The shipped start of the gates, in the order of `rothman_manis_gates`."""
    start = {**rothman_manis("i_t").initial, **rothman_manis("ii").initial}
    return [float(start[gate]) for gate in "mhnpwzabcr"]  # type: ignore[arg-type]


# 1e-4 cm² or 2e-4 cm² of membrane: pF, nS and mV of Brette et al. 2007 (COBA-HH), and of the PING
# cell (Ermentrout & Kopell 1998; Olufsen et al. 2003).
TRAUB_MILES_CELLS = (
    (TRAUB_MILES, (200, 20_000, 6000, 10, 50, -90, -65, -63)),
    (TRAUB_MILES_PING, (100, 10_000, 8000, 10, 50, -100, -67, -67)),
)


def traub_miles(
    t: float,
    y: Array,
    c: float,
    na: float,
    k: float,
    leak: float,
    e_na: float,
    e_k: float,
    e_l: float,
    v_t: float,
) -> list[float]:
    """Slopes of v, m, h and n under 300 pA."""
    v, m, h, n = y
    u = v - v_t
    alpha_m, beta_m = 0.32 * (13 - u) / np.expm1((13 - u) / 4), 0.28 * (u - 40)
    beta_m /= np.expm1((u - 40) / 5)
    alpha_h, beta_h = 0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))
    alpha_n, beta_n = 0.032 * (15 - u) / np.expm1((15 - u) / 5), 0.5 * np.exp((10 - u) / 40)
    inward = na * m**3 * h * (e_na - v) + k * n**4 * (e_k - v) + leak * (e_l - v) + 300
    return [
        inward / c,
        alpha_m * (1 - m) - beta_m * m,
        alpha_h * (1 - h) - beta_h * h,
        alpha_n * (1 - n) - beta_n * n,
    ]


def test_traub_miles_cells_answer_a_step_as_their_equations_do() -> None:
    """A step of 300 pA from the shipped start, in which gates settle: voltage away from spikes."""
    for model, numbers in TRAUB_MILES_CELLS:
        exactly = replace(model, method="rk4")
        _agree(exactly, traub_miles, [numbers[6], 0, 1, 0], 300, numbers)


def test_pinsky_rinzel_answers_a_step_as_its_equations_do() -> None:
    """The paper's equations with its own zero at rest, on 1e-4 cm², under 2 µA/cm²."""

    def slope(t: float, y: Array) -> list[float]:
        (v, d), (h, n, s, c, q, ca) = y[:2] + 60, y[2:]
        alpha_m = 0.32 * (13.1 - v) / np.expm1((13.1 - v) / 4)
        beta_m = 0.28 * (v - 40.1) / np.expm1((v - 40.1) / 5)
        m = alpha_m / (alpha_m + beta_m)
        alpha_h, beta_h = 0.128 * np.exp((17 - v) / 18), 4 / (1 + np.exp((40 - v) / 5))
        alpha_n = 0.016 * (35.1 - v) / np.expm1((35.1 - v) / 5)
        beta_n = 0.25 * np.exp(0.5 - 0.025 * v)
        alpha_s = 1.6 / (1 + np.exp(-0.072 * (d - 65)))
        beta_s = 0.02 * (d - 51.1) / np.expm1((d - 51.1) / 5)
        fall = 2 * np.exp((6.5 - d) / 27)
        alpha_c = np.exp((d - 10) / 11 - (d - 6.5) / 27) / 18.975 if d <= 50 else fall
        beta_c = fall - alpha_c if d <= 50 else 0.0
        calcium = 10 * s**2 * (d - 140)
        potassium = (15 * c * min(ca / 250, 1) + 0.8 * q) * (d + 15)
        soma = -30 * m**2 * h * (v - 120) - 15 * n * (v + 15) - 0.1 * v + (2.1 * (d - v) + 2) / 0.5
        dendrite = -calcium - potassium - 0.1 * d + 2.1 * (v - d) / 0.5
        return [
            soma / 3,
            dendrite / 3,
            alpha_h * (1 - h) - beta_h * h,
            alpha_n * (1 - n) - beta_n * n,
            alpha_s * (1 - s) - beta_s * s,
            alpha_c * (1 - c) - beta_c * c,
            min(2e-5 * ca, 0.01) * (1 - q) - 0.001 * q,
            -0.13 * calcium - 0.075 * ca,
        ]

    start = [-64.6, -64.5, 0.999, 0.001, 0.009, 0.007, 0.01, 0.2]
    _agree(PINSKY_RINZEL, slope, start, 200)


def _agree(
    model: NeuronModel,
    slope: Callable[..., list[float]],
    start: list[float],
    current_pA: float,
    numbers: tuple[float, ...] = (),
) -> None:
    """A model's voltage follows the equations solved by LSODA, but for steps beside a spike."""
    with plain_kernels():
        run = driven(model, current_pA, duration_ms=25, dt_ms=0.02, record=("v",))
    trace = run.traces["cell.v"]
    solved = solve_ivp(
        slope,
        (0, 25),
        start,
        t_eval=trace.times_ms,
        method="LSODA",
        args=numbers,
        rtol=1e-8,
        atol=1e-8,
    ).y[0]
    assert len(run.spikes["cell"]) >= 1 and solved.max() > 0
    calm = np.abs(np.gradient(solved, trace.times_ms)) < 5  # mV/ms
    assert calm.mean() > 0.5
    assert np.abs(trace.data[:, 0] - solved)[calm].max() < 0.1, model.name


def test_a_leaky_integrator_charges_as_its_numbers_say() -> None:
    """250 pF and 16.7 nS from -70 mV, under 100 pA: -70 + 5.988 (1 - exp(-t/14.97 ms))."""
    with plain_kernels():
        run = driven(LEAKY_INTEGRATOR, 100, duration_ms=60, dt_ms=0.5, record=("v",))
    assert not run.spikes
    trace = run.traces["cell.v"]
    exact = -70 + 100 / 16.7 * (1 - np.exp(-trace.times_ms * 16.7 / 250))
    np.testing.assert_allclose(trace.data[:, 0], exact, atol=1e-9)
