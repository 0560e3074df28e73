"""Pairs of cells whose spike times are set, and the weights that plasticity leaves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neuro import (
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Recording,
    Source,
    Spikes,
    simulate,
)  # fmt: skip
from neuro.model import SynapseModel
from neuro.synapses import DELTA
from neuro.units import CURRENT, VOLTAGE, Dimension, Quantity, ms, mV
from neuro.wiring import OneToOne

_OHM = Dimension(*(v - i for v, i in zip(VOLTAGE, CURRENT, strict=True)))

# Fires once, a step after each spike of its trigger, and hears no current (R is 0).
RELAY = NeuronModel(
    name="relay",
    equations="dv/dt = (R*I - v)/tau_m : volt",
    threshold="v > V_th",
    reset="v = 0*V_th",
    parameters={"tau_m": ms(1000), "V_th": mV(50), "R": Quantity(0, _OHM)},
)


def pairs(
    synapse: SynapseModel,
    arrivals_ms: Sequence[NDArray[np.float64]],
    targets_ms: Sequence[NDArray[np.float64]],
    *,
    weight: float,
    parameters: Mapping[str, Quantity] | None = None,
    dt_ms: float = 1.0,
    delay_steps: int = 3,
    name: str = "p",
) -> Network:
    """One synapse a pair; its spikes arrive, and its target spikes, at the times given.

    A trigger's spike arrives a step later, after the threshold was looked at, and makes the relay
    cross it in the step after that: 2 steps. A spike of the source is `delay_steps` under way.
    """
    n = len(arrivals_ms)
    source = _spikes(arrivals_ms, -delay_steps * dt_ms)
    trigger = _spikes(targets_ms, -2 * dt_ms)
    return Network(
        "pairs",
        populations=(Population("post", RELAY, n),),
        sources=(Source("pre", source), Source("trigger", trigger)),
        projections=(
            Projection("fire", "trigger", "post", DELTA, OneToOne(), mV(100), ms(dt_ms)),
            Projection(
                name, "pre", "post", synapse, OneToOne(),
                Quantity(weight, synapse.weight.dimension), ms(delay_steps * dt_ms),
                parameters=parameters or {},
            ),
        ),
    )  # fmt: skip


def run(
    network: Network, backend: str, *, dt_ms: float = 1.0, after_ms: float = 5.0,
    variables: Sequence[str] = ("w",), every_ms: float = 0.0, name: str = "p",
) -> Recording:  # fmt: skip
    """Simulate until `after_ms` past the last spike, keeping variables of the synapses."""
    last = max(source.spikes.times_ms.max() for source in network.sources)
    every_ms = every_ms or dt_ms
    duration_ms = np.ceil((last + after_ms) / every_ms + 1) * every_ms
    return simulate(
        network, duration_ms=float(duration_ms), dt_ms=dt_ms, backend=backend,
        record=[Record(name, variable, every_ms) for variable in variables],
    )  # fmt: skip


def final(recording: Recording, variable: str = "w", name: str = "p") -> NDArray[np.float64]:
    """The last recorded value of a variable of each synapse."""
    return recording.traces[f"{name}.{variable}"].data[-1]


def _spikes(times_ms: Sequence[NDArray[np.float64]], shift_ms: float) -> Spikes:
    units = np.repeat(np.arange(len(times_ms)), [len(times) for times in times_ms])
    times = np.concatenate(times_ms) + shift_ms
    return Spikes(times, units, n_units=len(times_ms), t_stop_ms=float(times.max()) + 1)
