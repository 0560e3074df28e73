"""What a network loses on Loihi: before a run, and in a run beside one in floating point."""

from __future__ import annotations

from dataclasses import replace

from neuro.backends.lava.emulator import Emulator
from neuro.backends.lava.inputs import BLOCK, inputs_of
from neuro.backends.lava.processes import FixedNetwork
from neuro.backends.lava.quantise import quantise
from neuro.backends.lava.report import Report, with_spikes
from neuro.network import Network
from neuro.simulate import prepare, simulate
from neuro.timing import steps_of
from neuro.units import quantities

__all__ = ["losses"]


@quantities
def losses(
    network: Network,
    *,
    seed: int = 0,
    dt_ms: float = 0.1,
    duration_ms: float = 0.0,
    jitter_ms: float = 2.0,
) -> Report:
    """What of weights, time constants and potentials is lost; with a duration, of spikes as well.

    Spikes are compared with those of `numba` in double precision. What is drawn by chance during
    a run (Poisson cells, backgrounds) is drawn anew there, so then only rates say something.

    Args:
        duration_ms: Of the two runs; none are made if it is 0.
        jitter_ms: Within which two spikes count as one.

    Raises:
        BackendUnsupported, NetworkError: if Loihi cannot run it.
        SimulationError: if a run fails.
    """
    built = prepare(network, seed=seed, dt_ms=dt_ms, backend="lava")
    found = quantise(built)
    if not duration_ms:
        return found.report
    ours, reference = (
        simulate(
            network, duration_ms=duration_ms, dt_ms=dt_ms, seed=seed, backend=backend,
            options=options,
        )
        for backend, options in (("lava", {}), ("numba", {"precision": "float64"}))
    )  # fmt: skip
    emulator = Emulator(
        FixedNetwork(network.name, found.cells, found.synapses, inputs_of(built, 0))
    )
    n_steps = steps_of(duration_ms, dt_ms, "duration")
    for block in range(-(-n_steps // BLOCK)):
        emulator.feed(inputs_of(built, block))
        while emulator.step < min((block + 1) * BLOCK, n_steps):
            emulator.advance(min((block + 1) * BLOCK, n_steps))
    report = replace(found.report, cut=emulator.cut)
    return with_spikes(report, ours, reference, jitter_ms=jitter_ms)
