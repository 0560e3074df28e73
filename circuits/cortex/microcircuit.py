"""The local cortical microcircuit: four layers, excitation and inhibition, 77,169 cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from circuits._checks import not_negative
from circuits.circuit import Circuit, Port, circuit
from circuits.cortex._tables import (
    CELLS,
    EXTERNAL_INPUTS,
    FULL_SCALE_RATES_HZ,
    POPULATIONS,
    PROBABILITIES,
    START_MV,
    THALAMIC_PROBABILITIES,
)
from neuro.errors import NetworkError
from neuro.model import variant
from neuro.models import LIF
from neuro.network import Normal
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import Hz, Quantity, ms, mV, nS, pA, pF
from neuro.wiring import FixedTotal

# Potjans & Diesmann 2014, Cereb Cortex 24:785, table 5.
CELL = variant(
    LIF,
    name="microcircuit_lif",
    parameters={
        "C": pF(250), "g_L": nS(25), "E_L": mV(-65), "V_th": mV(-50), "V_r": mV(-65),
        "t_ref": ms(2),
    },
    source="Potjans & Diesmann 2014, Cereb Cortex 24:785",
)  # fmt: skip
TAU = ms(0.5)
SYNAPSE = variant(
    EXPONENTIAL_CURRENT, name="microcircuit_synapse", parameters={"tau": TAU}, source=CELL.source
)
WEIGHT = pA(87.81)  # 0.15 mV at the peak of the potential
WEIGHT_SPREAD, DELAY_SPREAD = 0.1, 0.5  # standard deviations, of the mean
DELAYS = (ms(1.5), ms(0.75))  # of excitatory and inhibitory synapses
BACKGROUND = Hz(8)


@circuit
def microcircuit(
    thalamus: Port | None = None,
    *,
    scale: float = 0.1,
    input: Literal["poisson", "dc"] = "poisson",
    inhibition: float = 4.0,
    dt_ms: float = 0.1,
) -> Circuit:
    """The cortex under a square millimetre, at any scale (Potjans & Diesmann 2014).

    Each layer's rates differ as they do in awake cortex: layers 2/3 and 6 are nearly silent,
    layer 5 is not, inhibitory cells fire faster than excitatory ones, and all irregularly.

        background --> L23E L23I L4E L4I L5E L5I L6E L6I <--> each other
        thalamus   --> L4 and L6

    Projections have a fixed number of synapses, with both ends drawn at random, so pairs may be
    joined more than once. Weights and delays spread by 10 % and 50 %; those beyond 0 or under
    one step are set to it. NEST's example draws those again instead, which makes the mean delay
    3 % longer and changes no rate that a seed would not; drawing once keeps an edge a function
    of its number alone.

    Args:
        thalamus: 902 relay cells in the paper. A smaller cortex hears as many of them.
        scale: Of the numbers of cells and of the inputs of a cell. Weights grow by its inverse
            root and a constant current replaces the mean input that is missing, so that mean
            and variance of each cell's input stay those at full scale, 1 (van Albada, Helias &
            Diesmann 2015, PLoS Comput Biol 11:e1004490). Correlations do not: few cells share
            more of their inputs.
        input: `poisson`, or its mean as a constant current.
        inhibition: Strength of inhibitory synapses, as a multiple of excitatory ones.
    """
    not_negative("microcircuit", inhibition=inhibition)
    if not 0 < scale <= 1:
        raise NetworkError(f"microcircuit needs a scale above 0 and up to 1, found {scale}")
    net = Circuit("microcircuit")
    size = [max(1, round(n * scale)) for n in CELLS]
    ports = [
        net.add(
            name,
            CELL,
            size[k],
            parameters={"I_ext": missing_input(k, size, scale, input, inhibition)},
            initial={"v": Normal(mV(START_MV[k][0]), mV(START_MV[k][1]))},
        )
        for k, name in enumerate(POPULATIONS)
    ]
    for target, post in enumerate(ports):
        for source, pre in enumerate(ports):
            n = round(synapses(target, source) * size[target] / CELLS[target] * scale)
            if n:
                mean = weight(target, source, inhibition) / math.sqrt(scale)
                _join(net, pre, post, n, mean, DELAYS[source % 2], dt_ms)
        if thalamus is not None:
            pairs = thalamus.n * CELLS[target]
            n = round(_draws(THALAMIC_PROBABILITIES[target], pairs) * size[target] / CELLS[target])
            if n:
                _join(net, thalamus, post, n, WEIGHT, DELAYS[0], dt_ms)
        if input == "poisson":
            net.background(
                post, synapse=SYNAPSE, rate=BACKGROUND, n=round(EXTERNAL_INPUTS[target] * scale),
                weight=pA(WEIGHT / math.sqrt(scale)),
            )  # fmt: skip
    return net.with_outputs(**dict(zip(POPULATIONS, ports, strict=True)))


def _join(
    net: Circuit, pre: Port, post: Port, n: int, mean: float, delay: Quantity, dt_ms: float
) -> None:
    low, high = (0.0, math.inf) if mean >= 0 else (-math.inf, 0.0)
    net.connect(
        pre, post, rule=FixedTotal(n), synapse=SYNAPSE,
        weight=Normal(pA(mean), pA(abs(mean) * WEIGHT_SPREAD), low, high),
        delay=Normal(delay, delay * DELAY_SPREAD, low=ms(dt_ms)),
    )  # fmt: skip


def weight(target: int, source: int, inhibition: float) -> float:
    """Mean weight at full scale, in pA; layer 4 excites layer 2/3 twice as strongly."""
    if source % 2:
        return -inhibition * WEIGHT
    doubled = (POPULATIONS[target], POPULATIONS[source]) == ("L23E", "L4E")
    return WEIGHT * (2 if doubled else 1)


def synapses(target: int, source: int) -> float:
    """Number of synapses of a projection at full scale."""
    return round(_draws(PROBABILITIES[target][source], CELLS[target] * CELLS[source]))


def _draws(probability: float, pairs: int) -> float:
    """How many pairs to draw so that one is drawn at all with `probability` (their eq. 1)."""
    return math.log1p(-probability) / math.log1p(-1 / pairs)


def missing_input(
    target: int,
    size: Sequence[int],
    scale: float,
    input: Literal["poisson", "dc"] = "poisson",
    inhibition: float = 4.0,
) -> Quantity:
    """Constant current that makes up for the mean input that a smaller network lacks.

    It is 0 at full scale with Poisson input. Rates are taken to be those at full scale.
    """
    charge = 0.0  # pA per ms
    for source, rate_hz in enumerate(FULL_SCALE_RATES_HZ):
        full = synapses(target, source) / CELLS[target]
        left = round(synapses(target, source) * size[target] / CELLS[target] * scale)
        lost = full - left / size[target] / math.sqrt(scale)
        charge += weight(target, source, inhibition) * rate_hz / 1000 * lost
    n = EXTERNAL_INPUTS[target]
    present = round(n * scale) / math.sqrt(scale) if input == "poisson" else 0.0
    charge += WEIGHT * float(BACKGROUND) * (n - present)
    return pA(float(TAU) * charge)
