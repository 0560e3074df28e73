"""A parameter's value in a config: one for all, one per cell, or drawn from a distribution.

20 mV                                   the same for every cell or edge
[20 mV, 21 mV, 19 mV]                   one per cell
{normal: {mean: 20 mV, sd: 1 mV}}       drawn; `low` and `high` cut it off
{uniform: {low: 19 mV, high: 21 mV}}    drawn evenly
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from neuro.errors import UnitError
from neuro.network import Normal, Uniform, Value
from neuro.units import NUMBER, TIME, Dimension, Quantity, parse_quantity, read
from sims.config.errors import KeyPath, KeyProblem, hint, shown

__all__ = [
    "AnySpread", "Delay", "QuantityOrName", "Spread", "SpreadOrName", "Spreading", "as_config",
    "as_value", "central", "check_dimension",
]  # fmt: skip

Spread: TypeAlias = Quantity | Normal | Uniform | tuple[Quantity, ...]
"""What the field holds; `as_value` makes it what a network wants."""

_FORMS = {"normal": ("mean", "sd", "low", "high"), "uniform": ("low", "high")}
_NEEDED = {"normal": ("mean", "sd"), "uniform": ("low", "high")}


@dataclass(frozen=True)
class Spreading:
    """Pydantic metadata for a `Spread` of one dimension; None takes any."""

    dimension: Dimension | None = None
    ge: float = -math.inf
    names: bool = False
    """Whether the name of a parameter may stand for its value."""

    def read(self, value: object) -> Spread | str:
        """The value a config gives.

        Raises:
            UnitError, KeyProblem: if a unit is missing or wrong, or the form is none of the four.
        """
        if isinstance(value, (Quantity, Normal, Uniform)):
            return value
        if isinstance(value, (list, tuple)):
            if not value:
                raise KeyProblem("expected one value per cell, found an empty list")
            first = self._one(value[0], (0,), self.dimension)
            rest = [self._one(v, (i,), first.dimension) for i, v in enumerate(value[1:], start=1)]
            return (first, *rest)
        if isinstance(value, Mapping):
            return self._drawn(value)
        if self.names and isinstance(value, str) and value.strip().isidentifier():
            return value.strip()
        return self._one(value, (), self.dimension)

    def _one(self, value: object, at: KeyPath, expected: Dimension | None) -> Quantity:
        try:
            quantity = parse_quantity(value, expected)
        except UnitError as error:
            raise KeyProblem(str(error), at) from None
        if not math.isfinite(quantity):
            raise KeyProblem(f"expected a finite number, found {shown(value)}", at)
        least = Quantity(self.ge, quantity.dimension)
        if quantity < least:
            raise KeyProblem(f"expected at least {least}, found {shown(value)}", at)
        return quantity

    def _drawn(self, value: Mapping[str, Any]) -> Normal | Uniform:
        if len(value) != 1:
            raise KeyProblem(f"expected one of `normal`, `uniform`, found {shown(value)}")
        ((law, given),) = value.items()
        if law not in _FORMS:
            raise KeyProblem(
                f"unknown distribution{hint(law, _FORMS)}",
                (law,),
            )
        if not isinstance(given, Mapping):
            raise KeyProblem(
                f"expected {{{', '.join(_NEEDED[law])}}}, found {shown(given)}", (law,)
            )
        for key in given:
            if key not in _FORMS[law]:
                raise KeyProblem(f"unknown key{hint(key, _FORMS[law])}", (law, key))
        for key in _NEEDED[law]:
            if key not in given:
                raise KeyProblem(f"the key `{key}` is missing", (law,))
        lead = _NEEDED[law][0]
        first = self._one(given[lead], (law, lead), self.dimension)
        ends = {k: self._one(v, (law, k), first.dimension) for k, v in given.items() if k != "sd"}
        if law == "uniform":
            if ends["low"] > ends["high"]:
                raise KeyProblem(
                    f"expected low <= high, found {ends['low']}, {ends['high']}", (law,)
                )
            return Uniform(ends["low"], ends["high"])
        sd = Spreading()._one(given["sd"], (law, "sd"), first.dimension)
        if sd < 0:
            raise KeyProblem(
                f"expected a standard deviation of at least 0, found {sd}", (law, "sd")
            )
        least = Quantity(max(-math.inf, self.ge), first.dimension)
        low, high = ends.get("low", least), ends.get("high", Quantity(math.inf, first.dimension))
        if low > high:
            raise KeyProblem(f"expected low <= high, found {ends}", (law,))
        return Normal(first, sd, low=low, high=high)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(as_config),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        quantity: dict[str, Any] = {"type": ["string", "number"]}
        if self.dimension is not None and self.dimension != NUMBER:
            quantity = {"type": "string", "examples": [f"20 {self.dimension.unit}"]}
        laws = [
            {
                "type": "object",
                "properties": {
                    law: {
                        "type": "object",
                        "properties": dict.fromkeys(keys, quantity),
                        "required": list(_NEEDED[law]),
                        "additionalProperties": False,
                    }
                },
                "required": [law],
                "additionalProperties": False,
            }
            for law, keys in _FORMS.items()
        ]
        return {"anyOf": [quantity, {"type": "array", "items": quantity, "minItems": 1}, *laws]}


class OneOrName(Spreading):
    """Pydantic metadata: one quantity for all, or the name of a parameter."""

    def read(self, value: object) -> Quantity | str:
        """The quantity, or the name, that a config value stands for.

        Raises:
            KeyProblem: if it is neither.
        """
        if isinstance(value, str) and value.strip().isidentifier():
            return value.strip()
        return self._one(value, (), self.dimension)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": ["string", "number"]}


def as_config(spread: Spread | str) -> Any:
    """The same as a config writes it, JSON-ready."""
    if isinstance(spread, str):
        return spread
    if isinstance(spread, tuple):
        return [as_config(quantity) for quantity in spread]
    if isinstance(spread, Uniform):
        return {"uniform": {"low": as_config(spread.low), "high": as_config(spread.high)}}
    if isinstance(spread, Normal):
        ends = {
            key: as_config(Quantity(float(end), spread.mean.dimension))
            for key, end in (("low", spread.low), ("high", spread.high))
            if math.isfinite(end)
        }
        return {"normal": {"mean": as_config(spread.mean), "sd": as_config(spread.sd), **ends}}
    return float(spread) if spread.dimension == NUMBER else spread.text


def central(spread: Spread) -> Quantity:
    """One typical value: the mean, the middle, the first cell's."""
    if isinstance(spread, tuple):
        return spread[0]
    if isinstance(spread, Normal):
        return spread.mean
    if isinstance(spread, Uniform):
        return Quantity((float(spread.low) + float(spread.high)) / 2, spread.low.dimension)
    return spread


def check_dimension(spread: Spread, expected: Dimension, at: KeyPath) -> None:
    """Refuse a value of another dimension than its parameter has.

    Raises:
        KeyProblem: naming the unit it needs.
    """
    try:
        parse_quantity(central(spread), expected)
    except UnitError as error:
        raise KeyProblem(str(error), at) from None


def as_value(spread: Spread) -> Value:
    """The same as a network holds it."""
    return read(spread) if isinstance(spread, tuple) else spread


AnySpread: TypeAlias = Annotated[Spread, Spreading()]
SpreadOrName: TypeAlias = Annotated[Spread | str, Spreading(names=True)]
QuantityOrName: TypeAlias = Annotated[Quantity | str, OneOrName()]
Delay: TypeAlias = Annotated[Spread, Spreading(TIME, ge=0.0)]
