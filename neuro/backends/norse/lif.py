"""Norse's leaky integrate-and-fire cell as an Ember model: the same numbers, bit for bit.

Norse takes one Euler step of a membrane and a synaptic current without units; what arrives steps
the current before the membrane sees it. In Ember that is `method="euler"`, and a delivery that
comes before the update, as `EmberCell` makes it.
"""

from __future__ import annotations

from typing import Any

import torch

from neuro.backends.norse.norse_import import norse
from neuro.model import NeuronModel, SynapseModel
from neuro.network import Population
from neuro.units import FREQUENCY, Hz, Quantity

__all__ = ["NORSE_ARRIVAL", "NORSE_LIF", "norse_population"]

NORSE_LIF = NeuronModel(
    name="norse_lif",
    # `pull` has a name of its own so that it is summed first, as Norse does.
    equations="""
        dv/dt = tau_mem_inv*(pull + i_syn) : 1
        di_syn/dt = -tau_syn_inv*i_syn     : 1
        pull = v_leak - v                  : 1
    """,
    threshold="v > v_th",
    reset="v = v_reset",
    parameters={
        "tau_mem_inv": Hz(100), "tau_syn_inv": Hz(200), "v_leak": Quantity(0),
        "v_th": Quantity(1), "v_reset": Quantity(0),
    },
    initial={"v": "v_leak"},
    method="euler",
    source="Pehle & Pedersen 2021, Norse 1.1, norse.torch.functional.lif (lif_feed_forward_step)",
)  # fmt: skip

NORSE_ARRIVAL = SynapseModel(
    name="norse_arrival",
    equations="",
    current="",
    on_pre="i_syn += w",
    weight=Quantity(1),
    source="Pehle & Pedersen 2021, Norse 1.1, norse.torch.functional.lif",
)


def norse_population(name: str, n: int, parameters: Any = None, dt: float = 1e-3) -> Population:
    """`n` of Norse's LIF cells, to be stepped by `1000 * dt` ms.

    Args:
        parameters: A `norse.torch.LIFParameters`; its `method` and `alpha` go to `Surrogate`.
        dt: Norse's time step, in seconds. Where `1000 * dt` is a power of two, as for Norse's
            default, each step is Norse's bit for bit; elsewhere a rate may round differently.
    """
    p = parameters or norse().LIFParameters()

    def rate(per_s: torch.Tensor) -> Any:
        # Norse rounds dt*rate in its own precision, and Ember dt_ms*rate.
        return Quantity((dt * per_s).double().numpy() / (1e3 * dt), FREQUENCY)

    return Population(
        name,
        NORSE_LIF,
        n,
        {
            "tau_mem_inv": rate(torch.as_tensor(p.tau_mem_inv)),
            "tau_syn_inv": rate(torch.as_tensor(p.tau_syn_inv)),
            **{
                key: torch.as_tensor(getattr(p, key)).double().numpy()
                for key in ("v_leak", "v_th", "v_reset")
            },
        },
    )
