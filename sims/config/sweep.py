"""The `sweep` section of a config: what varies, how it is combined, and what is measured."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from neuro.errors import UnitError, nearest
from neuro.units import TIME, Dimension, Quantity, ms, parse_quantity
from sims.config.base import Listing, Measure, Positive, StrictModel
from sims.config.errors import KeyProblem, shown

__all__ = ["Axis", "Drawn", "End", "Listed", "Spaced", "SweepSection", "WindowMeasure"]

_SPACED = ("linspace", "geomspace", "logspace")
_DRAWN = ("uniform", "loguniform", "normal")
_AXIS_FORMS = (
    "a list of values, {linspace: [first, last, n]}, {geomspace: [first, last, n]}, or "
    "{random: {uniform|loguniform: [low, high]}} or {random: {normal: [mean, sd]}}"
)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)


class End(NamedTuple):
    """A number as it was written: its value in `unit` (empty for a pure number)."""

    number: float
    unit: str
    whole: bool
    dimension: Dimension

    @classmethod
    def read(cls, written: object) -> End:
        """Read `3`, `0.5` or `20 nM`.

        Raises:
            UnitError: if it is no finite number, or its unit is unknown.
        """
        quantity = parse_quantity(written)
        parts = _NUMBER.fullmatch(written.strip()) if isinstance(written, str) else None
        if not math.isfinite(quantity):
            raise UnitError(f"expected a finite number, found {shown(written)}")
        if isinstance(written, (int, float)):
            return cls(float(written), "", isinstance(written, int), quantity.dimension)
        if parts is None:  # pint also reads sums and products; a value is one number
            raise UnitError(f"expected a number with a unit, such as `20 ms`, found `{written}`")
        return cls(float(parts[1]), parts[2], False, quantity.dimension)


@dataclass(frozen=True)
class Listed:
    """Values one by one, as a config would give them."""

    values: tuple[Any, ...]

    def to_json(self) -> Any:
        """The form the config file has."""
        return list(self.values)


@dataclass(frozen=True)
class Spaced:
    """`n` values from `first` to `last`, both included, evenly or evenly in the logarithm."""

    first: Any
    last: Any
    n: int
    logarithmic: bool

    def to_json(self) -> Any:
        """The form the config file has."""
        return {"geomspace" if self.logarithmic else "linspace": [self.first, self.last, self.n]}


@dataclass(frozen=True)
class Drawn:
    """Values drawn at random: `uniform` or `loguniform` (low, high), `normal` (mean, sd)."""

    distribution: Literal["uniform", "loguniform", "normal"]
    first: Any
    second: Any

    def to_json(self) -> Any:
        """The form the config file has."""
        return {"random": {self.distribution: [self.first, self.second]}}


def _read_axis(found: object) -> Listed | Spaced | Drawn:
    if isinstance(found, (Listed, Spaced, Drawn)):
        return found
    if isinstance(found, (list, tuple)):
        if not found:
            raise KeyProblem("expected at least one value, found an empty list")
        return Listed(tuple(found))
    kind, content = _only_item(found, (*_SPACED, "random"), _AXIS_FORMS)
    if kind == "random":
        law, ends = _only_item(content, _DRAWN, "{uniform|loguniform|normal: [a, b]}")
        return _read_drawn(law, ends)
    if not isinstance(content, (list, tuple)) or len(content) != 3:
        raise KeyProblem(f"expected {kind}: [first, last, n], found {shown(content)}")
    first, last, n = content
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise KeyProblem(f"expected a count n >= 1 as the third of {kind}, found {shown(n)}")
    ends = _pair(first, last)
    if kind != "linspace" and min(ends[0].number, ends[1].number) <= 0:
        raise KeyProblem(
            f"expected two positive ends for {kind}, found {shown(first)} and {shown(last)}"
        )
    return Spaced(first, last, n, logarithmic=kind != "linspace")


def _read_drawn(law: str, ends: object) -> Drawn:
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        raise KeyProblem(f"expected {law}: [a, b], found {shown(ends)}")
    low, high = _pair(*ends)
    if law == "loguniform" and min(low.number, high.number) <= 0:
        raise KeyProblem(
            f"expected two positive ends for {law}, found {shown(ends[0])} and {shown(ends[1])}"
        )
    if law == "normal" and high.number < 0:
        raise KeyProblem(f"expected a standard deviation >= 0, found {shown(ends[1])}")
    if law != "normal" and parse_quantity(ends[0]) > parse_quantity(ends[1]):
        raise KeyProblem(f"expected low <= high, found {shown(ends[0])} and {shown(ends[1])}")
    return Drawn(law, ends[0], ends[1])  # type: ignore[arg-type]  # checked by the caller


def _pair(first: object, second: object) -> tuple[End, End]:
    ends = End.read(first), End.read(second)
    if ends[0].dimension != ends[1].dimension:
        raise KeyProblem(
            f"expected two ends of one dimension, found {shown(first)} ({ends[0].dimension}) "
            f"and {shown(second)} ({ends[1].dimension})"
        )
    return ends


def _only_item(found: object, known: Sequence[str], forms: str) -> tuple[str, Any]:
    if not isinstance(found, Mapping) or len(found) != 1:
        raise KeyProblem(f"expected {forms}, found {shown(found)}")
    ((key, content),) = found.items()
    if key not in known:
        raise KeyProblem(f"expected {forms}, found `{key}`{nearest(str(key), known)}")
    return key, content


_END_SCHEMA: dict[str, Any] = {"type": ["number", "string"]}
_ENDS_SCHEMA: dict[str, Any] = {
    "type": "array", "items": _END_SCHEMA, "minItems": 2, "maxItems": 2,
}  # fmt: skip
_SPACED_SCHEMA: dict[str, Any] = {
    "type": "array",
    "prefixItems": [_END_SCHEMA, _END_SCHEMA, {"type": "integer", "minimum": 1}],
    "minItems": 3,
    "maxItems": 3,
}


def _object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "additionalProperties": False,
        "minProperties": 1, "maxProperties": 1,
    }  # fmt: skip


Axis = Annotated[
    Listed | Spaced | Drawn,
    PlainValidator(_read_axis),
    PlainSerializer(lambda axis: axis.to_json(), return_type=Any),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1},
                _object_schema(dict.fromkeys(_SPACED, _SPACED_SCHEMA)),
                _object_schema({"random": _object_schema(dict.fromkeys(_DRAWN, _ENDS_SCHEMA))}),
            ]
        }
    ),
]
"""How one key varies: a list, `linspace` or `geomspace` (alias `logspace`), or `random`."""


class WindowMeasure(StrictModel):
    """One more column of the table: a number taken from a window of each run.

    Exactly one of `rate`, `spikes`, `latency`, `modulator` or `factor` says what is measured
    between `from` and `to`.
    """

    rate: str | None = None
    """Population whose mean rate per cell is taken, in Hz."""
    spikes: str | None = None
    """Population whose spikes are counted."""
    latency: str | None = None
    """Population whose first spike is looked for, in ms after `from`; empty if there is none."""
    modulator: str | None = None
    """Transmitter whose mean concentration is taken, in nM."""
    factor: str | None = None
    """`target.parameter` whose mean factor is taken."""
    start: Annotated[Quantity, Measure(TIME, ge=0)] = Field(default=ms(0), alias="from")
    """Start of the window."""
    stop: Annotated[Quantity, Measure(TIME, ge=0)] | None = Field(default=None, alias="to")
    """End of the window; the end of the run if left out."""
    name: str | None = Field(default=None, min_length=1)
    """Name of the column; made of kind, subject and window if left out."""

    @property
    def kind(self) -> str:
        """Which of the five it is."""
        return next(kind for kind in _MEASURES if getattr(self, kind) is not None)

    @property
    def of(self) -> str:
        """The population, modulator or factor it is taken from."""
        return str(getattr(self, self.kind))

    @property
    def column(self) -> str:
        """Its column: `name`, or one made of kind, subject and window."""
        if self.name is not None:
            return self.name
        kind = {"rate": "rate_hz", "latency": "latency_ms"}.get(self.kind, self.kind)
        end = "end" if self.stop is None else f"{float(self.stop):g}ms"
        return f"{kind}.{self.of}.{float(self.start):g}ms-{end}"

    @model_validator(mode="after")
    def _one_kind(self) -> WindowMeasure:
        given = [kind for kind in _MEASURES if getattr(self, kind) is not None]
        if len(given) != 1:
            raise KeyProblem(
                f"expected exactly one of {', '.join(_MEASURES)}, "
                f"found {', '.join(given) or 'none'}"
            )
        if self.stop is not None and self.stop <= self.start:
            raise KeyProblem(f"expected `to` after `from`, found {self.start} to {self.stop}")
        return self


_MEASURES = ("rate", "spikes", "latency", "modulator", "factor")


def _read_seeds(found: object) -> int | tuple[int, ...] | None:
    seeds = found if isinstance(found, (list, tuple)) else [found]
    if found is None:
        return None
    if any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in seeds):
        raise KeyProblem(f"expected a count, or a list of whole numbers, found {shown(found)}")
    if isinstance(found, int):
        if found < 1:
            raise KeyProblem(f"expected at least 1 seed, found {found}")
        return found
    if not seeds or len(set(seeds)) != len(seeds):
        raise KeyProblem(f"expected one or more different seeds, found {shown(found)}")
    return tuple(seeds)


Seeds = Annotated[
    int | tuple[int, ...] | None,
    PlainValidator(_read_seeds),
    PlainSerializer(
        lambda seeds: list(seeds) if isinstance(seeds, tuple) else seeds, return_type=Any
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                {"type": "null"},
            ]
        }
    ),
]
"""How many seeds, or which."""


class SweepSection(StrictModel):
    """A sweep over a run config: one run for each combination of values and seeds."""

    vary: dict[str, Axis]
    """Dotted key of the run config: how it varies."""
    combine: Literal["grid", "zip", "random"] = "grid"
    """grid: every combination, keys that are random being drawn jointly `samples` times; zip:
    the n-th value of each; random: `samples` independent draws from each."""
    samples: Positive | None = None
    """How often random keys are drawn."""
    seeds: Seeds = None
    """Repeat each point with these seeds, or with n seeds from the config's on."""
    measures: Listing[WindowMeasure] = ()
    """Further columns of the table."""
    keep: Literal["measures", "runs"] = "measures"
    """runs: keep every point's whole run file as well."""
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """How often a point is run again that failed by an accident, such as a worker that died."""

    @model_validator(mode="after")
    def _fits_together(self) -> SweepSection:
        if not self.vary:
            raise KeyProblem("expected at least one key to vary, found none", ("vary",))
        random = [key for key, axis in self.vary.items() if isinstance(axis, Drawn)]
        if random and self.samples is None and self.combine != "zip":
            raise KeyProblem(f"`{random[0]}` is random: expected `samples: n`, found none")
        if self.combine == "random" and self.samples is None:
            raise KeyProblem("combine: random needs `samples: n`, found none")
        if self.samples is not None and not random and self.combine != "random":
            raise KeyProblem(f"samples: {self.samples} has no effect: no key of `vary` is random")
        if "seed" in self.vary and self.seeds is not None:
            raise KeyProblem("the seed varies twice: expected `seeds` or `vary.seed`, found both")
        return self
