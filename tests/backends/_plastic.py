"""Small networks whose synapses have states of their own, static ones beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuro import Network, Population, Projection, Record, Source, Spikes, Uniform
from neuro.model import SynapseModel
from neuro.models import ADEX, LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.synapses import (
    DEPRESSING_CURRENT,
    EXPONENTIAL_CURRENT,
    FACILITATING_CONDUCTANCE,
    GAP_JUNCTION,
    INHIBITORY_PLASTICITY,
    STDP_ADDITIVE,
    STDP_MULTIPLICATIVE,
    STDP_REWARD,
    STDP_TRIPLET,
    SYNAPTIC_SCALING,
)  # fmt: skip
from neuro.units import Quantity, ms, mV, nM, nS, pA
from neuro.wiring import Listed, Pairwise

# Every kind of statement in one synapse: a subexpression that reads the weight, a clock-driven
# variable that reads both cells and their subexpressions, a saturating variable of the target, and
# a target spike that changes both the edge and the target. Arrivals at one cell in one step
# commute, since back ends may take them in any order.
ODD = SynapseModel(
    name="odd",
    equations="""
        ds/dt = -s/tau         : 1
        I_syn = g_max*s*(E_rev - v) : amp
    """,
    current="I_syn",
    on_pre="s += k*(1 - s); use = 0.5*use + 1; v_post += 0.1*mV*use*z",
    edges="""
        k = w/(1 + use)                                                     : 1
        apart = tanh((v_pre - v_post)/(10*mV)) + I_pre/nA - I_post/nA       : 1
        dz/dt = (apart*k - z)/tau_z                                         : 1 (clock-driven)
        use                                                                 : 1
    """,
    on_post="z *= 0.9; use -= 0.1; s = 0.99*s",
    weight=Quantity(0.4),
    parameters={"tau": ms(8), "tau_z": ms(30), "E_rev": mV(0), "g_max": nS(3)},
    initial={"use": Quantity(0.5)},
)


def _spikes(n_units: int, every_ms: float, stop_ms: float) -> Spikes:
    """Each unit regularly, at an interval and phase of its own."""
    rng = np.random.default_rng(9)
    trains = [
        np.arange(rng.integers(1, 100), stop_ms * 10, round(every_ms * 10) + unit) / 10
        for unit in range(n_units)
    ]
    units = np.repeat(np.arange(n_units), [len(train) for train in trains])
    return Spikes(np.concatenate(trains), units, n_units=n_units, t_stop_ms=stop_ms)


def learning() -> Network:
    """Plastic, static and electrical synapses, with mixed delays, all modulated."""
    start = {"v": Uniform(mV(-70), mV(-50))}
    delays = Uniform(ms(0.5), ms(4))
    among = np.arange(10)
    ring = Listed(
        np.concatenate([among, (among + 1) % 10]), np.concatenate([(among + 1) % 10, among])
    )
    return Network(
        "learning",
        (
            Population("e", LIF, 40, {"I_ext": pA(420)}, start),
            Population("i", LIF, 10, {"I_ext": pA(300)}, start),
        ),
        (Source("s", _spikes(25, 20.0, 300)),),
        (
            Projection(
                "ee", "e", "e", STDP_ADDITIVE, Pairwise(0.2), Uniform(nS(0), nS(0.4)), delays,
                {"w_max": nS(0.4)},
            ),
            Projection("reward", "e", "e", STDP_REWARD, Pairwise(0.1), nS(0.3), delays),
            Projection("ei", "e", "i", EXPONENTIAL_CURRENT, Pairwise(0.3), pA(40), delays),
            Projection("ie", "i", "e", INHIBITORY_PLASTICITY, Pairwise(0.5), nS(0.3), delays),
            Projection("ii", "i", "i", GAP_JUNCTION, ring, nS(0.4), ms(1)),
            Projection("gaps", "i", "i", GAP_JUNCTION, Pairwise(0.2), nS(0.1), ms(1)),
            Projection("se", "s", "e", DEPRESSING_CURRENT, Pairwise(0.3), pA(80), delays),
            Projection("si", "s", "i", STDP_TRIPLET, Pairwise(0.3), nS(0.5), delays),
        ),
        transmitters=(Transmitter("da", "i", nM(20), ms(80), ms(5), nM(2)),),
        receptors=(Receptor("d1", "da", nM(40), 1.5), Receptor("d2", "da", nM(20))),
        effects=(
            Effect("d1", "reward", "reward", 2.0), Effect("d2", "ee", "weight", 0.7),
            Effect("d1", "ee", "tau_plus", 1.5), Effect("d2", "se", "tau", 0.6),
            Effect("d1", "ii", "weight", 2.0), Effect("d2", "si", "weight", 1.3),
            Effect("d2", "e", "g_L", 0.9), Effect("d1", "reasoner", "budget", 0.5),
        ),
    )  # fmt: skip


def odd() -> Network:
    """Rarer features: state-dependent `on_pre`, clock-driven edges, two ports of one kind."""
    base = learning()
    # Cut early: in the upswing beyond, a rounding grows to a microvolt, which edges would read.
    cell = {"I_ext": pA(900), "V_cut": mV(-45)}
    delays = Uniform(ms(0.5), ms(4))
    return replace(
        base,
        name="odd",
        populations=tuple(
            replace(p, model=ADEX, parameters=cell, initial={})
            for p in base.populations
        ),
        projections=(
            Projection("ee", "e", "e", ODD, Pairwise(0.2), Uniform(Quantity(0.1), Quantity(0.5)),
                       Uniform(ms(0.5), ms(3))),
            Projection("ie", "i", "e", ODD, Pairwise(0.3), Quantity(0.3), ms(1),
                       {"E_rev": mV(-80), "tau": ms(12)}),
            Projection("ei", "e", "i", STDP_MULTIPLICATIVE, Pairwise(0.3), nS(2), ms(2)),
            Projection("ii", "i", "i", EXPONENTIAL_CURRENT, Pairwise(0.4), pA(-50), delays),
            Projection("si", "s", "i", FACILITATING_CONDUCTANCE, Pairwise(0.5), nS(8), ms(1.5)),
            Projection("scaled", "s", "e", SYNAPTIC_SCALING, Pairwise(0.3), nS(2), ms(2.5),
                       {"tau_activity": ms(200), "beta": Quantity(0.02)}),
        ),
        effects=(
            Effect("d1", "ee", "weight", 0.6), Effect("d2", "ee", "tau_z", 2.0),
            Effect("d1", "ee", "tau", 1.4), Effect("d2", "si", "weight", 0.8),
            Effect("d1", "reasoner", "budget", 0.5),
        ),
    )  # fmt: skip


PLASTIC = {"learning": learning, "odd": odd}
RECORDS = {
    "learning": [
        Record("e", "v", 0.5, (0, 1, 7)), Record("i", "v", 0.5), Record("ee", "w", 1.0),
        Record("ee", "a_plus", 5.0, (3, 4)), Record("reward", "w", 1.0), Record("reward", "c", 1.0),
        Record("ie", "w", 1.0), Record("se", "x", 1.0), Record("se", "u", 1.0),
        Record("si", "w", 1.0), Record("si", "r_2", 1.0),
    ],
    "odd": [
        Record("e", "v", 0.5, (0, 1, 7)), Record("i", "v", 0.5, (0, 3)), Record("ee", "z", 1.0),
        Record("ie", "use", 1.0), Record("ei", "w", 1.0),
        Record("si", "u", 1.0), Record("scaled", "activity", 1.0), Record("scaled", "w", 1.0),
    ],
}  # fmt: skip
