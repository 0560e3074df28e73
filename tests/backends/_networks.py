"""Small networks that back ends are compared on; each one uses another part of the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuro import Drive, Network, NeuronModel, Population, Projection, Source, Spikes, Uniform
from neuro.models import ADEX, LIF, POISSON
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.synapses import DELTA, EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.units import LENGTH, Dimension, Hz, Quantity, ms, mV, nM, nS, pA
from neuro.wiring import Pairwise

PA_PER_M = Dimension(current=LENGTH.length, length=-LENGTH.length)

# A membrane with an explicit time dependence, an input over time, and a unit inside its text.
DRIVEN = NeuronModel(
    name="driven",
    equations="""
        dv/dt = (g_L*(E_L - v) + I + I_wave + k*x) / C : volt (unless refractory)
        I_wave = A*cos(2*pi*f*t)*(1 - exp(-t/(5*ms)))  : amp
    """,
    threshold="v > V_th",
    reset="v = V_r",
    refractory="t_ref",
    parameters={**LIF.parameters, "A": pA(100), "f": Hz(8), "k": Quantity(100, PA_PER_M)},
    inputs={"x": LENGTH},
    initial={"v": "E_L"},
)


def cuba() -> Network:
    """Current synapses, mixed delays, modulation of a leak, a weight and the reasoner."""
    cells = {"I_ext": pA(500)}, {"v": Uniform(mV(-70), mV(-50))}
    populations = (Population("e", LIF, 160, *cells), Population("i", LIF, 40, *cells))
    return Network(
        "cuba",
        populations,
        projections=tuple(
            Projection(
                f"{pre}{post}", pre, post, EXPONENTIAL_CURRENT, Pairwise(0.1),
                pA(30) if pre == "e" else pA(-300), Uniform(ms(0.5), ms(4)),
            )
            for pre in "ei" for post in "ei"
        ),
        transmitters=(Transmitter("na", "i", nM(10), ms(100), ms(5), nM(2)),),
        receptors=(Receptor("beta", "na", nM(50), 1.5), Receptor("alpha", "na", nM(20))),
        effects=(
            Effect("beta", "e", "g_L", 1.3), Effect("alpha", "e", "g_L", 0.9),
            Effect("beta", "ee", "weight", 0.5), Effect("beta", "reasoner", "budget", 0.5),
        ),
    )  # fmt: skip


def coba() -> Network:
    """Conductances of two kinds on adaptive cells."""
    base = cuba()
    return replace(
        base,
        populations=tuple(
            replace(p, model=ADEX, parameters={"I_ext": pA(900)}, initial={})
            for p in base.populations
        ),
        projections=tuple(
            replace(
                p, synapse=EXPONENTIAL_CONDUCTANCE, weight=nS(3 if p.source == "e" else 20),
                parameters={} if p.source == "e" else {"E_rev": mV(-80), "tau": ms(10)},
            )
            for p in base.projections
        ),
    )  # fmt: skip


def driven() -> Network:
    """A spike source through delta synapses, and a different drive for each cell."""
    rng = np.random.default_rng(0)
    spikes = Spikes(
        rng.permutation(2990)[:100] / 10, np.arange(100) % 50, n_units=50, t_stop_ms=300
    )
    waves = np.sin(np.arange(30.0))[:, None] * np.linspace(0.5, 1, 20)
    return Network(
        "driven",
        (Population("a", DRIVEN, 20, {"I_ext": pA(250), "g_L": np.linspace(14, 18, 20)}),),
        (Source("s", spikes),),
        (Projection("sa", "s", "a", DELTA, Pairwise(0.2), mV(1), ms(1.3)),),
        (Drive("a", "x", waves, 10.0),),
    )


def noisy(weight: float = 100.0) -> Network:
    """Poisson input: agreement is in distribution only."""
    base = cuba()
    return replace(
        base,
        populations=(*base.populations, Population("p", POISSON, 50, {"rate": Hz(40)})),
        projections=(
            *base.projections,
            Projection("pe", "p", "e", EXPONENTIAL_CURRENT, Pairwise(0.2), pA(weight), ms(1)),
        ),
    )


DETERMINISTIC = {"cuba": cuba, "coba": coba, "driven": driven}
