"""Spherical bushy cells keep the nerve's timing and improve on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits import Port
from circuits.auditory import spherical_bushy
from neuro.errors import NetworkError
from neuro.measures import rayleigh_p, vector_strength
from neuro.network import Source
from neuro.spikes import Spikes
from neuro.units import nS
from neuro.wiring import generator
from tests.biology._stimuli import locked_trains, run, source

TONE_HZ, DURATION_MS = 500.0, 1000.0
N_FIBRES = 60


def nerve_of(trains: list[np.ndarray]) -> Source:
    cf_hz = np.geomspace(0.95 * TONE_HZ, 1.05 * TONE_HZ, len(trains))
    return source("nerve", trains, DURATION_MS, cf_hz=cf_hz)


def locked(seed: int, rate_hz: float = 300.0) -> list[np.ndarray]:
    return locked_trains(
        TONE_HZ, strength=0.7, rate_hz=rate_hz, n=N_FIBRES, duration_ms=DURATION_MS, seed=seed
    )


def bushy(nerve: Source, seed: int, **parameters: float) -> Spikes:
    circuit = spherical_bushy(Port.of(nerve), n_cells=60)
    circuit.populations = [replace(circuit.populations[0], parameters=parameters)]
    return run(circuit, sources=[nerve], duration_ms=DURATION_MS, seed=seed).spikes["bushy"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bushy_cells_lock_better_than_their_input(seed: int) -> None:
    """Low-tone synchrony is enhanced (Joris et al. 1994, J Neurophysiol 71:1022)."""
    trains = locked(seed)
    nerve = nerve_of(trains)
    rng = generator(seed, "jitter")
    period_ms = 1000 / TONE_HZ
    scrambled = nerve_of([train + rng.uniform(0, period_ms, train.size) for train in trains])
    locked_cells, scrambled_cells = bushy(nerve, seed), bushy(scrambled, seed)

    before = vector_strength(nerve.spikes, TONE_HZ)
    assert before == pytest.approx(0.7, abs=0.05)  # the input is as intended
    assert scrambled.spikes.rate_hz == pytest.approx(nerve.spikes.rate_hz, rel=0.05)
    assert locked_cells.rate_hz > 20  # not merely near-silent
    assert scrambled_cells.rate_hz > 20
    assert vector_strength(locked_cells, TONE_HZ) > before + 0.05
    assert rayleigh_p(locked_cells, TONE_HZ) < 1e-6
    assert vector_strength(scrambled_cells, TONE_HZ) < 0.1  # locking came from timing


def test_one_endbulb_alone_is_not_enough_and_two_together_are() -> None:
    """What makes the cell a coincidence detector, and fixes the scale of its one free weight."""
    apart = np.arange(10, DURATION_MS, 10.0)
    cells = {}
    for name, trains in (
        ("one", [apart, np.zeros(0), np.zeros(0)]),
        ("two", [apart, apart + 0.2, np.zeros(0)]),
        ("far", [apart, apart + 3.0, apart + 6.0]),
    ):
        nerve = source("nerve", trains, DURATION_MS, cf_hz=np.full(3, 500.0))
        circuit = spherical_bushy(Port.of(nerve), n_cells=20)
        result = run(circuit, sources=[nerve], duration_ms=DURATION_MS, seed=4)
        cells[name] = result.spikes["bushy"].rate_hz / 100  # per volley
    assert cells["one"] == 0
    assert cells["far"] == 0  # the same number of spikes and more, without coincidence
    assert cells["two"] > 0.8


def test_a_smaller_leak_raises_the_gain() -> None:
    """The parameter noradrenaline acts on does what the experiments rely on."""
    rested, aroused = [], []
    for seed in (1, 2, 3):
        nerve = nerve_of(locked(seed, rate_hz=120))
        per_input = nerve.spikes.rate_hz
        rested.append(bushy(nerve, seed).rate_hz / per_input)
        aroused.append(bushy(nerve, seed, g_L=nS(0.6 * 24)).rate_hz / per_input)
        unchanged = bushy(nerve, seed, g_L=nS(24)).rate_hz / per_input
        assert unchanged == rested[-1]
    assert min(rested) > 0.1
    assert min(np.array(aroused) / np.array(rested)) > 1.2


@pytest.mark.parametrize(
    ("setting", "value"), [("n_cells", -3), ("endbulbs", 0), ("endbulb_weight", nS(-1))]
)
def test_settings_without_sense_are_refused(setting: str, value: float) -> None:
    nerve = Port("nerve", 10, {"cf_hz": np.full(10, 500.0)})
    with pytest.raises(NetworkError, match=f"spherical_bushy needs .*{setting}.* found"):
        spherical_bushy(nerve, **{setting: value})  # type: ignore[arg-type]


def test_fibres_without_frequency_are_refused() -> None:
    with pytest.raises(NetworkError, match="cf_hz"):
        spherical_bushy(Port("nerve", 10))
