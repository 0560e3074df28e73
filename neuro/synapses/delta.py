"""Delta synapse: each spike steps the target's membrane potential at once."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.units import mV

DELTA = SynapseModel(
    name="delta",
    equations="",
    current="",
    on_pre="v += w",
    weight=mV(0.1),
    source="Brunel 2000, J Comput Neurosci 8:183",
)
