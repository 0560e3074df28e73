"""What Lava makes of a matrix of weights before its first step: signs, limits, truncated bits.

Semantics of `lava.utils.weightutils` in lava-nc 0.10.0; a test compares with the real one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.processes import Synapses

__all__ = ["effective_weights", "sign_mode"]

_LARGEST = 2**8  # of a magnitude, exclusive


def sign_mode(synapses: Synapses) -> str:
    """The mode that holds: the one given, or the one that the signs of the weights call for."""
    if synapses.sign_mode != "auto":
        return synapses.sign_mode
    if not synapses.weights.size or synapses.weights.min() >= 0:
        return "excitatory"
    return "inhibitory" if synapses.weights.max() <= 0 else "mixed"


def effective_weights(synapses: Synapses) -> NDArray[np.int64]:
    """The weights that act: cut to 8 bits and a sign, low bits dropped; the exponent is left out.

    Bits are dropped toward minus infinity, of inhibitory weights toward zero. In mode `mixed`
    the sign takes the lowest bit: weights are even, from -256 to 254.
    """
    mode = sign_mode(synapses)
    weights = synapses.weights.astype(np.int64)
    if mode == "inhibitory":
        weights = -weights
    mixed = mode == "mixed"
    weights = np.clip(weights, -_LARGEST if mixed else 0, _LARGEST - 1)
    dropped = 8 - synapses.num_weight_bits + mixed
    weights = (weights >> dropped) << dropped
    return -weights if mode == "inhibitory" else weights
