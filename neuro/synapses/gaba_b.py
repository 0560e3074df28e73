"""GABA-B synapse: slow inhibition that answers to bursts, and hardly to one spike."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import FREQUENCY, Quantity, mV, nS

GABA_B = SynapseModel(
    name="gaba_b",
    # r is the share of receptors that are active, s the G-protein they make (µM); four of it open a
    # channel, which is where the response saturates: r itself adds up spike by spike.
    equations="""
        dr/dt = -K2*r                            : 1
        ds/dt = K3*r - K4*s                      : 1
        bound = s**4/(s**4 + K_d)                : 1
        I_syn = g_max*bound*(E_rev - v)          : amp
    """,
    current="I_syn",
    on_pre="r += w",
    weight=Quantity(0.09),  # K1 times 1 mM of GABA for 1 ms
    parameters={
        "K2": Quantity(0.0012, FREQUENCY), "K3": Quantity(0.18, FREQUENCY),
        "K4": Quantity(0.034, FREQUENCY), "K_d": Quantity(100), "E_rev": mV(-95),
        "g_max": nS(1),  # engineering choice
    },
    source="Destexhe, Mainen & Sejnowski 1998, in Methods in Neuronal Modeling, ch. 1",
)  # fmt: skip
