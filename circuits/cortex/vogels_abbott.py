"""Sparse networks that keep themselves active: the benchmarks of the field's simulator review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from circuits.circuit import Circuit, circuit
from neuro.errors import NetworkError
from neuro.model import NeuronModel, SynapseModel
from neuro.models import LIF, TRAUB_MILES
from neuro.network import Normal, Uniform, Value
from neuro.synapses import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.units import Quantity, ms, mV, nS, pA, pF
from neuro.wiring import Pairwise

INPUTS = 80  # of a cell, on average: 2 % of the published 4,000

# 20,000 µm² of membrane of 1 µF/cm² and 0.05 mS/cm²: 200 pF, 10 nS, 20 ms.
_CELL = {"C": pF(200), "g_L": nS(10), "V_th": mV(-50), "V_r": mV(-60), "t_ref": ms(5)}
_EXCITATION, _INHIBITION = ms(5), ms(10)  # decay


@dataclass(frozen=True, eq=False)
class _Variant:
    model: NeuronModel
    parameters: Mapping[str, Value]
    initial: Mapping[str, Value]
    synapse: SynapseModel
    weights: tuple[Quantity, Quantity]
    reversals: Mapping[str, tuple[Quantity, Quantity]] = field(default_factory=dict)


_CUBA = _Variant(
    model=LIF,
    parameters={**_CELL, "E_L": mV(-49)},  # above threshold: it stands for tonic input
    initial={"v": Uniform(mV(-60), mV(-50))},
    synapse=EXPONENTIAL_CURRENT,
    weights=(pA(16.2), pA(-90)),  # 0.27 nS and 4.5 nS at drives of 60 mV and -20 mV
)


def _barrage(
    excitation: float, excitation_sd: float, inhibition: float, inhibition_sd: float
) -> Mapping[str, Value]:
    """Cells start under input like what they will cause, or nothing ever starts; nS.

    `excitatory.g` stands for the conductance that the excitatory cells open, `inhibitory.g` alike.
    """
    return {
        "v": Normal(mV(-65), mV(5)),
        "excitatory.g": Normal(nS(excitation), nS(excitation_sd), low=0.0),
        "inhibitory.g": Normal(nS(inhibition), nS(inhibition_sd), low=0.0),
    }


def _of_projections(initial: Mapping[str, Value], post: str) -> dict[str, Value]:
    """The start values of one population, `g` under the names of the projections onto it."""
    return {
        f"{name.removesuffix('.g')}_to_{post}.g" if name.endswith(".g") else name: value
        for name, value in initial.items()
    }


_COBA = _Variant(
    model=LIF,
    parameters={**_CELL, "E_L": mV(-60)},
    # Engineering choice: means of 15 Hz of their own spikes. All of 48 networks stayed active;
    # under the start of `coba_hh`, which begins with a volley, a third fell silent at once.
    initial=_barrage(30, 20, 150, 120),
    synapse=EXPONENTIAL_CONDUCTANCE,
    weights=(nS(6), nS(67)),
    reversals={"E_rev": (mV(0), mV(-80))},
)
_COBA_HH = replace(
    _COBA,
    model=TRAUB_MILES,
    parameters={"E_L": mV(-60), "V_spike": mV(-20)},
    initial=_barrage(40, 15, 200, 120),  # Brian's script for the review
)
_VARIANTS = {"cuba": _CUBA, "coba": _COBA, "coba_hh": _COBA_HH}


@circuit
def vogels_abbott(
    *,
    variant: Literal["cuba", "coba", "coba_hh"] = "cuba",
    n_cells: int = 4000,
    dt_ms: float = 0.1,
) -> Circuit:
    """A sparse network of 80 % excitatory cells that stays active and irregular by itself.

    It has no input. `cuba` has synapses that give a current, `coba` ones that open a conductance
    (Vogels & Abbott 2005, J Neurosci 25:10786), and `coba_hh` cells with the channels of a spike;
    all three as in the benchmarks of Brette et al. 2007, J Comput Neurosci 23:349. Activity that
    nothing feeds may end: in `coba` of this size it lasts for seconds, not for ever; of a
    thousand cells, half of the networks fall silent at once.

        excitatory <--> inhibitory, each also to itself

    Every pair of cells is joined with one probability, 80 / `n_cells`: the published 2 % at
    4,000, and as many inputs a cell at any other size, so that rates do not depend on it; fewer
    than 80 cells are joined all to all. A spike takes one step to arrive, since the papers have no
    delay.

    Args:
        variant: What cells and synapses are made of.
        n_cells: All cells, of which a fifth is inhibitory.
    """
    if n_cells < 5:
        raise NetworkError(f"vogels_abbott needs n_cells of at least 5, found {n_cells}")
    made = _VARIANTS[variant]
    net = Circuit(variant)
    n_inhibitory = n_cells // 5
    cells = [
        net.add(
            name,
            made.model,
            n,
            parameters=made.parameters,
            initial=_of_projections(made.initial, name),
        )
        for name, n in (("excitatory", n_cells - n_inhibitory), ("inhibitory", n_inhibitory))
    ]
    for k, pre in enumerate(cells):
        for post in cells:
            net.connect(
                pre,
                post,
                rule=Pairwise(min(1.0, INPUTS / n_cells)),
                synapse=made.synapse,
                weight=made.weights[k],
                delay=ms(dt_ms),
                parameters={
                    "tau": (_EXCITATION, _INHIBITION)[k],
                    **{name: pair[k] for name, pair in made.reversals.items()},
                },
            )
    return net.with_outputs(excitatory=cells[0], inhibitory=cells[1])
