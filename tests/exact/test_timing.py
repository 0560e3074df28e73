"""Where delays fall that lie off the grid, and which times must lie on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from neuro import (
    Drive,
    Network,
    NeuronModel,
    Normal,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    SynapseModel,
    Uniform,
    simulate,
)
from neuro.build import build
from neuro.errors import EmberError, NetworkError
from neuro.models import LIF
from neuro.modulation import Transmitter
from neuro.network import Value
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.timing import nearest_steps, release_steps, steps_of
from neuro.units import NUMBER, ms, mV, pA
from neuro.wiring import OneToOne
from tests.backends._plain import plain_kernels

# What Brian2 2.9 makes of these at a step of 0.1 ms: int(delay/dt + 0.5), in seconds.
BRIAN2 = {0.1: 1, 0.14: 1, 0.15: 1, 0.16: 2, 0.25: 3, 0.35: 4, 0.45: 5, 1.05: 11, 1.5: 15, 2.85: 29}


def _network(delay: Value) -> Network:
    spikes = Spikes([0.0], [0], n_units=2, t_stop_ms=1.0)
    return Network(
        populations=(Population("to", LIF, 2),),
        sources=(Source("from", spikes),),
        projections=(
            Projection("p", "from", "to", EXPONENTIAL_CURRENT, OneToOne(), pA(1), delay),
        ),
    )  # fmt: skip


def _steps(delay: Value) -> list[int]:
    return build(_network(delay), seed=3, dt_ms=0.1).projections[0].delay_steps.tolist()


@pytest.mark.parametrize(("delay_ms", "steps"), BRIAN2.items())
def test_a_delay_has_the_same_steps_in_every_form(delay_ms: float, steps: int) -> None:
    seconds = delay_ms * 1e-3
    assert int(seconds / 0.0001 + 0.5) == steps
    assert _steps(ms(delay_ms)) == [steps] * 2
    assert _steps(delay_ms) == [steps] * 2
    assert _steps(np.array([delay_ms, delay_ms])) == [steps] * 2
    assert _steps(Normal(ms(delay_ms), ms(0))) == [steps] * 2
    assert _steps(Normal(ms(500), ms(0.001), high=delay_ms)) == [steps] * 2
    assert _steps(Normal(ms(0), ms(0.001), low=delay_ms)) == [steps] * 2
    assert _steps(Uniform(ms(delay_ms), ms(delay_ms))) == [steps] * 2
    assert (
        release_steps(float(Transmitter("t", released_by="cells", delay=ms(delay_ms)).delay), 0.1)
        == steps
    )


def test_drawn_delays_fall_on_the_nearest_steps() -> None:
    drawn = np.random.default_rng(1).uniform(0.1, 30, 2000)
    steps = nearest_steps(drawn, 0.1)
    assert (np.abs(steps * 0.1 - drawn) <= 0.05 + 1e-12).all()


@pytest.mark.parametrize("time_ms", [60000.05, 60000.001, 0.05, 1e6 + 0.02, 1e9 + 0.01, np.inf])
def test_a_time_off_the_grid_is_refused_however_long(time_ms: float) -> None:
    with pytest.raises(NetworkError, match="whole number of time steps"):
        steps_of(time_ms, 0.1, "duration")


@pytest.mark.parametrize(("time_ms", "steps"), [(0.3, 3), (60000.0, 600000), (1e9, 10**10),
                                                (sum([0.1] * 1000), 1000)])  # fmt: skip
def test_a_time_on_the_grid_may_be_rounded(time_ms: float, steps: int) -> None:
    assert steps_of(time_ms, 0.1, "duration") == steps


def test_one_delay_beside_the_grid_is_noted_once() -> None:
    (note,) = build(_network(ms(0.35)), seed=0, dt_ms=0.1).notes()
    assert note == (
        "projection `p`: the delay of 0.35 ms is no whole number of time steps of 0.1 ms, "
        "found 4 steps nearest to it (0.4 ms)"
    )
    for silent in (ms(0.3), np.array([0.35, 0.3]), Uniform(ms(0.35), ms(0.65))):
        assert build(_network(silent), seed=0, dt_ms=0.1).notes() == ()


def test_a_recording_has_the_notes_of_its_run() -> None:
    with plain_kernels():
        recording = simulate(_network(ms(0.15)), duration_ms=1, dt_ms=0.1)
    assert [note.split(":")[0] for note in recording.notes] == ["projection `p`"]


BESIDE = [0.04, 0.05, 0.06, 0.15, 0.25, 0.34, 0.35, 0.45, 1.05, 100_000.05, 1e6 + 0.25]
ROUNDED = [int(time * 1e-3 / 1e-4 + 0.5) for time in BESIDE]


def test_a_spike_of_a_source_falls_where_a_delay_of_its_time_does() -> None:
    spikes = Spikes(BESIDE, range(len(BESIDE)), n_units=len(BESIDE), t_stop_ms=2e6)
    network = Network("n", sources=(Source("from", spikes),))
    assert build(network, seed=0, dt_ms=0.1).sources[0].steps.tolist() == ROUNDED
    assert _steps(np.array(BESIDE[3:5])) == ROUNDED[3:5]


@pytest.mark.parametrize("backend", ["numba", "norse", "brian"])
def test_times_beside_the_grid_fall_on_the_same_steps_in_every_back_end(backend: str) -> None:
    """Source spikes, delays and refractory times, by hand; each spike that comes makes one."""
    times, delays = [0.05, 0.25, 0.66, 5.15], np.array([0.15, 0.25, 0.35, 1.05])
    source = Source("from", Spikes(times, range(4), n_units=4, t_stop_ms=20))
    jump = SynapseModel("jump", "", "", "v += w", mV(1))
    relay = NeuronModel(
        "relay",
        "dv/dt = -v/tau : volt",
        "v > V_th",
        "v = 0*mV",
        parameters={"tau": ms(10), "V_th": mV(1)},
    )
    pacer = replace(
        relay,
        name="pacer",
        equations="v = 2*mV : volt\ndx/dt = -x/tau : 1",
        reset="",
        refractory="t_ref",
        parameters={**relay.parameters, "t_ref": ms(1)},
    )
    held = np.array([0.04, 0.05, 0.25, 0.2989, 0.35, 1.05])
    network = Network(
        "n",
        (Population("to", relay, 4), Population("pace", pacer, 6, parameters={"t_ref": held})),
        (source,),
        (Projection("p", "from", "to", jump, OneToOne(), mV(5), delays),),
    )
    with plain_kernels():
        found = simulate(network, duration_ms=8, backend=backend).spikes
    steps = np.rint(found["to"].times_ms / 0.1).astype(int).tolist()
    # A spike arrives after the threshold of its step, so the cell fires in the next one.
    assert steps == sorted(
        int(t * 1e-3 / 1e-4 + 0.5) + int(d * 1e-3 / 1e-4 + 0.5) + 1
        for t, d in zip(times, delays, strict=True)
    )
    for cell, time_ms in enumerate(held):
        fired = np.rint(found["pace"].times_ms[found["pace"].units == cell] / 0.1).astype(int)
        assert (np.diff(fired) == max(1, int(np.floor(time_ms / 0.1 + 0.001)))).all(), time_ms


@pytest.mark.parametrize("backend", ["numba", "norse", "brian"])
@pytest.mark.parametrize("every_ms", [0.25, 0.0, 1e-9, -1.0])
def test_intervals_beside_the_grid_are_refused_by_every_back_end(
    backend: str, every_ms: float
) -> None:
    cell = NeuronModel(
        "m", "dv/dt = (u - v)/tau : 1", parameters={"tau": ms(10)}, inputs={"u": NUMBER}
    )
    population = Population("to", cell, 1)
    driven = Network("n", (population,), drives=(Drive("to", "u", np.ones(5), every_ms),))
    with pytest.raises(EmberError, match="dt of the drive of `u` must be"):
        simulate(driven, duration_ms=1, backend=backend)
    recorded = Network("n", (Population("to", LIF, 1),))
    with pytest.raises(EmberError, match=r"every of `to\.v` must be"):
        simulate(recorded, duration_ms=1, backend=backend, record=[Record("to", "v", every_ms)])
    if every_ms:
        with pytest.raises(EmberError, match="duration must be"):
            simulate(recorded, duration_ms=every_ms if every_ms != 1e-9 else -1e-3, backend=backend)


@pytest.mark.parametrize("dt_ms", [1e-320, 1e-300, math.inf, 0, -1])
def test_a_step_that_no_double_counts_is_refused_by_name(dt_ms: float) -> None:
    cells = Network(populations=(Population("c", LIF, 1),))
    with pytest.raises(NetworkError, match=r"^d(t|uration) must be (finite|less than 2\*\*53)"):
        simulate(cells, duration_ms=10, dt_ms=dt_ms)


def test_a_name_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"must be text that UTF-8 can write, found '.ud800'"):
        Network(populations=(Population("\ud800", LIF, 1),))
    with pytest.raises(NetworkError, match="`name` must be text that UTF-8 can write"):
        Network(name="a\udfff")
    assert Network(populations=(Population("ä😀", LIF, 1),)).populations[0].n == 1
