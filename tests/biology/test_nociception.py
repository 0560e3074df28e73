"""First and second pain in the dorsal horn."""

from __future__ import annotations

import numpy as np
import pytest

from circuits import Port, assemble
from circuits.nociception import dorsal_horn
from neuro import simulate
from neuro.network import Record, Source
from neuro.spikes import Spikes
from neuro.units import Quantity, nS
from neuro.wiring import generator
from tests.biology._stimuli import run, silent, source

DURATION_MS, DISTANCE_M = 3500.0, 1.0
FIRST, SECOND = (0.0, 600.0), (900.0, 3000.0)  # windows for 1 m: 77 ms and 1.25 s


def fibres(seed: int) -> tuple[Source, Source]:
    """What a heat pulse of half a second makes of 20 Aδ and 80 C fibres, 1 m away.

    13 and 0.8 m/s; Aδ fire at up to 30-60 Hz, C at up to 20 Hz.
    """
    rng = generator(seed, "heat")

    def trains(n: int, velocity: float, spread: float, rate_hz: float) -> list[np.ndarray]:
        delays = 1000 * DISTANCE_M / (velocity * np.exp(rng.normal(0, spread, n)))
        return [d + np.sort(rng.uniform(0, 500, rng.poisson(rate_hz / 2))) for d in delays]

    return (
        source("a_delta", trains(20, 13.0, 0.3, 35.0), DURATION_MS),
        source("c", trains(80, 0.8, 0.2, 12.0), DURATION_MS),
    )


def pain(a_delta: Source, c: Source, seed: int, **settings: Quantity) -> Spikes:
    circuit = dorsal_horn(Port.of(a_delta), Port.of(c), **settings)  # type: ignore[arg-type]
    result = run(circuit, sources=[a_delta, c], duration_ms=DURATION_MS, seed=seed)
    return result.spikes["dorsal_horn_projection"]


def rate(spikes: Spikes, window: tuple[float, float]) -> float:
    return spikes.between(*window).rate_hz


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_kinds_of_fibre_give_two_pains(seed: int) -> None:
    a_delta, c = fibres(seed)
    no_a, no_c = silent("a_delta", 20, DURATION_MS), silent("c", 80, DURATION_MS)
    both, slow, fast = pain(a_delta, c, seed), pain(no_a, c, seed), pain(a_delta, no_c, seed)

    arrivals = [np.median(s.spikes.times_ms) for s in (a_delta, c)]
    assert arrivals[0] < FIRST[1] and SECOND[0] < arrivals[1] < SECOND[1]  # input as intended
    assert rate(both, FIRST) > 5 and rate(both, SECOND) > 5  # both responses are there
    assert both.between(FIRST[1] + 100, SECOND[0]).rate_hz < 1  # and apart from one another
    assert rate(slow, FIRST) == 0 and rate(slow, SECOND) > 5  # Aδ blocked: no first pain
    assert rate(fast, FIRST) > 5 and rate(fast, SECOND) == 0  # C blocked: no second pain


@pytest.mark.parametrize("seed", [1, 2])
def test_substance_p_makes_second_pain_outlast_its_fibres(seed: int) -> None:
    a_delta, c = fibres(seed)
    last = np.quantile(c.spikes.times_ms, 0.95)
    after = (last, min(last + 500, DURATION_MS))
    lasting = rate(pain(a_delta, c, seed), after)
    assert lasting > 3
    assert rate(pain(a_delta, c, seed, nk1_weight=nS(0)), after) < 0.4 * lasting


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_local_inhibition_curbs_both_pains(seed: int) -> None:
    """The same fibres, with the GABA cells cut off from the projection cells: more of each pain.

    Disinhibition is what the model of Medlock et al. 2022 was validated by.
    """
    a_delta, c = fibres(seed)
    circuit = dorsal_horn(Port.of(a_delta), Port.of(c))
    uncut = list(circuit.projections)
    cut = [p for p in uncut if p.source != "dorsal_horn_inhibitory"]
    assert len(cut) == len(uncut) - 1
    found = {}
    for name, projections in (("whole", uncut), ("cut", cut)):
        circuit.projections = projections
        result = run(circuit, sources=[a_delta, c], duration_ms=DURATION_MS, seed=seed)
        assert result.spikes["dorsal_horn_inhibitory"].rate_hz > 5
        found[name] = [rate(result.spikes["dorsal_horn_projection"], w) for w in (FIRST, SECOND)]
    (first, second), (free_first, free_second) = found["whole"], found["cut"]
    assert first < 0.75 * free_first
    assert second < 0.95 * free_second


def test_substance_p_fades_within_seconds() -> None:
    """One C spike on every fibre: what NK1 leaves decays with 1 s (Medlock et al. 2022).

    The conductance is a thousandth of the leak, so the membrane follows it in proportion; AMPA
    and the membrane (25 ms) are long gone after 400 ms. Without NK1 nothing is left.
    """
    c = source("c", [np.array([50.0])] * 80, 3000.0)
    depolarised = {}
    for weight in (0.0, 1e-4):
        circuit = dorsal_horn(
            Port.of(silent("a_delta", 20, 3000.0)),
            Port.of(c),
            c_weight=nS(0),
            nk1_weight=nS(weight),
        )
        network = assemble("one", [circuit], sources=[silent("a_delta", 20, 3000.0), c])
        trace = simulate(
            network, duration_ms=3000.0, record=[Record("dorsal_horn_projection", "v", 10.0)],
            options={"precision": "float64"},
        ).traces["dorsal_horn_projection.v"]  # fmt: skip
        late = trace.times_ms >= 450
        depolarised[weight] = trace.times_ms[late], trace.data[late].mean(axis=1) + 65
    times, moved = depolarised[1e-4]
    assert moved[0] > 1e-3 and np.abs(depolarised[0.0][1]).max() < 1e-9
    tau_ms = -1 / np.polyfit(times, np.log(moved), 1)[0]
    assert tau_ms == pytest.approx(1000, rel=0.02)


def test_no_heat_no_pain_and_a_single_fibre_is_not_pain() -> None:
    nothing = pain(silent("a_delta", 20, DURATION_MS), silent("c", 80, DURATION_MS), 1)
    assert len(nothing) == 0
    one = [np.arange(100.0, 3000.0, 100.0)] + [np.zeros(0)] * 79
    single = pain(silent("a_delta", 20, DURATION_MS), source("c", one, DURATION_MS), 1)
    assert len(single) == 0
