"""Locus coeruleus: tonic pacemaking, a phasic burst on alarm, then a pause."""

from __future__ import annotations

import numpy as np
import pytest

from circuits import Port, assemble
from circuits.limbic import locus_coeruleus
from neuro import simulate
from neuro.measures import first_spikes
from neuro.network import Record, Source
from neuro.spikes import Spikes
from neuro.units import Quantity, nS
from neuro.wiring import generator
from tests.biology._stimuli import run, source

DURATION_MS, ALARM_MS = 4000.0, 2500.0
PHASIC = (ALARM_MS, ALARM_MS + 150)  # 50-150 ms
N_ALARM = 60


def alarm(spikes_per_cell: float, seed: int, *, spread_ms: float = 12.0) -> Source:
    """A volley of the central amygdala; spread over a long time it is no volley."""
    rng = generator(seed, "alarm")
    counts = rng.poisson(spikes_per_cell, N_ALARM)
    trains = [ALARM_MS + np.sort(rng.uniform(0, spread_ms, count)) for count in counts]
    return source("central_amygdala", trains, DURATION_MS)


def answer(heard: Source, seed: int, **settings: Quantity) -> Spikes:
    circuit = locus_coeruleus(Port.of(heard), **settings)  # type: ignore[arg-type]
    result = run(circuit, sources=[heard], duration_ms=DURATION_MS, seed=seed)
    return result.spikes["locus_coeruleus"]


def pauses(spikes: Spikes) -> np.ndarray:
    """Each cell's silence after the burst: from its last spike within it to the next."""
    burst = spikes.between(*PHASIC)
    last = np.array([burst.of(cell).max(initial=ALARM_MS) for cell in range(spikes.n_units)])
    return PHASIC[1] + first_spikes(spikes, after_ms=PHASIC[1]) - last


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tonic_rate_burst_and_pause(seed: int) -> None:
    """0.5-5 Hz; 8-20 Hz for 50-150 ms; 200-700 ms of silence (Aston-Jones & Bloom 1981)."""
    volley = alarm(1.0, seed)
    assert 40 < len(volley.spikes) < 80  # about one spike a cell, as a startling sound gives
    aroused, rested = answer(volley, seed), answer(alarm(0, seed), seed)

    tonic = aroused.between(500, ALARM_MS)
    assert 0.5 < tonic.rate_hz < 5
    assert (tonic.counts() > 0).mean() > 0.8  # not a few fast cells: most are pacemakers
    assert 8 < aroused.between(*PHASIC).rate_hz < 20
    assert 200 < np.nanmedian(pauses(aroused)) < 700
    assert np.nanmedian(pauses(aroused)) > 1.2 * np.nanmedian(pauses(rested))
    # Control: without alarm the same cells go on ticking.
    assert rested.between(*PHASIC).rate_hz < 5
    assert aroused.between(0, ALARM_MS) == rested.between(0, ALARM_MS)


@pytest.mark.parametrize("seed", [1, 2])
def test_only_a_volley_makes_a_burst(seed: int) -> None:
    """The same spikes spread over a second and a half leave the rate near the tonic one."""
    spread = answer(alarm(1.0, seed, spread_ms=1400.0), seed)
    assert spread.between(*PHASIC).rate_hz < 6
    assert answer(alarm(1.0, seed), seed).between(*PHASIC).rate_hz > 8


@pytest.mark.parametrize("seed", [1, 2])
def test_autoinhibition_lengthens_the_pause_and_lowers_the_tonic_rate(seed: int) -> None:
    """alpha-2 receptors brake the nucleus; blocking them frees it (Egan et al. 1983)."""
    volley = alarm(1.0, seed)
    braked, freed = answer(volley, seed), answer(volley, seed, autoinhibition=nS(0))
    window = (500.0, ALARM_MS)
    assert freed.between(*window).rate_hz > 1.2 * braked.between(*window).rate_hz
    assert np.nanmedian(pauses(braked)) > 1.05 * np.nanmedian(pauses(freed))


def test_autoinhibition_comes_50_ms_after_the_spikes_that_cause_it() -> None:
    """With and without alpha-2, the membranes part 50 ms after the first spike, and not before.

    50 ms is the circuit's statement of a slow receptor. The first cell to fire has neighbours
    (0.2 of 40), whose conductance steps in the step of arrival.
    """
    volley = alarm(1.0, seed=1)
    courses = []
    for weight in (0.05, 0.0):
        circuit = locus_coeruleus(Port.of(volley), autoinhibition=nS(weight))
        network = assemble("one", [circuit], sources=[volley])
        run = simulate(
            network, duration_ms=1500.0, seed=1, record=[Record("locus_coeruleus", "v", 0.1)],
            options={"precision": "float64"},
        )  # fmt: skip
        first_ms = run.spikes["locus_coeruleus"].times_ms[0]
        courses.append(run.traces["locus_coeruleus.v"])
    parted = np.abs(courses[0].data - courses[1].data).max(axis=1) > 0
    assert parted.any()
    latency_ms = courses[0].times_ms[parted.argmax()] - first_ms
    assert latency_ms == pytest.approx(50, abs=0.3)  # the steps of arrival and of the membrane
