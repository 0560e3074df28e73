"""The strict base of every config schema, and field types for quantities.

A field `tau: Time` takes text such as `20 ms`, holds a `neuro.units.Quantity` in coherent units
and is written back as text that reads back to the same bits. Numbers are not read from text,
unknown keys are refused, and nothing can be changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from neuro import units
from neuro.units import Dimension, Quantity, parse_quantity
from sims.config.errors import KeyProblem, hint, one_line, shown

__all__ = [
    "Capacitance", "Concentration", "Conductance", "Current", "Fraction01", "Frequency",
    "KeyProblem", "Length", "Level", "Listing", "Measure", "Name", "Positive", "StrictModel",
    "Speed", "Temperature", "Time", "Timespan", "ValidationError", "VariableName", "Voltage",
    "any_quantity", "one_line",
]  # fmt: skip

T = TypeVar("T")

Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""A name a config gives to something: safe in file paths, HDF5 groups and dotted keys."""

VariableName: TypeAlias = Annotated[
    str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]*$")
]
"""A variable of cells: `v`, or `ff.g`, which the synapses of the projection `ff` have on them."""

Positive: TypeAlias = Annotated[int, Field(ge=1)]
Fraction01: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Listing: TypeAlias = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list, kept as a tuple."""


class StrictModel(BaseModel):
    """A mapping with known keys: anything else is refused with the nearest known name.

    The docstring under a field becomes its description in the published JSON Schema.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if not isinstance(data, Mapping):
            raise KeyProblem(f"expected a mapping with {_listed(known)}, found {shown(data)}")
        for key in data:
            if key not in known and key not in cls.model_fields:
                raise KeyProblem(f"unknown key{hint(key, known)}", (key,))
        return data


def _listed(names: list[str]) -> str:
    shown_names = [f"`{name}`" for name in names]
    if len(shown_names) > 12:
        shown_names = [*shown_names[:12], "…"]
    return ("the key " if len(names) == 1 else "keys ") + ", ".join(shown_names)


@dataclass(frozen=True)
class Measure:
    """Pydantic metadata: text with a unit of one dimension, within limits, becomes a Quantity.

    `dimension` None takes any; a bare number then has dimension number. Limits are in coherent
    units.
    """

    dimension: Dimension | None
    gt: float | None = None
    ge: float | None = None

    def read(self, value: object) -> Quantity:
        """The quantity a config value stands for.

        Raises:
            UnitError: if the unit is missing, unknown or of another dimension.
            KeyProblem: if it is out of limits.
        """
        quantity = parse_quantity(value, self.dimension)
        for limit, text, refused in (
            (self.gt, "above", self.gt is not None and float(quantity) <= self.gt),
            (self.ge, "of at least", self.ge is not None and float(quantity) < self.ge),
        ):
            if refused:
                least = Quantity(float(limit or 0), quantity.dimension)
                raise KeyProblem(f"expected a {quantity.dimension} {text} {least}, found `{value}`")
        return quantity

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(_written),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if self.dimension is None or self.dimension == units.NUMBER:
            return {"type": ["string", "number"]}
        return {
            "type": "string",
            "pattern": r"^\s*[+-]?[0-9.]",
            "examples": [f"20 {self.dimension.unit}"],
            "description": f"a {self.dimension} with its unit, such as `20 {self.dimension.unit}`",
        }


def _written(quantity: Quantity) -> str | float:
    return float(quantity) if quantity.dimension == units.NUMBER else quantity.text


def any_quantity(value: object) -> Quantity:
    """A quantity of any dimension, for parameters a user invents."""
    return Measure(None).read(value)


Time: TypeAlias = Annotated[Quantity, Measure(units.TIME)]
Timespan: TypeAlias = Annotated[Quantity, Measure(units.TIME, gt=0)]
Voltage: TypeAlias = Annotated[Quantity, Measure(units.VOLTAGE)]
Current: TypeAlias = Annotated[Quantity, Measure(units.CURRENT)]
Conductance: TypeAlias = Annotated[Quantity, Measure(units.CONDUCTANCE)]
Capacitance: TypeAlias = Annotated[Quantity, Measure(units.CAPACITANCE)]
Frequency: TypeAlias = Annotated[Quantity, Measure(units.FREQUENCY)]
Concentration: TypeAlias = Annotated[Quantity, Measure(units.CONCENTRATION, ge=0)]
Length: TypeAlias = Annotated[Quantity, Measure(units.LENGTH)]
Speed: TypeAlias = Annotated[Quantity, Measure(units.SPEED)]
Temperature: TypeAlias = Annotated[Quantity, Measure(units.TEMPERATURE)]
Level: TypeAlias = Annotated[Quantity, Measure(units.LEVEL)]
