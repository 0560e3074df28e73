"""Where delays fall that lie off the grid, and which times must lie on it."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Network, Normal, Population, Projection, Source, Spikes, Uniform, simulate
from neuro.build import build
from neuro.errors import NetworkError
from neuro.models import LIF
from neuro.modulation import Transmitter
from neuro.network import Value
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.timing import delay_steps, release_steps, steps_of
from neuro.units import ms, pA
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
    assert release_steps(float(Transmitter("t", delay=ms(delay_ms)).delay), 0.1) == steps


def test_drawn_delays_fall_on_the_nearest_steps() -> None:
    drawn = np.random.default_rng(1).uniform(0.1, 30, 2000)
    steps = delay_steps(drawn, 0.1)
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
