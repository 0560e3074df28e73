"""Circuits written out in a config: populations with their equations, and what they receive."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from neuro.equations import read_at_ends, unread
from neuro.errors import EquationError, UnitError
from neuro.model import NeuronModel, SynapseModel
from neuro.models import MODELS
from neuro.synapses import SYNAPSES
from neuro.timing import DELAY
from neuro.units import CURRENT, FREQUENCY, TIME, Dimension, Quantity, parse_quantity
from sims.config.base import Listing, Measure, Name, Positive, StrictModel, VariableName
from sims.config.errors import TAG, KeyProblem, hint, shown
from sims.config.rules import RuleSpec
from sims.config.values import (
    AnySpread,
    Delay,
    QuantityOrName,
    Spread,
    SpreadOrName,
    central,
    check_dimension,
)

__all__ = [
    "BackgroundSpec", "DriveSpec", "PopulationSpec", "ProjectionSpec", "SynapseSpec",
    "WrittenCircuit", "check_reads",
]  # fmt: skip

AnyQuantity: TypeAlias = Annotated[Quantity, Measure(None)]
Method: TypeAlias = Literal["auto", "exact", "exponential_euler", "euler", "rk2", "rk4", "heun"]
Pair: TypeAlias = Annotated[tuple[float, float], Field(strict=False)]

_WITH_EQUATIONS = ("threshold", "reset", "refractory", "inputs", "method")


class Spaced(StrictModel):
    """One number a cell, from the first to the last, both included."""

    linspace: Pair | None = None
    """Evenly: `[first, last]`."""
    geomspace: Pair | None = None
    """Evenly in the logarithm: `[first, last]`, both positive."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Spaced:
        if (self.linspace is None) == (self.geomspace is None):
            raise KeyProblem("expected either `linspace` or `geomspace`")
        if self.geomspace is not None and min(self.geomspace) <= 0:
            raise KeyProblem(f"expected two positive ends, found {shown(self.geomspace)}")
        return self


def _list_or_spaced(value: object) -> str:
    return TAG + ("spaced" if isinstance(value, (Mapping, Spaced)) else "list")


Coordinate: TypeAlias = Annotated[
    Annotated[Listing[float], Tag(TAG + "list")] | Annotated[Spaced, Tag(TAG + "spaced")],
    Discriminator(_list_or_spaced),
]


class PopulationSpec(StrictModel):
    """Cells of a registered model, or of one invented here by its equations."""

    n: Annotated[int, Field(ge=1, le=100_000_000)]
    """How many cells."""
    model: str | None = None
    """A registered neuron model (`ember list models`)."""
    equations: str | None = Field(default=None, min_length=1)
    """Instead of `model`: equations in Brian2's language; `I` is the total input current."""
    threshold: str = ""
    """With `equations`: the condition that makes a spike, such as `v > V_th`."""
    reset: str = ""
    """With `equations`: what a spike does, such as `v = V_r; w += b`."""
    refractory: str = ""
    """With `equations`: a time, the name of a parameter, or a condition such as `v > V_th`."""
    method: Method = "auto"
    """With `equations`: integrator; `auto` chooses by their form."""
    inputs: dict[Name, str] = Field(default_factory=dict)
    """With `equations`: names that a drive supplies over time, each with its unit."""
    parameters: dict[Name, AnySpread] = Field(default_factory=dict)
    """Values of the model's parameters; with `equations`, their definition as well."""
    initial: dict[VariableName, SpreadOrName] = Field(default_factory=dict)
    """Start values of state variables; the name of a parameter stands for its value. `ff.g` is the
    variable `g` that the synapses of the projection `ff` have on these cells."""
    coordinates: dict[Name, Coordinate] = Field(default_factory=dict)
    """What rules and pictures need to know of each cell, such as `cf_hz` in Hz."""

    @model_validator(mode="after")
    def _fits_together(self) -> PopulationSpec:
        if (self.model is None) == (self.equations is None):
            found = "neither" if self.model is None else "both"
            raise KeyProblem(f"expected either `model` or `equations`, found {found}")
        if self.model is not None:
            if self.model not in MODELS:
                raise KeyProblem(
                    f"unknown model `{self.model}`{hint(self.model, MODELS)} "
                    f"(see `ember list models`)",
                    ("model",),
                )
            for key in _WITH_EQUATIONS:
                if key in self.model_fields_set and getattr(self, key) not in ("", {}, "auto"):
                    raise KeyProblem("goes with `equations`, not with `model`", (key,))
        for name, unit in self.inputs.items():
            _dimension_of(unit, name)
        self._check_values()
        return self

    def _check_values(self) -> None:
        defaults = {"I_ext": Quantity(0, CURRENT), **self.neuron_model("it").parameters}
        for name, spread in self.parameters.items():
            if name not in defaults:
                raise KeyProblem(
                    f"unknown parameter of model `{self.model}`{hint(name, defaults)}",
                    ("parameters", name),
                )
            check_dimension(spread, defaults[name].dimension, ("parameters", name))
        for key, values in (("parameters", self.parameters), ("initial", self.initial)):
            for name, value in values.items():
                if isinstance(value, tuple) and len(value) != self.n:
                    raise KeyProblem(self._count(len(value)), (key, name))
                if isinstance(value, str) and "." in name:
                    problem = f"expected a value with its unit, found `{value}`"
                    raise KeyProblem(problem, (key, name))
                if isinstance(value, str) and value not in defaults:
                    raise KeyProblem(
                        f"expected a value with its unit or the name of a parameter, "
                        f"found `{value}`{hint(value, defaults)}",
                        (key, name),
                    )
        for name, numbers in self.coordinates.items():
            if isinstance(numbers, tuple) and len(numbers) != self.n:
                raise KeyProblem(self._count(len(numbers)), ("coordinates", name))

    def _count(self, found: int) -> str:
        return f"expected {self.n} values, one a cell, found {found}"

    def neuron_model(self, name: str) -> NeuronModel:
        """The model of these cells; `name` is what an invented one is called."""
        initial = {key: value for key, value in self.initial.items() if "." not in key}
        names = {key: value for key, value in initial.items() if isinstance(value, str)}
        if self.model is not None:
            model = MODELS[self.model]
            return replace(model, initial={**model.initial, **names}) if names else model
        parameters = {key: central(value) for key, value in self.parameters.items()}
        refractory = self.refractory
        # A time becomes text: a parameter would need a name, which the author may have used.
        with suppress(UnitError):  # else it is an expression, which the equations' own check reads
            refractory = f"{float(parse_quantity(refractory, TIME))!r}*ms"
        values = {k: central(v) for k, v in initial.items() if not isinstance(v, str)}
        return NeuronModel(
            name=name,
            equations=self.equations or "",
            threshold=self.threshold,
            reset=self.reset,
            refractory=refractory,
            parameters=parameters,
            inputs={key: _dimension_of(unit, key) for key, unit in self.inputs.items()},
            initial={**values, **names},
            method=self.method,
        )

    def coordinate_values(self) -> dict[str, NDArray[np.float64]]:
        """`(n,)` numbers of each coordinate."""
        found = {}
        for name, given in self.coordinates.items():
            if isinstance(given, Spaced):
                space = np.linspace if given.linspace is not None else np.geomspace
                first, last = given.linspace or given.geomspace or (0.0, 0.0)
                found[name] = np.asarray(space(first, last, self.n), dtype=np.float64)
            else:
                found[name] = np.array(given, dtype=np.float64)
        return found


class SynapseSpec(StrictModel):
    """A synapse invented here by its equations."""

    equations: str = ""
    """Brian2 equations of variables on the target, which may read its `v`."""
    current: str = ""
    """The variable that is added to the target's `I`; empty if `on_pre` alone acts."""
    on_pre: str = ""
    """What an arriving spike does; `w` is the weight."""
    on_post: str = ""
    """What a spike of the target does."""
    edges: str = ""
    """Equations of variables that each synapse has for itself, `(event-driven)`, `(clock-driven)`
    or `(summed)`; `v_pre` and `v_post` are the source's and the target's."""
    parameters: dict[Name, AnyQuantity] = Field(default_factory=dict)
    """Every other name in the equations, with its value."""
    initial: dict[Name, QuantityOrName] = Field(default_factory=dict)
    """Start values of variables in `edges`; the name of a parameter stands for its value."""

    @model_validator(mode="after")
    def _does_something(self) -> SynapseSpec:
        if not (self.on_pre or self.on_post or self.edges):
            raise KeyProblem("the key `on_pre` is missing: this synapse does nothing")
        with suppress(EquationError):  # which the equations' own check reports
            for name, problem in unread(_synapse_model(self, None), checked=False).items():
                raise KeyProblem(problem, ("parameters", name))
        return self


def _name_or_written(value: object) -> str:
    return TAG + ("written" if isinstance(value, (Mapping, SynapseSpec)) else "name")


SynapseChoice: TypeAlias = Annotated[
    Annotated[str, Tag(TAG + "name")] | Annotated[SynapseSpec, Tag(TAG + "written")],
    Discriminator(_name_or_written),
]


def _synapse_model(synapse: str | SynapseSpec, weight: Spread | None) -> SynapseModel:
    if isinstance(synapse, str):
        return SYNAPSES[synapse]
    return SynapseModel(
        name="written",
        equations=synapse.equations,
        current=synapse.current,
        on_pre=synapse.on_pre,
        weight=central(weight) if weight is not None else Quantity(1.0),
        parameters=synapse.parameters,
        edges=synapse.edges,
        on_post=synapse.on_post,
        initial=synapse.initial,
    )


def _check_synapse(spec: ProjectionSpec | BackgroundSpec) -> None:
    """Refuse an unknown synapse, and a weight or parameters that are not its own."""
    if isinstance(spec.synapse, str) and spec.synapse not in SYNAPSES:
        raise KeyProblem(
            f"unknown synapse `{spec.synapse}`{hint(spec.synapse, SYNAPSES)} "
            f"(see `ember list synapses`)",
            ("synapse",),
        )
    if not isinstance(spec.synapse, str) and spec.weight is None:
        raise KeyProblem("the key `weight` is missing: an invented synapse has none of its own")
    model = spec.synapse_model
    if spec.weight is not None:
        check_dimension(spec.weight, model.weight.dimension, ("weight",))
    for name, value in spec.parameters.items():
        if name not in model.parameters:
            raise KeyProblem(
                f"unknown parameter of synapse `{model.name}`{hint(name, model.parameters)}",
                ("parameters", name),
            )
        check_dimension(value, model.parameters[name].dimension, ("parameters", name))


class ProjectionSpec(StrictModel):
    """Synapses from one population or source to a population."""

    source: str = Field(alias="from")
    """`stimulus.output`, `circuit.output`, or a population of this run by its name."""
    target: str = Field(alias="to")
    """A population of this run, by its name or as `circuit.output`."""
    synapse: SynapseChoice
    """A registered synapse model (`ember list synapses`), or one written out."""
    rule: RuleSpec
    """Who reaches whom."""
    weight: AnySpread | None = None
    """What `w` is for each edge; the synapse model's own if left out."""
    delay: Delay = DELAY
    """From spike to effect; at least one time step. A synapse without `on_pre` has none."""
    parameters: dict[Name, AnyQuantity] = Field(default_factory=dict)
    """Parameters of the synapse model that differ from its own."""
    name: Name | None = None
    """Name of the projection; `from_to_to` if left out."""

    @cached_property
    def synapse_model(self) -> SynapseModel:
        """The synapse model, registered or invented."""
        return _synapse_model(self.synapse, self.weight)

    @model_validator(mode="after")
    def _fits_its_synapse(self) -> ProjectionSpec:
        _check_synapse(self)
        if not self.synapse_model.delivers and self.delay != DELAY:
            raise KeyProblem(
                f"a delay needs a synapse with `on_pre`, which `{self.synapse_model.name}` has "
                f"not; leave the key out",
                ("delay",),
            )
        return self


class BackgroundSpec(StrictModel):
    """Independent Poisson input to each cell of a population; no cell of it is simulated."""

    target: str = Field(alias="to")
    """A population of this run, by its name or as `circuit.output`."""
    synapse: SynapseChoice
    """A registered synapse model (`ember list synapses`), or one written out."""
    rate: Annotated[Quantity, Measure(FREQUENCY, ge=0.0)]
    """Of each input cell."""
    n: Positive = 1
    """How many input cells each cell hears."""
    weight: AnyQuantity | None = None
    """What `w` is for each arrival; the synapse model's own if left out."""
    parameters: dict[Name, AnyQuantity] = Field(default_factory=dict)
    """Parameters of the synapse model that differ from its own."""
    name: Name | None = None
    """Name of the background; `background_to_` and its target if left out."""

    @cached_property
    def synapse_model(self) -> SynapseModel:
        """The synapse model, registered or invented."""
        return _synapse_model(self.synapse, self.weight)

    @model_validator(mode="after")
    def _fits_its_synapse(self) -> BackgroundSpec:
        _check_synapse(self)
        return self


class DriveSpec(StrictModel):
    """A stimulus that sets an input of a model over time."""

    source: str = Field(alias="from")
    """`stimulus.signal`, such as `path.x`."""
    target: str = Field(alias="to")
    """A population of this run."""
    variable: Name
    """One of the model's `inputs`."""


class WrittenCircuit(StrictModel):
    """A circuit written out in place; each population is one of its outputs."""

    prefix: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """Put before the name of each population, projection and background."""
    populations: dict[Name, PopulationSpec] = Field(default_factory=dict)
    """The cells, by name."""
    projections: Listing[ProjectionSpec] = ()
    """The synapses; they may join any populations of the run, so that loops can be closed."""
    backgrounds: Listing[BackgroundSpec] = ()
    """Poisson input from cells that are not simulated."""
    drives: Listing[DriveSpec] = ()
    """The continuous stimuli."""


def check_reads(circuits: Mapping[str, object]) -> None:
    """Refuse a parameter or an input of cells that no equation of the run reads.

    Raises:
        KeyProblem: at the key of the first one.
    """
    written = {name: one for name, one in circuits.items() if isinstance(one, WrittenCircuit)}
    inputs: list[ProjectionSpec | BackgroundSpec] = []
    for circuit in written.values():
        inputs += [*circuit.projections, *circuit.backgrounds]
    with suppress(EquationError):  # which the equations' own check reports
        ends = set[str]().union(*(read_at_ends(through.synapse_model) for through in inputs))
        for name, circuit in written.items():
            for key, spec in circuit.populations.items():
                model = spec.neuron_model(key)
                given = {known: central(value) for known, value in spec.parameters.items()}
                model = replace(model, parameters={**given, **model.parameters})
                for unknown, problem in unread(model, ends, checked=False).items():
                    kind = "inputs" if unknown in spec.inputs else "parameters"
                    raise KeyProblem(problem, (name, "populations", key, kind, unknown))


def _dimension_of(unit: str, name: str) -> Dimension:
    try:
        return parse_quantity(f"1 {unit}" if unit.strip() != "1" else 1.0).dimension
    except UnitError:
        raise KeyProblem(
            f"expected a unit, such as `pA`, found {shown(unit)}", ("inputs", name)
        ) from None
