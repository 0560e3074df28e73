"""The story of `configs/startle.yaml`: fear raises the gain of hearing and lowers the budget."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from neuro.recording import Recording
from sims.config import load
from sims.run import run_experiment

BLOCKED = "modulation.noradrenaline.per_spike=0 nM"
QUIET = ("stimulus.sound.level=35 dB", "stimulus.heat.peak=34 degC")
COOL = ("stimulus.heat.peak=34 degC",)
SILENCE = ("stimulus.sound.embedded=silence",)
SEEDS = (1, 2, 3)

MURMUR, CRY = (100.0, 700.0), (900.0, 1400.0)
# Noradrenaline is up from the burst's release on, 20 ms and some after the alarm.
ALARMED = (990.0, 1150.0)
HEAT = (1500.0, 2100.0)


@cache
def story(*overrides: str, seed: int = 1) -> Recording:
    return run_experiment(load("startle", (f"seed={seed}", *overrides))).recording


def gain(recording: Recording, window: tuple[float, float]) -> float:
    """Bushy spikes per cell for each spike of a nerve fibre."""
    bushy, nerve = recording.spikes["bushy"], recording.spikes["sound_nerve"]
    return bushy.between(*window).rate_hz / nerve.between(*window).rate_hz


def burst_hz(recording: Recording, onset_ms: float) -> float:
    """Rate of locus coeruleus over the 150 ms in which an alarm at `onset_ms` shows."""
    return recording.spikes["locus_coeruleus"].between(onset_ms, onset_ms + 150).rate_hz


def mean_factor(recording: Recording, key: str, window: tuple[float, float]) -> float:
    course = recording.factors[key]
    inside = (course.times_ms >= window[0]) & (course.times_ms < window[1])
    return float(course.values[inside].mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cry_alarms_and_a_murmur_does_not(seed: int) -> None:
    run = story(*COOL, seed=seed)
    heard = run.spikes["sound_nerve"]
    assert heard.between(*MURMUR).rate_hz > 60  # the murmur is heard well
    assert heard.between(*CRY).rate_hz > 100

    central = run.spikes["central_amygdala"]
    assert len(central.between(900, 1000)) > 0.4 * central.n_units
    assert len(central.between(0, 900)) < 0.05 * central.n_units
    assert burst_hz(run, 900) > 8
    assert run.spikes["locus_coeruleus"].between(*MURMUR).rate_hz < 5


@pytest.mark.parametrize("seed", SEEDS)
def test_noradrenaline_raises_the_gain_and_its_block_undoes_it(seed: int) -> None:
    """The control is the same run with release blocked: everything before is the same."""
    released, blocked = story(*COOL, seed=seed), story(*COOL, BLOCKED, seed=seed)
    # The input is the same, spike for spike, so whatever differs is the modulation's doing.
    assert released.spikes["sound_nerve"] == blocked.spikes["sound_nerve"]
    assert blocked.spikes["bushy"].between(*ALARMED).rate_hz > 20  # not merely near-silent

    change = gain(released, ALARMED) / gain(blocked, ALARMED)
    assert change > 1.15
    assert change > gain(released, MURMUR) / gain(blocked, MURMUR) + 0.1  # it follows the alarm
    assert mean_factor(released, "bushy.g_L", ALARMED) < 0.85
    # Blocked: what is left is the baseline of 10 nM.
    assert mean_factor(blocked, "bushy.g_L", ALARMED) == pytest.approx(1, abs=0.002)
    assert np.ptp(blocked.factors["bushy.g_L"].values) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reasoners_budget_falls_with_the_alarm_alone(seed: int) -> None:
    released, blocked = story(*COOL, seed=seed), story(*COOL, BLOCKED, seed=seed)
    before = mean_factor(released, "reasoner.budget", (700, 900))
    assert mean_factor(released, "reasoner.budget", ALARMED) < before - 0.15
    assert mean_factor(blocked, "reasoner.budget", ALARMED) > 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_pain_alone_alarms(seed: int) -> None:
    run = story(*SILENCE, seed=seed)
    assert len(run.spikes["heat_a_delta"]) > 50 and len(run.spikes["heat_c"]) > 100
    assert run.spikes["locus_coeruleus"].between(200, 1500).rate_hz < 5
    assert run.spikes["dorsal_horn_projection"].between(*HEAT).rate_hz > 5
    assert burst_hz(run, 1600) > 8
    assert mean_factor(run, "bushy.g_L", HEAT) < 0.9
    # Hot but not noxious: below the thresholds of both kinds of fibre.
    warm = story(*SILENCE, "stimulus.heat.peak=40 degC", seed=seed)
    assert len(warm.spikes["dorsal_horn_projection"]) == 0
    assert warm.spikes["locus_coeruleus"].between(*HEAT).rate_hz < 5


@pytest.mark.parametrize("seed", SEEDS)
def test_quiet_and_cool_there_is_no_burst(seed: int) -> None:
    """Not even where noradrenaline is free to act: the tonic rate is all there is."""
    run = story(*QUIET, seed=seed)
    assert run.spikes["bushy"].between(*CRY).rate_hz > 20  # the quiet cry is heard
    windows = np.arange(200, 2300, 50)
    assert max(burst_hz(run, start) for start in windows) < 6
    assert len(run.spikes["central_amygdala"]) < 0.05 * run.spikes["central_amygdala"].n_units
    assert mean_factor(run, "bushy.g_L", ALARMED) > 0.9
