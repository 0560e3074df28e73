"""What arrives, where, when and how much, against sums that numpy makes of the list of edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro import Network, Population, Projection, Record, Source, Spikes, simulate
from neuro.models import LEAKY_INTEGRATOR, LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.recording import Recording
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import ms, mV, nM, pA
from neuro.wiring import AllToAll, Listed
from tests.backends._plain import plain_kernels

DT_MS, SENDERS, TARGETS, EDGES = 0.1, 150, 40, 1500
Array = NDArray[np.float64]


def plainly(network: Network, duration_ms: float, *record: Record) -> Recording:
    with plain_kernels():
        return simulate(
            network,
            duration_ms=duration_ms,
            dt_ms=DT_MS,
            record=record,
            options={"precision": "float64"},
        )


def edges() -> tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.int64]]:
    """Source, target, weight in pA and delay in steps; some pairs several times.

    Half of the delays are alike: a volley then fills one row of the queue beyond its first size.
    """
    rng = np.random.default_rng(7)
    steps = np.where(rng.random(EDGES) < 0.5, 5, rng.integers(1, 60, EDGES))
    return (
        rng.integers(0, SENDERS, EDGES),
        rng.integers(0, TARGETS, EDGES),
        rng.uniform(-5, 10, EDGES),
        steps,
    )


def arrived(*effects: Effect) -> tuple[Recording, Array]:
    """A run of cells that all fire together, and what each step brought to each target."""
    source, target, weight, steps = edges()
    network = Network(
        "volleys",
        (
            Population("senders", LIF, SENDERS, {"I_ext": pA(1500), "t_ref": ms(1)}),
            Population("targets", LEAKY_INTEGRATOR, TARGETS),
        ),
        projections=(
            Projection(
                "p",
                "senders",
                "targets",
                EXPONENTIAL_CURRENT,
                Listed(source, target),
                weight,
                DT_MS * steps,
            ),
        ),
        transmitters=(Transmitter("na", baseline=nM(50)),) if effects else (),
        receptors=(Receptor("r", "na", nM(50), 2.0),) if effects else (),
        effects=effects,
    )
    run = plainly(network, 25, Record("targets", "p.I_syn", DT_MS))
    current = run.traces["targets.p.I_syn"].data
    return run, current[1:] - current[:-1] * np.exp(-DT_MS / 5)


def expected(run: Recording, n_steps: int) -> Array:
    source, target, weight, steps = edges()
    spikes = run.spikes["senders"]
    found = np.zeros((n_steps + 100, TARGETS))
    for time, unit in zip(spikes.times_ms, spikes.units, strict=True):
        own = source == unit
        np.add.at(found, (round(time / DT_MS) + steps[own], target[own]), weight[own])
    return found[:n_steps]


def test_every_edge_brings_its_weight_to_its_target_after_its_delay() -> None:
    """1,500 edges of 150 cells, with delays of 0.1 to 5.9 ms, through several volleys."""
    run, found = arrived()
    counts = run.spikes["senders"].counts()
    assert counts.min() == counts.max() >= 3  # cells that are alike all fire
    np.testing.assert_allclose(found, expected(run, len(found)), atol=1e-10)
    assert np.abs(found).max() > 20


def test_modulation_of_the_weight_scales_what_arrives() -> None:
    """Half of the receptors are occupied at EC50, whatever the exponent: 1 + 0.5 (3 - 1)."""
    run, found = arrived(Effect("r", "p", "weight", 3.0))
    np.testing.assert_allclose(found, 2 * expected(run, len(found)), atol=1e-10)
    assert np.abs(found).max() > 40


def test_a_source_s_spikes_arrive_once_and_only_at_cells_that_are_free() -> None:
    """One volley of five: +1 mV each to a free cell, nothing to one that has just fired.

    The queue of what is under way is gone through many times afterwards, and brings nothing more.
    """
    spikes = Spikes(np.full(5, 3.0), np.arange(5), n_units=5, t_stop_ms=20)
    network = Network(
        "free",
        (Population("cells", LIF, 2, {"t_ref": ms(15)}, {"v": np.array([-70.0, -40.0])}),),
        (Source("s", spikes),),
        (Projection("p", "s", "cells", DELTA, AllToAll(), mV(1), ms(2)),),
    )
    run = plainly(network, 14, Record("cells", "v", DT_MS))
    v = run.traces["cells.v"].data
    assert run.spikes["cells"].counts().tolist() == [0, 1]
    at = round((3 + 2) / DT_MS) + 1
    rise = np.exp(-DT_MS * (np.arange(len(v)) - at) * 16.7 / 250) * 5
    np.testing.assert_allclose(v[:at, 0], -70, atol=1e-9)
    np.testing.assert_allclose(v[at:, 0], -70 + rise[at:], atol=1e-9)
    np.testing.assert_allclose(v[2:, 1], -70, atol=1e-9)
