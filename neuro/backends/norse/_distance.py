"""How far a cell has to go to its threshold: what the surrogate's distance is measured in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuro.backends.norse.printer import CellPrinter
from neuro.build import BuiltPopulation
from neuro.equations.hoist import evaluate
from neuro.equations.syntax import names_in

__all__ = ["distances"]


def distances(built: BuiltPopulation, printer: CellPrinter, dt_ms: float) -> tuple[float, ...]:
    """For each comparison in the threshold, the mean distance of its sides over the cells.

    It is taken where the reset leaves a cell, if the reset sets to a value what is compared; else
    where a cell starts; and is 1, in the unit of what is compared, where that is no distance.
    """
    program = built.program
    start: dict[str, object] = {
        **built.parameters, **built.initial, **dict.fromkeys(program.inputs, 0.0),
        **dict.fromkeys(program.summed, 0.0), "dt": dt_ms, "t": 0.0, "N": float(built.n),
        "i": np.arange(built.n, dtype=np.float64),
    }  # fmt: skip
    after = dict(start)
    moved = set[str]()
    for name, text in program.reset:
        if name in program.states and name not in names_in(text):
            moved.add(name)
            if "rand" not in text:
                after[name] = evaluate(text, _with_subexpressions(built, after))
    found = []
    for sides in printer.comparisons:
        values = after if moved & _read(built, sides) else start
        found.append(_distance(built, printer, sides, values))
    return tuple(found)


def _distance(
    built: BuiltPopulation, printer: CellPrinter, sides: tuple[str, str],
    values: Mapping[str, object],
) -> float:  # fmt: skip
    known = _with_subexpressions(built, values)
    for name, text in printer.constants:
        known[name] = evaluate(text, known)
    if any("rand" in side for side in sides):
        return 1.0
    high, low = (evaluate(side, known) for side in sides)
    distance = float(np.mean(np.abs(high - low)))
    return distance if np.isfinite(distance) and distance > 0 else 1.0


def _with_subexpressions(
    built: BuiltPopulation, values: Mapping[str, object]
) -> dict[str, object]:  # fmt: skip
    known = dict(values)
    for name, text in built.program.subexpressions:
        if "rand" not in text:
            known[name] = evaluate(text, known)
    return known


def _read(built: BuiltPopulation, sides: tuple[str, str]) -> set[str]:
    """States that a comparison reads, by way of subexpressions too."""
    names = {name for side in sides for name in names_in(side)}
    for name, text in reversed(built.program.subexpressions):
        if name in names:
            names |= names_in(text)
    return names
