"""Pair-based spike-timing-dependent plasticity, additive and multiplicative.

Each spike leaves a trace, `a_plus` of the source's and `a_minus` of the target's. A target spike
raises the weight by the source's trace, an arriving spike lowers it by the target's: all pairs
count. The source's spike counts when it arrives, so the delay is axonal.
"""

from __future__ import annotations

from neuro.model import variant
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE
from neuro.units import Quantity, ms, mV, nS

TRACES = """
    da_plus/dt  = -a_plus/tau_plus   : 1 (event-driven)
    da_minus/dt = -a_minus/tau_minus : 1 (event-driven)
"""

STDP_ADDITIVE = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="stdp_additive",
    edges=TRACES,
    on_pre="g += w; a_plus += A_plus; w = clip(w - a_minus*w_max, 0*w_max, w_max)",
    on_post="a_minus += A_minus; w = clip(w + a_plus*w_max, 0*w_max, w_max)",
    weight=nS(0.15),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "w_max": nS(0.15),  # 0.015 of the leak, for a leak of 10 nS
        "tau_plus": ms(20), "tau_minus": ms(20),
        "A_plus": Quantity(0.005), "A_minus": Quantity(0.005 * 1.05),
    },
    source="Song, Miller & Abbott 2000, Nat Neurosci 3:919",
)  # fmt: skip
"""Steps are fractions of `w_max`, whatever the weight: weights gather at 0 and at `w_max`."""

STDP_MULTIPLICATIVE = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="stdp_multiplicative",
    edges=TRACES,
    # Depression by more than the whole weight leaves none.
    on_pre="g += w; a_plus += 1; w *= clip(1 - c_d*a_minus, 0, 1)",
    on_post="a_minus += 1; w += c_p*a_plus",
    weight=nS(0.2),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "tau_plus": ms(20), "tau_minus": ms(20),
        "c_p": nS(0.001), "c_d": Quantity(0.003),
    },
    source="van Rossum, Bi & Turrigiano 2000, J Neurosci 20:8812",
)  # fmt: skip
"""Strong synapses are weakened by more: weights gather around `c_p/c_d`, with no bound.

The paper's random spread of each step is left out.
"""
