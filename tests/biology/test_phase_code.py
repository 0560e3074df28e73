"""A drive sets the phase of the first spike in each theta cycle."""

from __future__ import annotations

import numpy as np
import pytest

from circuits.oscillation import phase_code
from neuro.errors import NetworkError
from neuro.measures import circular_mean, vector_strength
from neuro.units import Hz, mV, pA
from tests.biology._stimuli import run

# The weakest drives keep their cells within 1e-3 mV of threshold, closer than single precision
# can hold a voltage of -65 mV.
pytestmark = pytest.mark.usefixtures("exact")

DURATION_MS, SKIP_MS = 3000.0, 400.0


def first_phases(
    frequency_hz: float, **settings: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drive (0..1 over the range), phase of the first spike per cycle (deg) and rate (Hz).

    Cycles run from trough to trough; phase 0 is the peak of the oscillation.
    """
    circuit = phase_code(frequency=Hz(frequency_hz), **settings)  # type: ignore[arg-type]
    spikes = run(circuit, sources=[], duration_ms=DURATION_MS).spikes["phase"]
    drive = circuit.populations[0].coordinates["drive_pA"]
    cycles = spikes.times_ms * frequency_hz / 1000 + 0.5
    phase = np.full(spikes.n_units, np.nan)
    for unit in range(spikes.n_units):
        mine = cycles[(spikes.units == unit) & (spikes.times_ms > SKIP_MS)]
        whole = mine[np.floor(mine) > np.floor(SKIP_MS * frequency_hz / 1000 + 0.5)]
        _, first = np.unique(np.floor(whole), return_index=True)
        if first.size:
            phase[unit] = np.degrees(circular_mean(2 * np.pi * (whole[first] - 0.5)))
    late = spikes.between(SKIP_MS, DURATION_MS)
    return (
        (drive - drive[0]) / (drive[-1] - drive[0]),
        phase,
        late.counts() / late.duration_ms * 1e3,
    )


def line(drive: np.ndarray, phase: np.ndarray) -> tuple[float, float]:
    """Slope in degrees over the whole range of drives, and R²."""
    fires = np.isfinite(phase)
    slope, start = np.polyfit(drive[fires], phase[fires], 1)
    residual = phase[fires] - (start + slope * drive[fires])
    return float(slope), float(1 - residual.var() / phase[fires].var())


def test_theta_turns_drive_into_phase_and_gamma_does_not() -> None:
    """5 Hz spans about 180° near-linearly, 40 Hz is flat (McLelland & Paulsen 2009)."""
    drive, theta, theta_rate = first_phases(5)
    _, gamma, gamma_rate = first_phases(40)
    for rate in (theta_rate, gamma_rate):  # both fire, at physiological rates
        assert (rate > 2).all()
        assert 10 < np.median(rate) < 50

    slope, r2 = line(drive, theta)
    assert -200 < slope < -130  # advances from the peak towards the trough
    assert r2 > 0.95
    fast_slope, fast_r2 = line(drive, gamma)
    assert abs(fast_slope) < 60
    assert fast_r2 < 0.5


def test_without_the_oscillation_spikes_have_no_phase() -> None:
    """The reference makes the code: at swing 0 the same cells, driven alike, keep no phase."""
    strength = {}
    for swing in (mV(4), mV(0)):
        spikes = run(phase_code(swing=swing), sources=[], duration_ms=DURATION_MS).spikes["phase"]
        late = spikes.between(SKIP_MS, DURATION_MS)
        busy = np.flatnonzero(late.counts() >= 15)
        assert busy.size >= 20  # the stronger drives do fire
        strength[swing] = np.median([vector_strength(late.of(unit), 5.0) for unit in busy])
    assert strength[mV(4)] > 0.6
    assert strength[mV(0)] < 0.25


@pytest.mark.parametrize("frequency_hz", [4.0, 5.0, 8.0])
def test_stronger_drive_fires_earlier_at_every_theta_frequency(frequency_hz: float) -> None:
    _, phase, rate = first_phases(frequency_hz)
    assert (rate > 1).all()  # the weakest once in two cycles
    smooth = np.convolve(phase, np.ones(9) / 9, mode="valid")
    assert (np.diff(smooth) < 0).mean() > 0.9
    assert phase[0] - phase[-1] > 110


def test_drives_run_from_weak_to_strong() -> None:
    words = "weakest <= strongest, found weakest 300 pA and strongest 200 pA"
    with pytest.raises(NetworkError, match=words):
        phase_code(weakest=pA(300), strongest=pA(200))
    alike = phase_code(n_cells=3, weakest=pA(250), strongest=pA(250)).populations[0]
    assert alike.coordinates["drive_pA"] == pytest.approx([250, 250, 250])
