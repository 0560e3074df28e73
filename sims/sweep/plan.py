"""The plan of a sweep: which points, under which ids, decided before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from neuro.errors import ConfigError, EmberError, UnitError, nearest
from neuro.units import NUMBER, parse_quantity
from sims.config.overrides import put
from sims.config.sweep import SweepSection
from sims.sweep.axes import combinations, surface

__all__ = ["Column", "Plan", "Point", "Resolved", "make_plan", "unknown_part"]


class Resolved(Protocol):
    """What a plan needs of a loaded config: its full text and that text's hash."""

    @property
    def resolved(self) -> Mapping[str, Any]:
        """The config with every default, JSON-ready."""

    @property
    def hash(self) -> str:
        """Hash of `resolved`."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        id: Hash of `resolved`: the same run has the same id in every sweep.
        values: What the varied keys are, as written in a config.
        seed: The run's seed.
        resolved: The run's full config.
    """

    id: str
    values: Mapping[str, Any]
    seed: int
    resolved: Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One varied key as a column of numbers (with a unit) or, where it is no number, of text.

    Attributes:
        unit: Such as `nM`; `1` for a pure number; empty for text.
        values: One a point.
    """

    key: str
    unit: str
    values: tuple[float | int | bool | str, ...]


@dataclass(frozen=True)
class Plan:
    """All points of a sweep, in the order of the table, and the hash that identifies them."""

    name: str
    section: SweepSection
    points: tuple[Point, ...]
    columns: tuple[Column, ...]
    hash: str

    def to_json(self) -> dict[str, Any]:
        """What `sweep.json` says of it."""
        return {
            "name": self.name,
            "plan_hash": self.hash,
            "vary": {
                column.key: {"unit": column.unit, "values": list(dict.fromkeys(column.values))}
                for column in self.columns
            },
            "points": [
                {"id": point.id, "seed": point.seed, "values": dict(point.values)}
                for point in self.points
            ],
        }


def unknown_part(base: Mapping[str, Any], key: str) -> str:
    """What is wrong with a dotted key that leads through something `base` does not have.

    Empty if all but its last part are there. A misspelt name would otherwise make a new thing
    of that name (a transmitter that acts on nothing), and the sweep would vary nothing.
    """
    here: Any = base
    parts = key.split(".")
    for depth, part in enumerate(parts[:-1]):
        if isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        elif isinstance(here, Mapping) and part not in here:
            at = ".".join(parts[:depth]) or "the config"
            hint = nearest(part, [str(name) for name in here])
            return f"expected a key of the config, found `{key}`: {at} has no `{part}`{hint}"
        elif isinstance(here, Mapping):
            here = here[part]
        else:
            break  # no way on: what puts the value there says so
    return ""


def make_plan(
    name: str,
    section: SweepSection,
    base: Mapping[str, Any],
    check: Callable[[dict[str, Any]], Resolved],
) -> Plan:
    """Combine the axes, put each combination into the config, and check every point.

    Args:
        name: The sweep's name.
        section: What varies and how.
        base: The run config that points differ from, JSON-ready, without its `sweep` section.
        check: Reads one point's config and refuses a bad one (`sims.config.from_resolved`).

    Raises:
        ConfigError: if a key is unknown, a point is refused, or two points are the same run.
    """
    seeds = _seeds(section, int(base["seed"]))
    points: list[Point] = []
    where: dict[str, int] = {}
    rows = combinations(
        section.vary, combine=section.combine, samples=section.samples, seed=int(base["seed"])
    )
    for values in rows:
        for seed in seeds:
            given = values if seed is None else {**values, "seed": seed}
            try:
                checked = check(put(base, given))
            except EmberError as error:
                raise ConfigError(f"sweep point {_spell(given)}: {error}") from None
            if checked.hash in where:
                raise ConfigError(
                    f"sweep points must differ, found points {where[checked.hash] + 1} and "
                    f"{len(points) + 1} ({_spell(values)}) to be the same run; remove one"
                )
            where[checked.hash] = len(points)
            points.append(
                Point(checked.hash, values, int(checked.resolved["seed"]), checked.resolved)
            )
    columns = tuple(_column(key, [point.values[key] for point in points]) for key in section.vary)
    return Plan(name, section, tuple(points), columns, _hash(section, points))


def _seeds(section: SweepSection, first: int) -> list[int] | list[None]:
    if section.seeds is None:
        return [None]
    if isinstance(section.seeds, int):
        return list(range(first, first + section.seeds))
    return list(section.seeds)


def _column(key: str, values: list[Any]) -> Column:
    if all(isinstance(value, bool) for value in values):
        return Column(key, "", tuple(values))
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return Column(key, "1", tuple(values))
    try:
        quantities = [parse_quantity(value) for value in values]
    except UnitError:
        quantities = []
    dimensions = {quantity.dimension for quantity in quantities}
    if len(dimensions) == 1:
        (dimension,) = dimensions
        unit = "1" if dimension == NUMBER else dimension.unit
        return Column(key, unit, tuple(surface(quantity) for quantity in quantities))
    return Column(key, "", tuple(v if isinstance(v, str) else json.dumps(v) for v in values))


def _spell(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _hash(section: SweepSection, points: list[Point]) -> str:
    """Of what decides the table: points and columns, but not how often a failure is retried."""
    decides = {
        "points": [(point.id, dict(point.values), point.seed) for point in points],
        "measures": [measure.model_dump(mode="json") for measure in section.measures],
        "keep": section.keep,
    }
    text = json.dumps(decides, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
