"""Pairs of cells whose spike times are set, and the weights that plasticity leaves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Kind:
    """Synapses of one kind: the model, their start weight (or one a pair), other parameters."""

    synapse: SynapseModel
    weight: float | NDArray[np.float64]
    parameters: Mapping[str, Quantity] = field(default_factory=dict)


def pairs(
    kinds: Mapping[str, Kind],
    arrivals_ms: Sequence[NDArray[np.float64]],
    targets_ms: Sequence[NDArray[np.float64]],
    *,
    dt_ms: float = 1.0,
    delay_steps: int = 3,
) -> Network:
    """A synapse of each kind a pair; spikes arrive, and the target spikes, at the times given.

    Kinds in one network cost one compiled kernel, and do not disturb each other.

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
            *(
                Projection(
                    name, "pre", "post", kind.synapse, OneToOne(),
                    np.broadcast_to(kind.weight, n).copy(), ms(delay_steps * dt_ms),
                    parameters=kind.parameters,
                )
                for name, kind in kinds.items()
            ),
        ),
    )  # fmt: skip


def run(
    network: Network, backend: str, *, dt_ms: float = 1.0, after_ms: float = 5.0,
    every_ms: float = 0.0, record: Mapping[str, str] | None = None,
) -> Recording:  # fmt: skip
    """Simulate until `after_ms` past the last spike.

    Args:
        record: Which variable of each kind to keep; the weight of all if left out.
    """
    last = max(source.spikes.times_ms.max() for source in network.sources)
    every_ms = every_ms or dt_ms
    duration_ms = np.ceil((last + after_ms) / every_ms + 1) * every_ms
    kept = record or {p.name: "w" for p in network.projections[1:]}
    return simulate(
        network, duration_ms=float(duration_ms), dt_ms=dt_ms, backend=backend,
        record=[Record(name, variable, every_ms) for name, variable in kept.items()],
    )  # fmt: skip


def final(recording: Recording, name: str, variable: str = "w") -> NDArray[np.float64]:
    """The last recorded value of a variable, one a pair."""
    return recording.traces[f"{name}.{variable}"].data[-1]


def _spikes(times_ms: Sequence[NDArray[np.float64]], shift_ms: float) -> Spikes:
    units = np.repeat(np.arange(len(times_ms)), [len(times) for times in times_ms])
    times = np.concatenate(times_ms) + shift_ms
    return Spikes(times, units, n_units=len(times_ms), t_stop_ms=float(times.max()) + 1)
