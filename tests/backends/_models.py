"""Small networks in which every neuron's text and every static synapse takes part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuro import (
    Network,
    NeuronModel,
    Population,
    Projection,
    Source,
    Spikes,
    SynapseModel,
    Uniform,
)
from neuro.models import (
    GIF,
    HODGKIN_HUXLEY,
    IZHIKEVICH,
    LEAKY_INTEGRATOR,
    LIF,
    PINSKY_RINZEL,
    QUADRATIC_IF,
    TRAUB_MILES,
    WANG_BUZSAKI,
    rothman_manis,
)
from neuro.network import Value
from neuro.synapses import (
    ALPHA_CONDUCTANCE,
    ALPHA_CURRENT,
    BIEXPONENTIAL_CONDUCTANCE,
    BIEXPONENTIAL_CURRENT,
    DELTA,
    EXPONENTIAL_CONDUCTANCE,
    GABA_A,
    GABA_B,
    NMDA,
)
from neuro.units import Quantity, ms, mV, nS, pA
from neuro.wiring import OneToOne, Pairwise
from tests.backends._networks import driven

# A point process without chance: far below threshold it never fires, above it always does.
STEEP = replace(GIF, name="steep", parameters={**GIF.parameters, "Delta_V": mV(1e-6)})


def currents(low: float, high: float, n: int) -> dict[str, Value]:
    """A different constant current, in pA, for each cell."""
    return {"I_ext": np.linspace(low, high, n)}


def volley(n: int, times: int, stop_ms: float) -> Spikes:
    """The same irregular spikes on every run, `times` for each unit."""
    steps = np.random.default_rng(4).permutation(int(stop_ms * 10) - 20)[: n * times] / 10
    return Spikes(np.sort(steps), np.arange(n * times) % n, n_units=n, t_stop_ms=stop_ms)


def _projection(pre: str, post: str, synapse: SynapseModel, weight: Quantity) -> Projection:
    return Projection(
        f"{pre}-{post}-{synapse.name}", pre, post, synapse, Pairwise(0.2), weight,
        Uniform(ms(0.3), ms(3)),
    )  # fmt: skip


def points() -> Network:
    """Integrate-and-fire models of all kinds, which drive each other."""
    n = 12
    cells = (
        Population("izhikevich", IZHIKEVICH, n, currents(600, 1500, n)),
        Population("quadratic", QUADRATIC_IF, n, currents(150, 500, n)),
        Population("steep", STEEP, n, currents(150, 400, n)),
    )
    return Network(
        "points",
        cells,
        projections=(
            _projection("izhikevich", "quadratic", ALPHA_CONDUCTANCE, nS(2)),
            _projection("quadratic", "steep", BIEXPONENTIAL_CURRENT, pA(20)),
            _projection("steep", "izhikevich", EXPONENTIAL_CONDUCTANCE, nS(1)),
        ),
    )


def receptors() -> Network:
    """Every static synapse, all on one kind of cell at once."""
    n = 16
    lif = replace(LIF, method="exponential_euler")
    readout = replace(LEAKY_INTEGRATOR, method="exponential_euler")
    ways = (
        (ALPHA_CURRENT, pA(80)), (ALPHA_CONDUCTANCE, nS(3)), (BIEXPONENTIAL_CURRENT, pA(200)),
        (BIEXPONENTIAL_CONDUCTANCE, nS(6)), (NMDA, nS(3)), (GABA_A, nS(3)),
        (GABA_B, Quantity(0.3)), (DELTA, mV(0.5)),
    )  # fmt: skip
    return Network(
        "receptors",
        (
            Population("a", lif, n, currents(300, 420, n)),
            Population("b", lif, n, currents(300, 420, n)),
            Population("readout", readout, n),
        ),
        (Source("s", volley(n, 8, 100)),),
        (
            *(_projection("s", "a", synapse, weight) for synapse, weight in ways),
            *(_projection("a", "b", synapse, weight) for synapse, weight in ways),
            Projection("out", "b", "readout", NMDA, OneToOne(), nS(1), ms(1.5)),
        ),
    )


def membranes() -> Network:
    """Hodgkin-Huxley-like cells, some with a receptor that depends on their voltage."""
    n = 6

    def cells(model: NeuronModel, low: float, high: float) -> Population:
        return Population(model.name, model, n, currents(low, high, n))

    return Network(
        "membranes",
        (
            cells(HODGKIN_HUXLEY, 700, 2000), cells(WANG_BUZSAKI, 100, 300),
            cells(TRAUB_MILES, 200, 900), cells(PINSKY_RINZEL, 150, 300),
        ),
        (Source("s", volley(n, 10, 100)),),
        (
            _projection("s", "hodgkin_huxley", NMDA, nS(2)),
            _projection("s", "wang_buzsaki", NMDA, nS(2)),
            _projection("wang_buzsaki", "traub_miles", GABA_A, nS(5)),
            _projection("traub_miles", "wang_buzsaki", BIEXPONENTIAL_CONDUCTANCE, nS(3)),
        ),
    )  # fmt: skip


def cochlear_nucleus() -> Network:
    """Cells of Rothman and Manis, driven by fast inputs: the three texts of its six types."""
    populations = tuple(Population(kind, rothman_manis(kind), 4) for kind in ("i_c", "i_t", "ii"))
    return Network(
        "cochlear_nucleus",
        populations,
        (Source("s", volley(40, 10, 100)),),
        tuple(_projection("s", p.name, EXPONENTIAL_CONDUCTANCE, nS(60)) for p in populations),
    )


def driven_in_stages() -> Network:
    """An input over time and a dependence on time, seen at the stages of a Runge-Kutta step."""
    base = driven()
    cells = tuple(replace(p, model=replace(p.model, method="rk4")) for p in base.populations)
    return replace(base, name="driven_in_stages", populations=cells)


MODELLED = {
    "points": points, "receptors": receptors, "membranes": membranes,
    "cochlear_nucleus": cochlear_nucleus, "driven_in_stages": driven_in_stages,
}  # fmt: skip
