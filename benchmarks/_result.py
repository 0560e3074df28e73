"""A benchmark's result: rows with their aims, checks that both sides agree, table and JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from _common import Failed
from _machine import BUSY, ROOT, provenance
from _pictures import draw

__all__ = ["Agreement", "Goal", "Result", "Row", "finish"]

FOLDER = ROOT / "docs" / "benchmarks"


@dataclass(frozen=True)
class Goal:
    """What is hoped for of a row: a ratio at least, or a value of Ember's own at most."""

    limit: float
    aim: float | None = None
    of: str = "ratio"  # or "value"

    def reached(self, row: Row) -> str:
        """`aim reached`, `reached` or `missed`."""
        found, sign = (row.ratio, 1.0) if self.of == "ratio" else (row.ember, -1.0)
        if found is None:
            return "missed"
        if self.aim is not None and sign * found >= sign * self.aim:
            return "aim reached"
        return "reached" if sign * found >= sign * self.limit else "missed"

    def __str__(self) -> str:
        sign, unit = ("≥", " times") if self.of == "ratio" else ("≤", "")
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        return f"{sign} {self.limit:g}{unit}{aim}"


@dataclass(frozen=True)
class Row:
    """One line: Ember's value and the peer's, in one unit, less being better."""

    case: str
    ember: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    goals: tuple[Goal, ...] = ()
    of: str = "Ember"

    @property
    def ratio(self) -> float | None:
        """How many times less Ember needs."""
        return None if self.peer is None else self.peer / self.ember


@dataclass(frozen=True)
class Agreement:
    """A number that both sides must give alike, to within `tolerance` (in the unit of both).

    What is not a number agrees with nothing, and two silences prove nothing.
    """

    what: str
    ember: float
    peer: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether they do."""
        found = (self.ember, self.peer, self.tolerance)
        alike = abs(self.ember - self.peer) <= self.tolerance
        return alike and self.peer != 0 and all(map(math.isfinite, found))


@dataclass
class Result:
    """All that one benchmark found in one go."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def finish(result: Result, chosen: argparse.Namespace, load_before: float) -> None:
    """Print the table, and save it where that was asked for.

    Raises:
        Failed: if the two sides disagree, before any ratio is shown; or if a quick run was to
            be saved.
    """
    print(f"\n{result.title}")
    for agreement in result.agreements:
        mark = "agree" if agreement.holds else "DISAGREE"
        print(
            f"  {agreement.what}: Ember {agreement.ember:.4g}, peer {agreement.peer:.4g} "
            f"(± {agreement.tolerance:.2g}): {mark}"
        )
    if wrong := [a.what for a in result.agreements if not a.holds]:
        raise Failed(f"the two sides do not simulate the same thing ({', '.join(wrong)}): no ratio")
    print(_table(result.rows))
    for note in result.notes:
        print(f"  {note}")
    known = provenance(load_before)
    if load_before >= BUSY:
        print(f"  this machine was busy (load {load_before:.2f} a core): figures for a look only")
    if chosen.save:
        if chosen.quick:
            raise Failed("a quick run is for a look: leave out --quick to save")
        save(result, known)


def save(result: Result, known: dict[str, Any]) -> None:
    """Write docs/benchmarks/NAME.json and the page and pictures made of it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            **asdict(row),
            "ratio": row.ratio,
            "goals": [{"goal": str(goal), "reached": goal.reached(row)} for goal in row.goals],
        }
        for row in result.rows
    ]
    content = {
        "benchmark": result.name,
        "title": result.title,
        "command": " ".join(["python", f"benchmarks/{result.name}.py", *sys.argv[1:]]),
        **known,
        "rows": rows,
        "agreements": [asdict(agreement) for agreement in result.agreements],
        "notes": result.notes,
        "data": result.data,
    }
    path = FOLDER / f"{result.name}.json"
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"  written to {path.relative_to(ROOT)}")
    draw(content, ROOT / "docs")
    sys.path.insert(0, str(ROOT / "docs"))
    from _speed import write_speed

    write_speed(ROOT / "docs")


def _table(rows: Sequence[Row]) -> str:
    width = max(len(row.case) for row in rows)
    lines = []
    for row in rows:
        line = f"  {row.case:{width}}  {row.of} {_number(row.ember)} {row.unit}"
        if row.ratio is not None and row.peer is not None:
            line += f", {row.peer_name} {_number(row.peer)}: {row.ratio:.3g} times"
        line += "".join(f"  [{goal}: {goal.reached(row)}]" for goal in row.goals)
        lines.append(line)
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
