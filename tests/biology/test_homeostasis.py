"""Homeostatic synapses bring cells to their target rate, from below and from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro import (
    Network,
    Population,
    Projection,
    Record,
    Recording,
    Source,
    Spikes,
    simulate,
)
from neuro.models import LIF
from neuro.synapses import EXPONENTIAL_CONDUCTANCE, INHIBITORY_PLASTICITY, SYNAPTIC_SCALING
from neuro.units import Hz, Quantity, ms, mV, nS
from neuro.wiring import AllToAll, Listed

N_CELLS, N_INPUTS, FAN_IN, DT_MS = 8, 80, 40, 1.0
SECONDS = 9.0


Array = NDArray[np.float64]


def _poisson(rate_hz: float, seed: int) -> Spikes:
    """Independent spikes of `N_INPUTS` units, at most one a step."""
    rng = np.random.default_rng(seed)
    steps, units = np.nonzero(rng.random((int(SECONDS * 1000), N_INPUTS)) < rate_hz / 1000)
    return Spikes(steps * DT_MS, units, n_units=N_INPUTS, t_stop_ms=SECONDS * 1000)


def _fan_in(seed: int) -> Listed:
    """Each cell hears inputs of its own choice, so that the cells are several samples."""
    rng = np.random.default_rng(seed)
    source = np.concatenate([rng.choice(N_INPUTS, FAN_IN, replace=False) for _ in range(N_CELLS)])
    return Listed(source, np.repeat(np.arange(N_CELLS), FAN_IN))


def _rates(recording: Recording, population: str, start_s: float, stop_s: float) -> Array:
    spikes = recording.spikes[population].between(start_s * 1000, stop_s * 1000)
    return spikes.counts() / (stop_s - start_s)


def _run(network: Network, backend: str) -> Recording:
    return simulate(network, duration_ms=SECONDS * 1000, dt_ms=DT_MS, backend=backend)


# Cells that learn, and beside them the same cells with the learning rate at 0.
CELLS = tuple(Population(name, LIF, N_CELLS, {}, {"v": mV(-60)}) for name in ("learn", "control"))


def test_scaling_finds_the_target_rate_from_both_sides(backend: str) -> None:
    """Weights of quiet cells grow, those of busy cells shrink (Turrigiano et al. 1998).

    The paper's days are made seconds: activity over 0.5 s and `beta` a thousand times larger.
    """
    weights = np.repeat(np.linspace(0.6, 1.7, N_CELLS), FAN_IN)
    fixed = {"tau_activity": ms(500), "target_rate": Hz(20)}
    recording = _run(
        Network(
            "scaling", CELLS, (Source("inputs", _poisson(25.0, seed=1)),),
            tuple(
                Projection(
                    f"to_{name}", "inputs", name, SYNAPTIC_SCALING, _fan_in(1), weights, ms(1),
                    fixed | {"beta": Quantity(beta)},
                )
                for name, beta in (("learn", 0.04), ("control", 0.0))
            ),
        ),
        backend,
    )  # fmt: skip
    for rates in (_rates(recording, "learn", 0, 0.5), _rates(recording, "control", 4, 9)):
        assert rates.min() < 10 < 40 < rates.max()  # cells start on both sides, and would stay
    assert np.abs(_rates(recording, "learn", 4, 9) - 20).max() < 2


def test_scaling_keeps_the_ratios_of_a_cell_s_weights(backend: str) -> None:
    """Every synapse of a cell moves by one factor (Turrigiano et al. 1998: multiplicative)."""
    weights = np.geomspace(0.2, 2.0, N_INPUTS)
    values = {"tau_activity": ms(500), "target_rate": Hz(20), "beta": Quantity(0.04)}
    cell = Population("learn", LIF, 1, {}, {"v": mV(-60)})
    projection = Projection(
        "to_learn", "inputs", "learn", SYNAPTIC_SCALING, AllToAll(), weights, ms(1), values
    )
    recording = simulate(
        Network("scaling", (cell,), (Source("inputs", _poisson(25.0, 1)),), (projection,)),
        duration_ms=3000, dt_ms=DT_MS, backend=backend, record=[Record("to_learn", "w", 1000.0)],
    )  # fmt: skip
    factor = np.sort(recording.traces["to_learn.w"].data[-1]) / weights
    assert abs(factor[0] - 1) > 0.02  # they have moved
    assert np.ptp(factor) < 1e-9


def test_inhibition_learns_to_balance_excitation(backend: str) -> None:
    """Cells with different drive end at one rate, the target (Vogels et al. 2011, figure 1).

    Where inhibition and the target's spikes were independent, the weight would rest exactly at
    the target rate; a spike is a little more likely when inhibition is absent, so it rests
    somewhat above.
    """
    excitation = np.repeat(np.linspace(1.6, 2.2, N_CELLS), FAN_IN)
    projections = []
    for name, eta in (("learn", 0.05), ("control", 0.0)):
        values = {"eta": nS(eta), "target_rate": Hz(10)}
        projections += [
            Projection(
                f"e_{name}", "e", name, EXPONENTIAL_CONDUCTANCE, _fan_in(2), excitation, ms(1)
            ),
            Projection(
                f"i_{name}", "i", name, INHIBITORY_PLASTICITY, _fan_in(3), nS(0.1), ms(1), values
            ),
        ]
    sources = (Source("e", _poisson(25.0, seed=2)), Source("i", _poisson(25.0, seed=3)))
    recording = _run(Network("balance", CELLS, sources, tuple(projections)), backend)
    unlearned = _rates(recording, "control", 4, 9)
    assert unlearned.min() > 20  # what is to be balanced is there
    assert np.ptp(unlearned) > 10  # and differs between cells
    assert np.abs(_rates(recording, "learn", 4, 9) - 10).max() < 1.5
