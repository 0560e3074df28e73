"""Three-factor plasticity: spike timing proposes, a neuromodulator disposes.

The third factor is a parameter that an `Effect` scales, so that it follows the concentration of
a transmitter. Without an effect it keeps its value and no weight changes.
"""

from __future__ import annotations

from neuro.model import variant
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE
from neuro.synapses.stdp import TRACES
from neuro.units import Hz, Quantity, ms, mV, nS

STDP_REWARD = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="stdp_reward",
    edges=f"""{TRACES}
        dc/dt = -c/tau_c                              : 1 (clock-driven)
        dw/dt = rate*w_max*(reward - reward_0)*c : siemens (clock-driven)
    """,
    on_pre="""
        w = clip(w, 0*w_max, w_max)
        g += w
        a_plus += A_plus
        c -= a_minus
    """,
    on_post="a_minus += A_minus; c += a_plus; w = clip(w, 0*w_max, w_max)",
    weight=nS(0.5),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "tau_plus": ms(20), "tau_minus": ms(20),
        "A_plus": Quantity(1), "A_minus": Quantity(1.5),  # in the ratio of the paper
        "tau_c": ms(1000),
        "w_max": nS(1),  # engineering choice
        "rate": Hz(0.1),  # engineering choice: 1 of eligibility moves w by w_max in 10 s
        "reward": Quantity(1), "reward_0": Quantity(1),
    },
    source="Izhikevich 2007, Cereb Cortex 17:2443",
)  # fmt: skip
"""Pairs leave an eligibility `c` for about `tau_c`; the weight moves along it while `reward`
differs from `reward_0`, and against it while `reward` is lower.

Let an effect of the dopamine receptor scale `reward` with `at_saturation: 2`: then
`reward - reward_0` is the occupancy, and `reward_0` can be raised by the tonic occupancy.
"""

STDP_GATED = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="stdp_gated",
    edges=TRACES,
    on_pre="""
        g += w
        a_plus += A_plus
        w = clip(w - (gate_minus - closed)*a_minus*w_max, 0*w_max, w_max)
    """,
    on_post="""
        a_minus += A_minus
        w = clip(w + (gate_plus - closed)*a_plus*w_max, 0*w_max, w_max)
    """,
    weight=nS(0.5),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "tau_plus": ms(20), "tau_minus": ms(20),
        "A_plus": Quantity(0.005), "A_minus": Quantity(0.005 * 1.05),  # of `stdp_additive`
        "w_max": nS(1),  # engineering choice
        "gate_plus": Quantity(1), "gate_minus": Quantity(1), "closed": Quantity(1),
    },
    source="Seol et al. 2007, Neuron 55:919; Frémaux & Gerstner 2016, Front Neural Circuits 9:85",
)  # fmt: skip
"""Pairs change the weight only while a neuromodulator opens the gate of their direction.

Potentiation and depression have receptors of their own (beta-adrenergic and muscarinic in visual
cortex): an effect with `at_saturation: 2` on `gate_plus` or `gate_minus` opens it to its occupancy.
"""
