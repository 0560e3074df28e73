"""Single precision keeps slow states, learned weights, and the time of long runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neuro import (
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    SynapseModel,
    simulate,
)
from neuro.backends.norse.cells import CellStep
from neuro.build import build
from neuro.equations.increments import SLOWEST, slow_states
from neuro.models import ADEX, LIF
from neuro.simulate import prepare, run_built
from neuro.sink import MemorySink
from neuro.synapses import DELTA, STDP_ADDITIVE, STDP_TRIPLET, SYNAPTIC_SCALING
from neuro.units import Hz, Quantity, ms, mV, nS, pA
from neuro.wiring import AllToAll, OneToOne
from tests.backends._plain import plain_kernels

SINGLES = ["numba", "norse"]
U = 2.0**-24  # half a unit in the last place of 1 in single precision

AVERAGE = NeuronModel(
    name="average",
    equations="""
        dx/dt = (goal - x)/tau : 1
        dy/dt = -y/tau_y       : 1
        dz/dt = rise           : 1
    """,
    threshold="",
    reset="",
    parameters={"goal": Quantity(1.0), "tau": ms(10e3), "tau_y": ms(1e6), "rise": Hz(1e-6)},
    initial={"y": Quantity(1.0), "z": Quantity(1.0)},
    source="closed forms",
)


@pytest.mark.parametrize("backend", SINGLES)
@pytest.mark.parametrize("method", ["exact", "rk4"])
def test_slow_averages_follow_their_closed_forms(backend: str, method: str) -> None:
    """In one step y and z change by less than single precision shows; in 1,000 by 1e-4 and 1e-7.

    A constant is rounded once, a change at most three times, and the sample once.
    """
    n_steps, dt_ms = 1000, 0.1
    with plain_kernels():
        recording = simulate(
            Network("slow", (Population("cells", replace(AVERAGE, method=method), 2),)),
            duration_ms=(n_steps + 1) * dt_ms, dt_ms=dt_ms, backend=backend,
            record=[Record("cells", name, every_ms=ms(n_steps * dt_ms)) for name in "xyz"],
        )  # fmt: skip
    t_ms = n_steps * dt_ms
    for name, expected, change in (
        ("x", -np.expm1(-t_ms / 10e3), -np.expm1(-t_ms / 10e3)),
        ("y", np.exp(-t_ms / 1e6), np.expm1(-t_ms / 1e6)),
        ("z", 1 + 1e-9 * t_ms, 1e-9 * t_ms),
    ):
        found = recording.traces[f"cells.{name}"].data[-1]
        assert np.abs(found - expected).max() <= U * expected + 4 * U * abs(change), name


@pytest.mark.parametrize("backend", SINGLES)
@pytest.mark.parametrize(("method", "noise"), [("auto", "xi"), ("milstein", "x*xi")])
def test_small_noise_adds_up_in_a_slow_state(backend: str, method: str, noise: str) -> None:
    """200 steps of 2e-8, of which single precision shows none, spread 60 cells by 2.8e-7.

    The spread of 60 samples has a standard error of 1/sqrt(2*60) of itself; five are allowed.
    """
    tau_ms, dt_ms, n_steps = 1e5, 0.1, 200
    sigma = 2e-8 / np.sqrt(2 * dt_ms / tau_ms)
    noisy = NeuronModel(
        name="noisy", equations=f"dx/dt = (1 - x)/tau + sigma*{noise}*sqrt(2/tau) : 1",
        threshold="", reset="", parameters={"tau": ms(tau_ms), "sigma": Quantity(sigma)},
        initial={"x": Quantity(1.0)}, method=method, source="a random walk",
    )  # fmt: skip
    with plain_kernels():
        recording = simulate(
            Network("walk", (Population("cells", noisy, 60),)), duration_ms=(n_steps + 1) * dt_ms,
            dt_ms=dt_ms, backend=backend, record=[Record("cells", "x", every_ms=n_steps * dt_ms)],
        )  # fmt: skip
    spread = recording.traces["cells.x"].data[-1].std()
    expected = np.hypot(2e-8 * np.sqrt(n_steps), 2 * U / np.sqrt(3))  # and the rounded samples
    assert abs(spread - expected) <= 5 * expected / np.sqrt(2 * 60)


@pytest.mark.parametrize("backend", SINGLES)
@pytest.mark.parametrize("plastic", [False, True])
def test_small_inputs_to_a_slow_state_add_up(backend: str, plastic: bool) -> None:
    """400 spikes of 1e-5 mV raise 1,000 mV by 0.004 mV; a sixth of the last digit each."""
    still = NeuronModel(
        name="still", equations="dv/dt = -v/tau : volt", threshold="", reset="",
        parameters={"tau": ms(1e9)}, initial={"v": mV(1000)}, source="a closed form",
    )  # fmt: skip
    edge = SynapseModel(
        name="counted", equations="", current="", edges="seen : 1",
        on_pre="v_post += w; seen += 1", weight=mV(1),
    )  # fmt: skip
    times = np.arange(400) * 0.1
    with plain_kernels():
        recording = simulate(
            Network(
                "still", (Population("cells", still, 1),),
                (Source("in", Spikes(times, np.zeros(400, int), n_units=1, t_stop_ms=40)),),
                (Projection("p", "in", "cells", edge if plastic else DELTA, OneToOne(),
                            mV(1e-5), ms(0.1)),),
            ),
            duration_ms=41.0, backend=backend, record=[Record("cells", "v", every_ms=ms(40.5))],
        )  # fmt: skip
    found = recording.traces["cells.v"].data[-1, 0]
    assert abs(found - (1000 - 4.05e-5 + 4e-3)) <= U * 1000


@pytest.mark.parametrize("backend", SINGLES)
@pytest.mark.parametrize("synapse", [SYNAPTIC_SCALING, STDP_ADDITIVE, STDP_TRIPLET])
def test_learned_weights_are_those_of_double_precision(backend: str, synapse: SynapseModel) -> None:
    """Weights to the rounding of the samples, though one step changes them by less than that."""
    times = np.arange(1, 300, 7) * 1.0
    network = Network(
        "learning", (Population("cells", LIF, 2, {"I_ext": pA(250)}),),
        (Source("in", Spikes(np.repeat(times, 2), np.tile([0, 1], len(times)), n_units=2,
                             t_stop_ms=300)),),
        (Projection("p", "in", "cells", synapse, OneToOne(), nS(3), ms(1)),),
    )  # fmt: skip
    found: dict[str, Any] = {}
    for precision in ("float32", "float64"):
        with plain_kernels():
            found[precision] = simulate(
                network, duration_ms=301, dt_ms=0.5, backend=backend,
                options={"precision": precision}, record=[Record("p", "w", every_ms=ms(300))],
            )  # fmt: skip
    single, double = (found[p].traces["p.w"].data[-1] for p in ("float32", "float64"))
    assert np.array_equal(found["float32"].spikes["cells"].times_ms,
                          found["float64"].spikes["cells"].times_ms)  # fmt: skip
    assert (single != 3.0).any()
    assert np.abs(single - double).max() <= 2 * U * np.abs(double).max()


RELAY = NeuronModel(
    name="relay", equations="dv/dt = -v/tau : volt", threshold="v > V_th", reset="v = 0*mV",
    parameters={"tau": ms(10), "V_th": mV(1)}, source="a spike for each that arrives",
)  # fmt: skip


def scaling(times_ms: NDArray[np.float64], stop_ms: float) -> Network:
    """A cell that spikes at these times, a step later, and two synapses that scale with it."""
    nothing = Spikes([], [], n_units=2, t_stop_ms=stop_ms)
    drive = Spikes(times_ms, np.zeros(times_ms.size, int), n_units=1, t_stop_ms=stop_ms)
    relay = replace(
        RELAY,
        name="relay_of_conductances",
        equations=("dv/dt = (-v + I/g_L)/tau : volt"),
        parameters={**RELAY.parameters, "g_L": nS(10)},
    )
    return Network(
        "scaling", (Population("cell", relay, 1),), (Source("drive", drive), Source("in", nothing)),
        (Projection("kick", "drive", "cell", DELTA, OneToOne(), mV(2), ms(0.1)),
         Projection("p", "in", "cell", SYNAPTIC_SCALING, AllToAll(), nS(0.2), ms(0.1))),
    )  # fmt: skip


def scaled(spikes_ms: NDArray[np.float64], at_ms: float) -> float:
    """The weight of `SYNAPTIC_SCALING` in nS: a spike's activity decays with 100 s."""
    spikes_s = (at_ms - spikes_ms[spikes_ms < at_ms]) * 1e-3
    return float(0.2 * np.exp(4e-5 * (10 * at_ms * 1e-3 + np.expm1(-spikes_s / 100).sum())))


def test_scaling_over_90_s_moves_a_weight_as_far_as_it_should() -> None:
    """At 45.5 Hz from 0.2 to 0.19607 nS, where rounding in single precision gave 0.19382.

    A step reads the activity at its start, which errs by up to a step's worth: 4e-5 * dt * 45 Hz.
    """
    times = np.rint(np.arange(1, 90_000 / 21.96) * 219.6) * 0.1
    recording = simulate(scaling(times, 90_001), duration_ms=90_000.1,
                         record=[Record("p", "w", every_ms=ms(90_000))])  # fmt: skip
    spikes_ms = recording.spikes["cell"].times_ms
    expected = scaled(spikes_ms, 90_000)
    assert spikes_ms.size == times.size
    assert round(expected, 5) == 0.19607
    found = recording.traces["p.w"].data[-1]
    assert np.abs(found - expected).max() <= (4e-5 * 1e-4 * 45.6 + U) * expected


@pytest.mark.parametrize("backend", SINGLES)
def test_scaling_of_a_silent_cell_begins_at_once(backend: str) -> None:
    """4e-8 of the weight in a step, which single precision rounds away for 40 s."""
    with plain_kernels():
        recording = simulate(scaling(np.zeros(0), 200), duration_ms=100.1, backend=backend,
                             record=[Record("p", "w", every_ms=ms(100))])  # fmt: skip
    expected = scaled(np.zeros(0), 100)
    assert expected > 0.2 * (1 + 3.9e-5)
    assert np.abs(recording.traces["p.w"].data[-1] - expected).max() <= U * expected


def test_states_are_slow_by_what_they_lose_in_a_step() -> None:
    """A decay of 25.5 ms is fast at a step of 0.1 ms, and one of 25.7 ms is not."""
    for dt_ms, expected in ((0.1, ()), (0.01, ("v",))):
        built = build(Network("n", (Population("cells", LIF, 1),)), seed=0, dt_ms=dt_ms)
        [cells] = built.populations
        assert slow_states(cells.program, {**cells.parameters, "dt": dt_ms}) == expected
    built = build(Network("n", (Population("cells", ADEX, 1),)), seed=0, dt_ms=0.1)
    [cells] = built.populations
    assert slow_states(cells.program, {**cells.parameters, "dt": 0.1}) == ("v", "w")
    for tau_ms, slow in ((25.5, ()), (25.7, ("y",)), (np.array([10.0, 30.0]), ("y",))):
        decay = replace(
            AVERAGE,
            name="decay",
            equations="dy/dt = -y/tau_y : 1",
            parameters={"tau_y": ms(1e6)},
            initial={},
        )
        [cells] = build(
            Network("n", (Population("cells", decay, 2),)), seed=0, dt_ms=0.1
        ).populations
        assert slow_states(cells.program, {"tau_y": tau_ms, "dt": 0.1}) == slow
        [cells] = build(
            Network("n", (Population("cells", replace(decay, method="euler"), 2),)),
            seed=0,
            dt_ms=0.1,
        ).populations
        assert slow_states(cells.program, {"tau_y": tau_ms, "dt": 0.1}) == slow
    assert SLOWEST == 2.0**-8
    # What changes with time is not known to lose that much.
    assert slow_states(cells.program, {"dt": 0.1}) == ("y",)


def spikes_from(network: Network, start: int, n_steps: int, dt_ms: float) -> list[tuple[int, int]]:
    """`(step, cell)` of the spikes of `cells` in steps `start …`, from the state at step 0."""
    states: list[dict[str, Any]] = []
    with plain_kernels():
        built = prepare(network, dt_ms=dt_ms)
        run_built(built, MemorySink(["cells"], 0), duration_ms=dt_ms,
                  checkpoint=lambda state: states.append(state()))  # fmt: skip
        first = prepare(network, dt_ms=dt_ms)
        sink = MemorySink(["cells"], 0)
        state = {**states[0], "step": start}
        run_built(first, sink, duration_ms=(start + n_steps) * dt_ms, resume=state)
    steps, units = sink.spikes_of("cells")
    return [(int(s) - start, int(u)) for s, u in zip(steps, units, strict=True)]


CLOCK = NeuronModel(
    name="clock", equations="", threshold="t >= t_f and t < t_f + dt", reset="",
    parameters={"t_f": ms(0)}, source="a closed form",
)  # fmt: skip
STARTS = [(0.01, 15_000_000), (0.1, 10**10), (0.01, 10**11)]  # 150 s, and 1e6 s


@pytest.mark.parametrize(("dt_ms", "start"), STARTS)
def test_a_moment_comes_once_however_late(dt_ms: float, start: int) -> None:
    """Each cell spikes in the one step that begins within dt after its moment."""
    moments = (start + np.array([3.5, 4.5, 17.5])) * dt_ms
    network = Network("clock", (Population("cells", CLOCK, 3, {"t_f": moments}),))
    assert spikes_from(network, start, 30, dt_ms) == [(4, 0), (5, 1), (18, 2)]
    [cells] = build(network, seed=0, dt_ms=dt_ms).populations
    step = CellStep(cells, dt_ms)
    state, bound = step.initial(), step.bind()
    found = []
    for k in range(30):
        fired, state = step.update(state, start + k, bound)
        found += [(k, int(cell)) for cell in torch.nonzero(fired[0]).flatten()]
    assert found == [(4, 0), (5, 1), (18, 2)]


def test_a_sine_is_in_phase_after_a_thousand_seconds() -> None:
    """Of 100 Hz, with a phase for each cell: it is positive when numpy's sine is."""
    dt_ms, start, n_steps = 0.1, 10_000_000, 250
    tone = replace(CLOCK, name="tone", threshold="sin(2*pi*f*t + phase) > 0",
                   parameters={"f": Hz(100), "phase": Quantity(0.0)})  # fmt: skip
    phase = np.array([0.3, 0.7])
    network = Network("tone", (Population("cells", tone, 2, {"phase": phase}),))
    found = set(spikes_from(network, start, n_steps, dt_ms))
    t_ms = (start + np.arange(n_steps)) * dt_ms
    expected = np.sin(2 * np.pi * 0.1 * t_ms[:, None] + phase) > 0
    assert found == {(int(k), int(c)) for k, c in zip(*np.nonzero(expected), strict=True)}


@pytest.mark.parametrize("start", [2**29 - 40, 2**31 - 40, 10**11])
def test_refractory_cells_wake_in_time_after_billions_of_steps(start: int) -> None:
    network = Network("late", (Population("cells", LIF, 2, {"I_ext": np.array([700.0, 1100.0])}),))
    early = spikes_from(network, 1, 300, 0.1)
    assert len(early) > 4
    assert spikes_from(network, start, 300, 0.1) == early


def test_last_spikes_are_counted_anew_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 60 steps instead of every 2^29: cells that are refractory just then stay so as long."""
    network = Network("late", (Population("cells", LIF, 2, {"I_ext": np.array([700.0, 1100.0])}),))
    usual = spikes_from(network, 1, 300, 0.1)
    monkeypatch.setattr("neuro.backends.numba.state._FAR", 50)
    monkeypatch.setattr("neuro.backends.numba.kernel._CHUNK_STEPS", 60)
    assert spikes_from(network, 1, 300, 0.1) == usual


@pytest.mark.parametrize("start", [2**31 - 80, 10**10])
def test_a_late_state_is_kept_whole_and_continues_the_run(start: int) -> None:
    """The steps of last spikes need 64 bits; a run in two pieces ends as one in one piece."""
    network = Network("late", (Population("cells", LIF, 2, {"I_ext": np.array([700.0, 1100.0])}),))
    whole = spikes_from(network, start, 300, 0.1)
    sink, states = MemorySink(["cells"], 0), list[dict[str, Any]]()

    def run(stop: int, state: dict[str, Any] | None) -> None:
        run_built(prepare(network), sink, duration_ms=stop * 0.1, resume=state,
                  checkpoint=lambda state: states.append(state()))  # fmt: skip

    with plain_kernels():
        run(1, None)
        run(start + 150, {**states[-1], "step": start})
        run(start + 300, states[-1])
    steps, units = sink.spikes_of("cells")
    found = [(int(s) - start, int(u)) for s, u in zip(steps, units, strict=True)]
    assert found == whole
    for cell in (0, 1):
        last = max(step for step, unit in whole if unit == cell)
        assert states[-1]["last/cells"][cell] == start + last


def test_a_state_can_hold_a_late_time() -> None:
    """`last = t` and `t - last > 5 ms` after 1e6 s: a spike every 51 steps of 0.1 ms."""
    pulse = NeuronModel(
        name="pulse", equations="dlast/dt = 0*ms/ms : second", threshold="t - last > 5.05*ms",
        reset="last = t", parameters={}, source="a closed form",
    )  # fmt: skip
    found = spikes_from(Network("pulse", (Population("cells", pulse, 1),)), 10**10, 200, 0.1)
    assert [step for step, _ in found] == [0, 51, 102, 153]
