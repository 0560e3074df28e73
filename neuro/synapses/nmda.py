"""NMDA synapse: slow, and blocked by magnesium unless the target is depolarised."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.synapses.biexponential import KINETICS
from neuro.units import ms, mV, nM, nS

NMDA = SynapseModel(
    name="nmda",
    # Linear in the spikes, so that the target sums it: receptors do not saturate. `w` is the peak
    # without magnesium. The block follows v at once; exponential Euler holds it for the step.
    equations=KINETICS.format(unit="siemens")
    + """
        g = scale*(fall - rise)                            : siemens
        block = 1/(1 + Mg/(3.57*mM)*exp(-0.062*v/mV))      : 1
        I_syn = g*block*(E_rev - v)                        : amp
    """,
    current="I_syn",
    on_pre="fall += w; rise += w",
    weight=nS(1),
    parameters={
        "tau_rise": ms(2), "tau_decay": ms(100), "E_rev": mV(0),
        "Mg": nM(1e6),  # 1 mM
    },
    source="Jahr & Stevens 1990, J Neurosci 10:3178; times of Wang 1999, J Neurosci 19:9587",
)  # fmt: skip
