"""Inputs of known timing, and the shortest way from a circuit to its spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ive

from circuits import Circuit, assemble
from neuro import simulate
from neuro.network import Source
from neuro.recording import Recording
from neuro.spikes import Spikes
from neuro.wiring import generator

DT_MS = 0.1


def source(
    name: str, trains: list[NDArray[np.float64]], duration_ms: float, **cf: object
) -> Source:
    """A source of one train a unit, on the grid of the run, one spike a step at most."""
    steps = [np.unique(np.round(train / DT_MS).astype(int)) for train in trains]
    steps = [step[(step >= 0) & (step < round(duration_ms / DT_MS))] for step in steps]
    units = np.repeat(np.arange(len(steps)), [step.size for step in steps])
    times = np.concatenate(steps) * DT_MS if steps else []
    spikes = Spikes(times, units, n_units=len(steps), t_stop_ms=duration_ms)
    return Source(name, spikes, cf)  # type: ignore[arg-type]


def silent(name: str, n: int, duration_ms: float) -> Source:
    """A source that never spikes."""
    return source(name, [np.zeros(0)] * n, duration_ms)


def locked_trains(
    tone_hz: float, *, strength: float, rate_hz: float, n: int, duration_ms: float, seed: int,
    refractory_ms: float = 0.75,
) -> list[NDArray[np.float64]]:  # fmt: skip
    """Spike trains whose phases follow a von Mises law of vector strength `strength`."""
    rng = generator(seed, "locked trains")
    kappa = brentq(lambda k: ive(1, k) / ive(0, k) - strength, 1e-6, 1e3)
    n_cycles, period_ms = int(duration_ms * tone_hz / 1000), 1000 / tone_hz
    trains = []
    for _ in range(n):
        chosen = rng.integers(0, n_cycles, rng.poisson(rate_hz * duration_ms / 1000))
        phase = rng.vonmises(0, kappa, chosen.size) / (2 * np.pi)
        times = np.sort((chosen + 0.5 + phase) * period_ms)
        kept: list[float] = []
        for time in times:
            if not kept or time - kept[-1] > refractory_ms:
                kept.append(time)
        trains.append(np.array(kept))
    return trains


def poisson_trains(
    rate_hz: NDArray[np.float64], *, frame_ms: float, n: int, seed: int
) -> list[NDArray[np.float64]]:
    """Spike trains of one common rate, given in frames."""
    rng = generator(seed, "poisson trains")
    trains = []
    for _ in range(n):
        counts = rng.poisson(rate_hz * frame_ms / 1000)
        frame = np.repeat(np.arange(rate_hz.size), counts)
        trains.append(np.sort((frame + rng.random(frame.size)) * frame_ms))
    return trains


def run(
    *circuits: Circuit,
    sources: list[Source],
    duration_ms: float,
    seed: int = 0,
    dt_ms: float = DT_MS,
) -> Recording:
    """The circuits, joined with their sources and simulated."""
    network = assemble("test", circuits, sources=sources)
    return simulate(network, duration_ms=duration_ms, dt_ms=dt_ms, seed=seed)
