"""NIR's neurons in Ember's words, integrated as the other tools do.

All tools that read NIR advance its equations by forward Euler, hold what arrives in a step for that
step, and let a current-based neuron's membrane see the synaptic current of the same step. So do
these. `width` is the step that a file was read for; with shorter steps the same equations near
their continuous solution, each pulse decaying over `width` and keeping its charge.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

from neuro.model import NeuronModel, SynapseModel
from neuro.units import CURRENT, Dimension, Quantity, ms, mV, nS, pA

__all__ = ["CURRENT_INPUT", "GRADED", "PULSE", "SAME_STEP", "Kind", "nir_model", "nir_models"]

SOURCE = "Pedersen et al. 2024, Nat Commun 15:8122"
CURRENT_INPUT = "I_in"
"""The input that a `Drive` supplies to models that take currents over time."""

_OHM = Dimension(voltage=mV(1).dimension.voltage, current=-CURRENT.current)
_PER_FARAD = Dimension(voltage=_OHM.voltage, current=_OHM.current, time=-ms(1).dimension.time)
_WIDTH = ms(0.1)  # Ember's usual step; a file's own replaces it

Kind = Literal["LIF", "IF", "LI", "I", "CubaLIF", "CubaLI"]

PULSE = SynapseModel(
    name="nir_pulse",
    equations="dI_syn/dt = -I_syn/width : amp",
    current="I_syn",
    on_pre="I_syn += w",
    weight=pA(1),
    parameters={"width": _WIDTH},
    source=SOURCE,
)
"""A spike is a current that lasts one step."""

SAME_STEP = SynapseModel(
    name="nir_same_step",
    equations="I_now : amp",
    current="I_now",
    on_pre="",
    edges="I_now_post = w*z_pre : amp (summed)",
    weight=pA(1),
    source=SOURCE,
)
"""As `PULSE`, but read off the source at every step: for loops of a single step, which a spike that
travels is too slow for. The source's model must have `z`, which is 1 in the step after a spike."""

GRADED = SynapseModel(
    name="nir_graded",
    equations="I_now : amp",
    current="I_now",
    on_pre="",
    edges="I_now_post = w*v_pre : amp (summed)",
    weight=nS(1),
    source=SOURCE,
)
"""A neuron that does not spike hands on its voltage, at every step."""


@cache
def nir_model(kind: Kind, *, driven: bool = False, seen: bool = False) -> NeuronModel:
    """The model of a node type.

    Args:
        driven: With the input `I_in`, for currents over time.
        seen: With `z`, for `SAME_STEP` synapses that start here.
    """
    current = f"(I + {CURRENT_INPUT})" if driven else "I"
    lines, parameters = _membrane(kind, current)
    threshold = reset = ""
    if kind in ("LIF", "IF", "CubaLIF"):
        threshold, reset = "v > v_threshold", "v = v_reset"
        parameters |= {"v_threshold": mV(1), "v_reset": mV(0)}
        if seen:
            lines.append("dz/dt = -z/width : 1")
            reset += "; z = 1"
            parameters["width"] = _WIDTH
    initial: dict[str, Quantity | str] = {}
    if "v_leak" in parameters:
        initial["v"] = "v_leak"
    return NeuronModel(
        name=f"nir_{kind.lower()}" + "_driven" * driven + "_seen" * seen,
        equations="\n".join(lines),
        threshold=threshold,
        reset=reset,
        parameters=parameters,
        inputs={CURRENT_INPUT: CURRENT} if driven else {},
        initial=initial,
        method="euler",
        source=SOURCE,
    )


def _membrane(kind: Kind, current: str) -> tuple[list[str], dict[str, Quantity]]:
    if kind in ("IF", "I"):
        return [f"dv/dt = r*{current} : volt"], {"r": Quantity(1, _PER_FARAD)}
    parameters = {"r": Quantity(1, _OHM), "v_leak": mV(0)}
    if kind in ("LIF", "LI"):
        lines = [f"dv/dt = (v_leak - v + r*{current})/tau : volt"]
        return lines, parameters | {"tau": ms(10)}
    lines = [
        f"i_now = i_syn*(1 - width/tau_syn) + w_in*{current}*(width/tau_syn) : amp",
        "di_syn/dt = (i_now - i_syn)/width : amp",
        "dv/dt = (v_leak - v + r*i_now)/tau_mem : volt",
    ]
    extra = {"tau_mem": ms(10), "tau_syn": ms(5), "w_in": Quantity(1), "width": _WIDTH}
    return lines, parameters | extra


def nir_models() -> dict[str, NeuronModel]:
    """All of them, by name."""
    flags = (False, True)
    models = [
        nir_model(kind, driven=driven, seen=seen)
        for kind in get_args(Kind)
        for driven in flags
        for seen in flags
    ]
    return {model.name: model for model in models}
