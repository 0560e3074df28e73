"""Homeostasis: synapses that bring the rate of their target to a set value."""

from __future__ import annotations

from neuro.model import variant
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE
from neuro.units import Hz, Quantity, ms, mV, nS

SYNAPTIC_SCALING = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="synaptic_scaling",
    edges="""
        dactivity/dt = -activity/tau_activity      : hertz (clock-driven)
        dw/dt = beta*w*(target_rate - activity)    : siemens (clock-driven)
    """,
    on_pre="g += w",
    on_post="activity += 1/tau_activity",
    weight=nS(0.2),
    parameters={
        "tau": ms(5), "E_rev": mV(0),
        "tau_activity": ms(100_000), "beta": Quantity(4e-5),
        "target_rate": Hz(10),  # engineering choice
    },
    source="van Rossum, Bi & Turrigiano 2000, J Neurosci 20:8812; Turrigiano et al. 1998, "
    "Nature 391:892",
)  # fmt: skip
"""All synapses of a cell grow or shrink by one factor while it fires below or above its target.

`activity` is the target's rate over `tau_activity`. Of the paper's controller this is the
proportional part; its slower integral part is left out.
"""

INHIBITORY_PLASTICITY = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="inhibitory_plasticity",
    edges="""
        dx_source/dt = -x_source/tau_stdp : 1 (event-driven)
        dx_target/dt = -x_target/tau_stdp : 1 (event-driven)
    """,
    on_pre="""
        g += w
        x_source += 1
        w = clip(w + eta*(x_target - 2*target_rate*tau_stdp), 0*w_max, w_max)
    """,
    on_post="x_target += 1; w = clip(w + eta*x_source, 0*w_max, w_max)",
    weight=nS(0.1),
    parameters={
        "tau": ms(10), "E_rev": mV(-80),
        "tau_stdp": ms(20), "target_rate": Hz(5),
        "eta": nS(0.01),  # engineering choice: the paper's weights have no unit
        "w_max": nS(100),  # engineering choice: far above what balances a cell
    },
    source="Vogels et al. 2011, Science 334:1569",
)  # fmt: skip
"""Near coincidences strengthen inhibition and every other arrival weakens it, which balances
excitation where the target fires at `target_rate`."""
