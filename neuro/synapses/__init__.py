"""Synapse models, one idea a file. `SYNAPSES` finds a model by name."""

from __future__ import annotations

from neuro.model import SynapseModel
from neuro.registry import Registry
from neuro.synapses.alpha import ALPHA_CONDUCTANCE, ALPHA_CURRENT
from neuro.synapses.biexponential import BIEXPONENTIAL_CONDUCTANCE, BIEXPONENTIAL_CURRENT
from neuro.synapses.delta import DELTA
from neuro.synapses.exponential import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.synapses.gaba_a import GABA_A
from neuro.synapses.gaba_b import GABA_B
from neuro.synapses.gap_junction import GAP_JUNCTION
from neuro.synapses.homeostasis import INHIBITORY_PLASTICITY, SYNAPTIC_SCALING
from neuro.synapses.nmda import NMDA
from neuro.synapses.short_term import (
    DEPRESSING_CONDUCTANCE,
    DEPRESSING_CURRENT,
    FACILITATING_CONDUCTANCE,
    FACILITATING_CURRENT,
)
from neuro.synapses.stdp import STDP_ADDITIVE, STDP_MULTIPLICATIVE
from neuro.synapses.stdp_triplet import STDP_TRIPLET, STDP_TRIPLET_HIPPOCAMPUS
from neuro.synapses.three_factor import STDP_GATED, STDP_REWARD

__all__ = [
    "ALPHA_CONDUCTANCE", "ALPHA_CURRENT", "BIEXPONENTIAL_CONDUCTANCE", "BIEXPONENTIAL_CURRENT",
    "DELTA", "DEPRESSING_CONDUCTANCE", "DEPRESSING_CURRENT", "EXPONENTIAL_CONDUCTANCE",
    "EXPONENTIAL_CURRENT", "FACILITATING_CONDUCTANCE", "FACILITATING_CURRENT", "GABA_A", "GABA_B",
    "GAP_JUNCTION", "INHIBITORY_PLASTICITY", "NMDA", "STDP_ADDITIVE", "STDP_GATED",
    "STDP_MULTIPLICATIVE", "STDP_REWARD", "STDP_TRIPLET", "STDP_TRIPLET_HIPPOCAMPUS", "SYNAPSES",
    "SYNAPTIC_SCALING",
]  # fmt: skip

SYNAPSES: Registry[SynapseModel] = Registry("synapse")
for _model in (
    ALPHA_CONDUCTANCE, ALPHA_CURRENT, BIEXPONENTIAL_CONDUCTANCE, BIEXPONENTIAL_CURRENT, DELTA,
    EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT, GABA_A, GABA_B, NMDA, DEPRESSING_CONDUCTANCE,
    DEPRESSING_CURRENT, FACILITATING_CONDUCTANCE, FACILITATING_CURRENT, GAP_JUNCTION,
    STDP_ADDITIVE, STDP_MULTIPLICATIVE, STDP_TRIPLET, STDP_TRIPLET_HIPPOCAMPUS, STDP_REWARD,
    STDP_GATED, SYNAPTIC_SCALING, INHIBITORY_PLASTICITY,
):  # fmt: skip
    SYNAPSES.add(_model.name, _model)
