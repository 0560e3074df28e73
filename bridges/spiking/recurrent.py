"""A spiking network that answers: input, recurrent adapting cells, one leaky readout a class."""

from __future__ import annotations

import math

from neuro.errors import ConfigError
from neuro.model import NeuronModel
from neuro.models import LEAKY_INTEGRATOR
from neuro.network import Network, Population, Projection, Source, Uniform
from neuro.spikes import Spikes
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, mV, nS, pA, pF, quantities
from neuro.wiring import AllToAll, generator

__all__ = ["ADAPTIVE_LIF", "TRAINABLE", "recurrent_network"]

ADAPTIVE_LIF = NeuronModel(
    name="adaptive_lif",
    equations="""
        dv/dt = (g_L*(E_L - v) - w + I) / C : volt
        dw/dt = (a*(v - E_L) - w) / tau_w   : amp
    """,
    threshold="v > V_th",
    reset="v -= V_th - E_L; w += b",
    parameters={
        "C": pF(250), "g_L": nS(16.7), "E_L": mV(-70), "V_th": mV(-50), "tau_w": ms(100),
        "a": nS(0), "b": pA(20),
    },
    initial={"v": "E_L"},
    # Each variable decays exactly and sees the others as they were at the start of the step; the
    # exact solution would divide by differences of time constants, which training may close.
    method="exponential_euler",
    source="adLIF of Bittar & Garner 2022, Front Neurosci 16:865897; C, g_L, E_L and V_th of LIF",
)  # fmt: skip

TRAINABLE = (
    "heard.weight", "recurrent.weight", "answered.weight", "hidden.g_L", "hidden.tau_w",
    "hidden.a", "hidden.b",
)  # fmt: skip
"""What learns unless told otherwise: all weights, and each hidden cell's own dynamics."""


@quantities
def recurrent_network(
    n_inputs: int,
    n_classes: int,
    *,
    n_hidden: int = 128,
    dt_ms: float = 2.0,
    drive: float = 1.0,
    seed: int = 0,
) -> Network:
    """An untrained network, its weights and time constants drawn at random.

        input --heard--> hidden --answered--> readout
                          ^   |
                          +---+ recurrent

    Hidden cells are `ADAPTIVE_LIF` with membranes of 10 to 60 ms and adaptations of 60 to 300 ms,
    a different pair in each (heterogeneous time constants: Perez-Nieves et al. 2021, Nat Commun
    12:5791; the ranges are engineering choices). A readout integrates over 60 ms and never spikes.
    All delays are one step.

    Args:
        drive: How strong the weights are; at 1 some tens of spikes a second come out for some
            hundred in (engineering choice).

    Raises:
        ConfigError: if a layer is empty.
    """
    for what, n in (("inputs", n_inputs), ("classes", n_classes), ("hidden cells", n_hidden)):
        if n < 1:
            raise ConfigError(f"a network needs one or more {what}, found {n}")
    rng = generator(seed, "recurrent network")
    capacity = ADAPTIVE_LIF.parameters["C"]
    hidden = Population(
        "hidden", ADAPTIVE_LIF, n_hidden,
        parameters={
            "g_L": capacity / ms(rng.uniform(10.0, 60.0, n_hidden)),
            "tau_w": Uniform(ms(60), ms(300)),
            "a": Uniform(nS(0), nS(4)),
            "b": Uniform(pA(0), pA(40)),
        },
    )  # fmt: skip
    readout = Population("readout", LEAKY_INTEGRATOR, n_classes, parameters={"g_L": nS(250 / 60)})
    ear = Source("input", Spikes([], [], n_units=n_inputs, t_stop_ms=dt_ms))

    def joined(name: str, source: Source | Population, target: Population, sd: float) -> Projection:
        weights = rng.normal(0.0, drive * sd / math.sqrt(source.n), source.n * target.n)
        return Projection(
            name, source.name, target.name, EXPONENTIAL_CURRENT, AllToAll(autapses=True),
            pA(weights), ms(dt_ms),
        )  # fmt: skip

    return Network(
        "recurrent",
        (hidden, readout),
        (ear,),
        (
            joined("heard", ear, hidden, 600.0),
            joined("recurrent", hidden, hidden, 300.0),
            joined("answered", hidden, readout, 30.0),
        ),
    )
