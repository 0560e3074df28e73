"""Small networks that NIR can say, and graphs as others write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from neuro import Network, Normal, Population, Projection, Source, Spikes, Uniform
from neuro.model import SynapseModel
from neuro.models import LEAKY_INTEGRATOR, LIF
from neuro.network import Value
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, mV, nS, pA, pF
from neuro.wiring import Pairwise

N_IN = 20
DT_MS, DT_S = 0.1, 1e-4


def frames(n_steps: int, n: int = N_IN, share: float = 0.02, seed: int = 7) -> NDArray[np.bool_]:
    """`(n_steps, n)` spikes by chance."""
    return np.random.default_rng(seed).random((n_steps, n)) < share


def two_layers(
    spikes: Spikes, *, first: Mapping[str, Value] | None = None,
    synapse: SynapseModel = EXPONENTIAL_CURRENT, weight: Value | None = None,
) -> Network:  # fmt: skip
    """ear -> a -> b, cells and weights all different, delays of 1 and 2 ms."""
    cells: dict[str, Value] = {
        "t_ref": ms(0), "C": Uniform(pF(200), pF(300)), "V_th": Normal(mV(-55), mV(1)),
    }  # fmt: skip
    strong = Normal(pA(60), pA(100)) if weight is None else weight
    return Network(
        "two_layers",
        (Population("a", LIF, 12, {**cells, **(first or {})}), Population("b", LIF, 9, cells)),
        (Source("ear", spikes),),
        (
            Projection("ear_to_a", "ear", "a", synapse, Pairwise(0.7), strong, ms(1)),
            Projection("a_to_b", "a", "b", EXPONENTIAL_CURRENT, Pairwise(0.7),
                       Normal(pA(40), pA(120)), ms(2)),
        ),
    )  # fmt: skip


def alike(spikes: Spikes) -> Network:
    """As `two_layers`, with one threshold for all cells, which is what most tools can hold."""
    cells: dict[str, Value] = {"t_ref": ms(0), "V_th": mV(-55), "C": Uniform(pF(240), pF(260))}
    base = two_layers(spikes)
    return Network(
        "alike",
        (Population("a", LIF, 12, cells), Population("b", LIF, 9, cells)),
        base.sources,
        base.projections,
    )


def loops(spikes: Spikes) -> Network:
    """Every way that signals can meet: loops, parallel ways, two kinds of current, a constant
    input, a start away from rest, an integrator without leak, a readout."""
    cells: dict[str, Value] = {"t_ref": ms(0), "V_th": mV(-58)}
    slow = {"tau": ms(12)}

    def to(name: str, source: str, target: str, weight: float, delay: Value, **more: Any) -> Any:
        sd = abs(weight)
        return Projection(name, source, target, EXPONENTIAL_CURRENT, Pairwise(0.5),
                          Normal(pA(weight), pA(sd)), delay, more)  # fmt: skip

    return Network(
        "loops",
        (
            Population("a", LIF, 10, cells),
            Population("b", LIF, 8, {**cells, "I_ext": np.linspace(0, 220, 8)}),
            Population("c", LIF, 6, cells, {"v": Uniform(mV(-70), mV(-60))}),
            # Without a leak there is no exact step of the kind that a membrane has.
            Population("d", replace(LIF, method="euler"), 5, {**cells, "g_L": nS(0)}),
            Population("out", LEAKY_INTEGRATOR, 3),
        ),
        (Source("ear", spikes),),
        (
            to("ear_to_a", "ear", "a", 60, ms(1)),
            to("ear_to_b", "ear", "b", 20, ms(0.1)),
            to("a_to_b", "a", "b", 60, ms(2)),
            to("a_to_b_slow", "a", "b", 10, ms(2), **slow),
            to("a_to_b_again", "a", "b", 30, ms(2)),
            to("b_to_a", "b", "a", -40, Uniform(ms(0.5), ms(1.5))),
            to("a_to_a", "a", "a", 20, ms(0.1)),
            to("b_to_c", "b", "c", 150, ms(1)),
            to("c_to_d", "c", "d", 200, ms(3)),
            to("d_to_out", "d", "out", 50, ms(1)),
        ),
    )


def chain(
    kind: str, sizes: tuple[int, ...] = (8, 6, 5), seed: int = 0, mean: float = 0.4, **changes: Any
) -> Any:
    """Input -> weights -> neurons -> …, as tools write it: plain numbers, one step of 0.1 ms."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([sizes[0]]))}
    edges, last = [], "input"
    for layer, (n_in, n) in enumerate(pairwise(sizes)):
        weight = rng.normal(mean, 0.6, (n, n_in))
        weights = nir.Linear(weight) if layer % 2 else nir.Affine(weight, rng.normal(0, 0.02, n))
        nodes |= {f"w{layer}": weights, f"n{layer}": neuron(kind, n, rng, **changes)}
        edges += [(last, f"w{layer}"), (f"w{layer}", f"n{layer}")]
        last = f"n{layer}"
    nodes["output"] = nir.Output(np.array([sizes[-1]]))
    return nir.NIRGraph(nodes, [*edges, (last, "output")])


def neuron(kind: str, n: int, rng: np.random.Generator, **changes: Any) -> nir.NIRNode:
    """A neuron node whose cells differ; an input of 1 moves it by about a fifth of the way."""
    tau, tau_syn = rng.uniform(3e-3, 6e-3, n), rng.uniform(1e-3, 2e-3, n)
    nothing = np.zeros(n)
    spiking = {"v_threshold": rng.uniform(0.8, 1.2, n), "v_reset": nothing}
    values: dict[str, Any] = {
        "LIF": {"tau": tau, "r": 0.2 * tau / DT_S, "v_leak": nothing, **spiking},
        "LI": {"tau": tau, "r": 0.2 * tau / DT_S, "v_leak": nothing},
        "IF": {"r": np.full(n, 0.2 / DT_S), **spiking},
        "I": {"r": np.full(n, 0.2 / DT_S)},
        "CubaLIF": {
            "tau_mem": tau, "tau_syn": tau_syn, "r": 0.02 * tau / DT_S, "v_leak": nothing,
            "w_in": tau_syn / DT_S, **spiking,
        },
    }[kind]  # fmt: skip
    return getattr(nir, kind)(**{**values, **{k: v for k, v in changes.items() if k in values}})
