"""Triplet rule: what a pair of spikes does depends on the spike before, so on the rate.

`r_1` and `r_2` follow the source's spikes, `o_1` and `o_2` the target's, the second of each more
slowly. A spike reads the slow trace of its own cell as it was just before. All spikes count.
"""

from __future__ import annotations

from neuro.model import variant
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE
from neuro.units import Quantity, ms, mV, nS

STDP_TRIPLET = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="stdp_triplet",
    edges="""
        dr_1/dt = -r_1/tau_plus  : 1 (event-driven)
        dr_2/dt = -r_2/tau_x     : 1 (event-driven)
        do_1/dt = -o_1/tau_minus : 1 (event-driven)
        do_2/dt = -o_2/tau_y     : 1 (event-driven)
    """,
    on_pre="""
        g += w
        w = clip(w - w_0*o_1*(A2_minus + A3_minus*r_2), 0*w_max, w_max)
        r_1 += 1
        r_2 += 1
    """,
    on_post="""
        w = clip(w + w_0*r_1*(A2_plus + A3_plus*o_2), 0*w_max, w_max)
        o_1 += 1
        o_2 += 1
    """,
    weight=nS(1),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "w_0": nS(1),    # the weight that the fitted changes are fractions of
        "w_max": nS(5),  # engineering choice: the paper has no bound
        "tau_plus": ms(16.8), "tau_minus": ms(33.7), "tau_x": ms(101), "tau_y": ms(125),
        "A2_plus": Quantity(5e-10), "A3_plus": Quantity(6.2e-3),
        "A2_minus": Quantity(7e-3), "A3_minus": Quantity(2.3e-4),
    },
    source="Pfister & Gerstner 2006, J Neurosci 26:9673 (all-to-all, visual cortex)",
)  # fmt: skip

STDP_TRIPLET_HIPPOCAMPUS = variant(
    STDP_TRIPLET,
    name="stdp_triplet_hippocampus",
    parameters={
        **STDP_TRIPLET.parameters,
        "tau_x": ms(946), "tau_y": ms(27),
        "A2_plus": Quantity(6.1e-3), "A3_plus": Quantity(6.7e-3),
        "A2_minus": Quantity(1.6e-3), "A3_minus": Quantity(1.4e-3),
    },
    source="Pfister & Gerstner 2006, J Neurosci 26:9673 (all-to-all, hippocampal culture)",
)  # fmt: skip
