"""What a neuron and a synapse are: text, parameters with units, and the paper they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from neuro.errors import SimulationError
from neuro.units import Dimension, Quantity, admit

__all__ = ["NeuronModel", "SynapseModel", "variant"]


@dataclass(frozen=True, eq=False)
class NeuronModel:
    """A neuron as data: equations in Brian2's language, threshold, reset and parameters.

    Args:
        name: Name it is registered and reported under.
        equations: Brian2 equations. `I`, where it appears, is the total input current: the
            constant `I_ext` plus the currents of all synapses that end on the population.
        threshold, reset: Brian2 text; a model without threshold never spikes.
        refractory: Brian2 text giving a time (usually a parameter's name); or a condition such as
            `v > V_th`, during which a cell that has spiked cannot spike again; or empty.
        parameters: Default of each name the text leaves open; its unit fixes its dimension.
        inputs: Names, with their dimension, that a `Drive` supplies over time.
        initial: Start value of state variables: a quantity or the name of a parameter.
            Others start at 0.
        method: Integrator (`exact`, `exponential_euler`, `euler`, `rk2`, `rk4`, `heun`), or
            `auto`: exact if linear, else exponential Euler if conditionally linear, else rk4.
        source: Paper and year.

    Dimensions are checked when the model is first compiled (`neuro.equations.check_model`).
    """

    name: str
    equations: str
    threshold: str = ""
    reset: str = ""
    refractory: str = ""
    parameters: Mapping[str, Quantity] = field(default_factory=dict)
    inputs: Mapping[str, Dimension] = field(default_factory=dict)
    initial: Mapping[str, Quantity | str] = field(default_factory=dict)
    method: str = "auto"
    source: str = ""

    def __post_init__(self) -> None:
        admit(self)


@dataclass(frozen=True, eq=False)
class SynapseModel:
    """A synapse as data: how a spike changes the target and what current that gives.

    Args:
        name: Name it is registered and reported under.
        equations: Brian2 equations of the variables that live on the target, summed over all
            its synapses of this kind; they may read the target's `v`.
        current: Name of the variable in `equations` that is added to the target's `I`; empty
            if the synapse acts through `on_pre` alone.
        on_pre: Statements for each arriving spike; `w` is the synapse's weight.
        weight: The dimension of `w`, given by a default value.
        parameters: Default of each name the text leaves open.
        source: Paper and year.
        edges: Brian2 equations of the variables that every synapse has for itself:
            `dx/dt = … : 1 (event-driven)` (linear, brought up to date by the spikes that touch
            the synapse), `dx/dt = … : 1 (clock-driven)` (every step), subexpressions, and
            `X_post = … : unit (summed)`, which sets the target's variable `X` to the sum over its
            synapses. They may read `w` and variables of both cells, `v_pre` and `v_post`.
        on_post: Statements for each spike of the target cell; they, and `on_pre`, may read and
            write `w` and the variables in `edges`.
        initial: Start value of variables in `edges`: a quantity or the name of a parameter.
            Others start at 0.
    """

    name: str
    equations: str
    current: str
    on_pre: str
    weight: Quantity
    parameters: Mapping[str, Quantity] = field(default_factory=dict)
    source: str = ""
    edges: str = ""
    on_post: str = ""
    initial: Mapping[str, Quantity | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        admit(self)

    @property
    def delivers(self) -> bool:
        """Whether an arriving spike does anything; only what it does has a delay."""
        return bool(self.on_pre.strip())


Model = TypeVar("Model", NeuronModel, SynapseModel)


def variant(model: Model, *, name: str, source: str, **changes: Any) -> Model:
    """A model with other values, or other text, under a name and a source of its own.

    A paper that gives the equations does not vouch for values that it does not contain, so nothing
    is inherited: `source` says where the changes come from, or that they are an engineering choice.
    A parameter that only replaced text has read goes with it.

    >>> from neuro.models import LIF
    >>> variant(LIF, name="slow", source="engineering choice", refractory="5*ms").source
    'engineering choice'
    >>> "t_ref" in variant(LIF, name="b", source="a paper", refractory="5*ms").parameters
    False

    Raises:
        SimulationError: if the source is empty or that of the model it is made from.
    """
    if not source.strip() or source == model.source:
        raise SimulationError(
            f"a variant of the model `{model.name}` must give a source of its own, found "
            f"{source!r}; name the paper of its values, or say `engineering choice`"
        )
    changed = replace(model, name=name, source=source, **changes)
    if "parameters" in changes:
        return changed
    gone = _words(model) - _words(changed)
    kept = {key: value for key, value in model.parameters.items() if key not in gone}
    return replace(changed, parameters=kept)


def _words(model: NeuronModel | SynapseModel) -> set[str]:
    other = ("name", "method", "source")
    texts = [getattr(model, part.name) for part in fields(model) if part.name not in other]
    texts += model.initial.values()
    return set(re.findall(r"[A-Za-z_]\w*", " ".join(t for t in texts if isinstance(t, str))))
