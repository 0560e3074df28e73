"""Izhikevich's simple model: a quadratic membrane with a recovery variable."""

from __future__ import annotations

from neuro.model import NeuronModel
from neuro.units import FREQUENCY, Quantity, mV, pF
from neuro.units import Dimension as _Dimension

_RATE = _Dimension(voltage=mV(1).dimension.voltage, time=FREQUENCY.time)

IZHIKEVICH = NeuronModel(
    name="izhikevich",
    equations="""
        dv/dt = 0.04*v**2/(mV*ms) + 5*v/ms + 140*mV/ms - u + I/C : volt
        du/dt = a*(b*v - u)                                      : volt/second
    """,
    threshold="v >= V_peak",
    reset="v = c; u += d",
    parameters={
        "a": Quantity(0.02, FREQUENCY), "b": Quantity(0.2, FREQUENCY),  # regular spiking
        "c": mV(-65), "d": Quantity(8, _RATE), "V_peak": mV(30),
        "C": pF(100),  # the paper's I of 10 is 1000 pA; engineering choice
    },
    initial={"v": mV(-70), "u": Quantity(-14, _RATE)},  # where both derivatives are 0
    # The text has no exponential, so the trial steps of Runge-Kutta cost little and stay finite.
    method="rk4",
    source="Izhikevich 2003, IEEE Trans Neural Netw 14:1569",
)  # fmt: skip
