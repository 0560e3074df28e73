"""A membrane without a threshold, and one spike to it."""

from __future__ import annotations

import numpy as np

from neuro import Network, NeuronModel, Population, Projection, Source, Spikes, SynapseModel
from neuro.units import Quantity, ms, parse_quantity
from neuro.wiring import OneToOne

__all__ = ["MEMBRANE", "R", "driven"]

R = parse_quantity("100 Mohm")
MEMBRANE = NeuronModel(
    "membrane", "dv/dt = (-v + R*I)/tau_m : volt", parameters={"R": R, "tau_m": ms(10)}
)


def driven(model: NeuronModel, synapse: SynapseModel, weight: Quantity) -> Network:
    times = Spikes(np.array([5.0]), np.array([0]), n_units=1, t_stop_ms=100)
    return Network(
        "n", (Population("cell", model, 1),), (Source("s", times),),
        (Projection("p", "s", "cell", synapse, OneToOne(), weight, ms(1)),),
    )  # fmt: skip
