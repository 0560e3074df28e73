"""A sparse balanced network whose states are known from theory."""

from __future__ import annotations

import math

from circuits._checks import not_negative, positive
from circuits.circuit import Circuit, circuit
from neuro.errors import NetworkError
from neuro.measures import BalancedNetwork
from neuro.models import LIF
from neuro.network import Uniform
from neuro.synapses import DELTA
from neuro.units import Hz, Voltage, ms, mV, nS
from neuro.wiring import FixedInDegree

# Brunel 2000, J Comput Neurosci 8:183, network A; voltages count from rest.
EXCITATORY, INHIBITORY = 10_000, 2_500
SPARSENESS = 0.1
TAU_MS, THRESHOLD_MV, RESET_MV, REFRACTORY_MS, DELAY_MS = 20.0, 20.0, 10.0, 2.0, 1.5
LEAK = nS(12.5)  # engineering choice: only tau counts, since synapses act on the voltage


def theory(*, g: float, scale: float = 1.0, jump: float = 0.1) -> BalancedNetwork:
    """What theory needs to know of the network at a scale."""
    inputs = round(EXCITATORY * SPARSENESS * scale)
    return BalancedNetwork(
        n_excitatory=inputs,
        n_inhibitory=round(INHIBITORY * SPARSENESS * scale),
        n_external=inputs,
        jump=jump / math.sqrt(scale),
        g=g,
        threshold=THRESHOLD_MV,
        reset=RESET_MV,
        tau_ms=TAU_MS,
        refractory_ms=REFRACTORY_MS,
    )


@circuit
def brunel(
    *,
    g: float = 5.0,
    eta: float = 2.0,
    scale: float = 1.0,
    jump: Voltage = mV(0.1),
) -> Circuit:
    """Sparse excitation and inhibition whose balance decides how cells fire (Brunel 2000).

    Cells fire regularly and all together while excitation wins (`g` 3, `eta` 2); irregularly and
    each for itself where inhibition does (5, 2); irregularly, but with a fast (6, 4) or slow
    (4.5, 0.9) rhythm of the whole where it is stronger still or input is scarce. In the second
    state theory gives the rate, 37.9 Hz; with a rhythm simulated rates leave it, as in the paper:
    60.7 instead of 55.8 Hz and 5.5 instead of 6.5 Hz (its figure 8).

        background --> excitatory <--> inhibitory <-- background

    Args:
        g: Strength of inhibition, as a multiple of excitation; above 4 it wins.
        eta: Rate of the external cells, as a multiple of the one whose mean input just reaches
            threshold. Each cell hears as many of them as of excitatory cells.
        scale: Of the numbers of cells and of the inputs of a cell, as in `microcircuit`: jumps
            grow by its inverse root, and a constant current replaces the mean input that is
            missing at the rate that theory gives. Jumps that are large against the threshold
            depart from theory: 0.2 is about as small as makes sense.
        jump: What an excitatory spike adds to the membrane, at full scale.
    """
    not_negative("brunel", g=g, eta=eta)
    positive("brunel", jump=jump)
    if not 0.01 <= scale <= 1:
        raise NetworkError(f"brunel needs a scale of 0.01 to 1, found {scale}")
    full, here = (theory(g=g, scale=s, jump=float(jump)) for s in (1.0, scale))
    external_hz = eta * full.threshold_rate_hz
    offset = 0.0
    if scale < 1:
        rate_hz = full.rate_hz(external_hz)
        offset = float(full.mean(rate_hz, external_hz) - here.mean(rate_hz, external_hz))
    net = Circuit("brunel")
    cells = [
        net.add(
            name,
            LIF,
            round(n * scale),
            parameters={
                "C": LEAK * ms(TAU_MS), "g_L": LEAK, "E_L": mV(0), "V_th": mV(THRESHOLD_MV),
                "V_r": mV(RESET_MV), "t_ref": ms(REFRACTORY_MS), "I_ext": LEAK * mV(offset),
            },
            # Engineering choice: scattered below threshold, so that no volley starts the run.
            initial={"v": Uniform(mV(0), mV(THRESHOLD_MV))},
        )
        for name, n in (("excitatory", EXCITATORY), ("inhibitory", INHIBITORY))
    ]  # fmt: skip
    inputs = (here.n_excitatory, here.n_inhibitory)
    weights = (mV(here.jump), mV(-g * here.jump))
    for post in cells:
        for pre, n, weight in zip(cells, inputs, weights, strict=True):
            net.connect(
                pre, post, rule=FixedInDegree(n), synapse=DELTA, weight=weight, delay=ms(DELAY_MS)
            )
        net.background(
            post, synapse=DELTA, rate=Hz(external_hz), n=here.n_external, weight=weights[0]
        )
    return net.with_outputs(excitatory=cells[0], inhibitory=cells[1])
