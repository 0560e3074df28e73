"""The `modulation` section: transmitters, the receptors that sense them, and their effects."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from neuro.units import CONCENTRATION, TIME, Quantity, ms, nM
from sims.config.base import Concentration, Listing, Measure, Name, StrictModel, Timespan
from sims.config.errors import KeyProblem

__all__ = ["EffectSpec", "ReceptorSpec", "TransmitterSpec"]

Duration: TypeAlias = Annotated[Quantity, Measure(TIME, ge=0)]
HalfSaturation: TypeAlias = Annotated[Quantity, Measure(CONCENTRATION, gt=0)]
Point: TypeAlias = Annotated[tuple[Duration, Concentration], Field(strict=False)]


class EffectSpec(StrictModel):
    """What a fully occupied receptor does to one parameter."""

    on: str
    """A population or projection of this run, `circuit.output`, or `reasoner`."""
    parameter: Name
    """Of the population's model, or `I_ext`; of a projection's synapses, or its `weight`."""
    at_saturation: Annotated[float, Field(ge=0)]
    """Factor on the parameter at full occupancy; 1 changes nothing."""


class ReceptorSpec(StrictModel):
    """A receptor: its occupancy follows the concentration by a Hill curve."""

    ec50: HalfSaturation
    """Concentration of half occupancy."""
    hill: Annotated[float, Field(gt=0)] = 1.0
    """Steepness."""
    effects: Listing[EffectSpec] = ()
    """What its occupancy changes."""


class TransmitterSpec(StrictModel):
    """A substance whose concentration follows from the spikes of a population, or a schedule."""

    released_by: str | None = None
    """The population whose spikes release it, by its name or as `circuit.output`."""
    per_spike: Concentration = nM(0)
    """Rise of the concentration when every releasing cell spikes once."""
    uptake: Timespan = ms(300)
    """Time constant of the return to baseline."""
    delay: Duration = ms(0)
    """From spike to release."""
    baseline: Concentration = nM(0)
    """Concentration without release."""
    schedule: Listing[Point] = ()
    """`[time, concentration]` points that replace the baseline, joined by straight lines."""
    receptors: dict[Name, ReceptorSpec] = Field(default_factory=dict)
    """What senses it."""

    @model_validator(mode="after")
    def _each_key_has_an_effect(self) -> TransmitterSpec:
        for number, (before, after) in enumerate(pairwise(self.schedule), start=1):
            if after[0] <= before[0]:
                raise KeyProblem(
                    f"expected times that increase, found {before[0]} and then {after[0]}",
                    ("schedule", number),
                )
        for key in ("per_spike", "delay"):
            if not self.released_by and float(getattr(self, key)):
                raise KeyProblem(
                    f"expected `released_by` beside it, found {getattr(self, key)} without; give "
                    f"the population that releases it, or leave `{key}` out",
                    (key,),
                )
        if self.schedule and float(self.baseline):
            raise KeyProblem(
                f"expected none beside a schedule, which replaces it, found {self.baseline}; leave "
                "out one of them",
                ("baseline",),
            )
        return self
