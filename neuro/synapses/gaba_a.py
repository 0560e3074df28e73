"""GABA-A synapse: fast inhibition by chloride."""

from __future__ import annotations

from neuro.model import variant
from neuro.synapses.biexponential import BIEXPONENTIAL_CONDUCTANCE
from neuro.units import ms, mV

GABA_A = variant(
    BIEXPONENTIAL_CONDUCTANCE,
    name="gaba_a",
    parameters={"tau_rise": ms(0.2), "tau_decay": ms(8.3), "E_rev": mV(-80)},
    source="Gupta et al. 2000, Science 287:273; as in Markram et al. 2015, Cell 163:456",
)
