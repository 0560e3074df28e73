"""A loud sudden sound or pain drives the central nucleus; a soft or growing sound does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits import Circuit, Port
from circuits.limbic import amygdala
from neuro.network import Source
from neuro.recording import Recording
from neuro.units import nS
from neuro.wiring import generator
from tests.biology._stimuli import poisson_trains, run, silent, source

DURATION_MS, ONSET_MS = 700.0, 200.0
N_SOUND, N_PAIN, SPONTANEOUS_HZ = 200, 10, 5.0


def sound(rise_ms: float, loudness: float, seed: int) -> Source:
    """Bushy-like spikes: an onset that adapts, or a slow rise to the same steady rate.

    A loud onset is 280 Hz for 8 ms that falls to 100 Hz, as the bushy cells give for a cry.
    """
    times = np.arange(DURATION_MS) - ONSET_MS
    steady, peak = 95.0 * loudness, 180.0 * loudness
    onset = peak * np.exp(-np.maximum(times - 8, 0) / 15) if rise_ms < 10 else 0.0
    ramp = np.clip(times / rise_ms, 0, 1)
    rate = SPONTANEOUS_HZ + np.where(times >= 0, ramp * (steady + onset), 0.0)
    return source("sound", poisson_trains(rate, frame_ms=1, n=N_SOUND, seed=seed), DURATION_MS)


def pain(seed: int) -> Source:
    rate = np.where(np.arange(DURATION_MS) > ONSET_MS, 30.0, 0.0)
    return source("pain", poisson_trains(rate, frame_ms=1, n=N_PAIN, seed=seed), DURATION_MS)


def answer(
    heard: Source, felt: Source | None = None, *, seed: int, inhibition: bool = True
) -> Recording:
    felt = felt or silent("pain", N_PAIN, DURATION_MS)
    circuit = amygdala(Port.of(heard), Port.of(felt))
    if not inhibition:
        circuit = without_inhibition(circuit)
    return run(circuit, sources=[heard, felt], duration_ms=DURATION_MS, seed=seed)


def without_inhibition(circuit: Circuit) -> Circuit:
    circuit.projections = [
        replace(p, weight=nS(0)) if p.source == "amygdala_inhibitory" else p
        for p in circuit.projections
    ]
    return circuit


def central(recording: Recording, until_ms: float = DURATION_MS) -> float:
    """Spikes per central cell after the onset."""
    spikes = recording.spikes["central_amygdala"].between(ONSET_MS, until_ms)
    return len(spikes) / spikes.n_units


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sudden_and_loud_is_alarming_slow_or_soft_is_not(seed: int) -> None:
    sudden, slow, soft = sound(1, 1, seed), sound(200, 1, seed), sound(1, 0.4, seed)
    late = (500.0, DURATION_MS)
    assert sudden.spikes.between(*late).rate_hz == pytest.approx(100, abs=6)  # as intended
    assert slow.spikes.between(*late).rate_hz == pytest.approx(100, abs=6)  # loud all the same

    alarmed = answer(sudden, seed=seed)
    assert central(alarmed) > 0.4
    assert central(alarmed) == pytest.approx(central(alarmed, ONSET_MS + 60))  # at the onset only
    for heard in (slow, soft):
        calm = answer(heard, seed=seed)
        assert calm.spikes["amygdala_inhibitory"].rate_hz > 10  # it is heard
        assert central(calm) < 0.05


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_feed_forward_inhibition_is_what_tells_sudden_from_slow(seed: int) -> None:
    slow = sound(200, 1, seed)
    released = answer(slow, seed=seed, inhibition=False)
    assert central(released) > 1  # without it the same slow sound is alarming, and stays so
    assert central(answer(slow, seed=seed)) < 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_pain_is_alarming_without_any_sound(seed: int) -> None:
    heard, felt = silent("sound", N_SOUND, DURATION_MS), pain(seed)
    assert felt.spikes.between(ONSET_MS + 1, DURATION_MS).rate_hz == pytest.approx(30, abs=8)
    assert central(answer(heard, felt, seed=seed)) > 0.5
    assert central(answer(heard, seed=seed)) == 0


def test_first_answer_comes_at_the_shortest_latencies_of_the_lateral_amygdala() -> None:
    """Within 15 ms of the onset (Quirk, Repa & LeDoux 1995: 12 ms at the earliest)."""
    earliest = []
    for seed in (1, 2, 3):
        spikes = answer(sound(1, 1, seed), seed=seed).spikes["amygdala_excitatory"]
        earliest.append(spikes.between(ONSET_MS, DURATION_MS).times_ms[0] - ONSET_MS)
    assert all(8 < latency < 15 for latency in earliest), earliest


def test_each_local_pathway_acts_as_its_transmitter_says() -> None:
    """Cut one of the four and the same sound, seed for seed, is answered more or less.

    E->E adds spikes of excitatory cells; E->I takes some away, and I->I takes spikes from the
    inhibitory cells. I->E is `test_feed_forward_inhibition...`.
    """
    e, i = "amygdala_excitatory", "amygdala_inhibitory"

    def counts(seed: int, cut: tuple[str, str] | None) -> tuple[int, int]:
        heard, felt = sound(1, 1, seed), silent("pain", N_PAIN, DURATION_MS)
        circuit = amygdala(Port.of(heard), Port.of(felt))
        circuit.projections = [
            replace(p, weight=nS(0)) if (p.source, p.target) == cut else p
            for p in circuit.projections
        ]
        spikes = run(circuit, sources=[heard, felt], duration_ms=DURATION_MS, seed=seed).spikes
        return len(spikes[e]), len(spikes[i])

    for seed in (1, 2, 3):
        whole = counts(seed, None)
        assert min(whole) > 100
        assert counts(seed, (e, e))[0] < 0.97 * whole[0]
        assert counts(seed, (e, i))[0] > 1.01 * whole[0]
        assert counts(seed, (i, i))[1] > 1.05 * whole[1]


def test_wiring_keeps_the_probabilities_of_the_source() -> None:
    """The counts that the weights are scaled by follow from these (Vlachos et al. 2011)."""
    circuit = amygdala(Port("sound", N_SOUND), Port("pain", N_PAIN))
    n = {p.name: p.n for p in circuit.populations}
    for projection in circuit.projections:
        if not (projection.source in n and projection.target in n):
            continue
        pre, post = (
            next(p.site for p in circuit.populations if p.name == name)
            for name in (projection.source, projection.target)
        )
        edges = projection.rule.edges(pre, post, pre.name == post.name, generator(1, "wiring"))
        found = edges.source.size / (n[projection.source] * n[projection.target])
        assert found == pytest.approx(projection.rule.probability, rel=0.25)  # type: ignore[attr-defined]
