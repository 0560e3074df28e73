"""How Ember's time and memory grow with the network: the microcircuit from 1 % to its full size.

Simulation should take time in proportion to the cells' steps and to the synaptic events, and
building in proportion to the synapses; nothing should grow faster. Both are fitted (with
non-negative coefficients, each point weighted by its own time, so that small networks count like
large ones), and the residuals are told.

    python benchmarks/growth.py [--quick] [--save] [--threads 2] [--seconds 1]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _common import Failed, ember_run, median, options
from _expected import events, outgoing
from _machine import load
from _result import Result, Row, finish

SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
DT_MS = 0.1


def main() -> None:
    """Measure, fit, and print."""
    parser = options(__doc__, repeats=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="biological")
    parser.add_argument("--largest", type=float, default=1.0, help="leave out what is larger")
    chosen = parser.parse_args()
    before = load()
    scales = [s for s in ((0.01, 0.02, 0.04) if chosen.quick else SCALES) if s <= chosen.largest]
    repeats, seconds = (1, 0.1) if chosen.quick else (chosen.repeats, chosen.seconds)
    points = [point(scale, seconds, chosen.threads, repeats) for scale in scales]
    steps = 1000 * seconds / DT_MS
    result = Result("growth", f"Growth: the microcircuit from {scales[0]:.0%} to {scales[-1]:.0%}")
    fits = {
        "simulation": fit(
            "simulate_s", points, {"cell-step": lambda p: p["cells"] * steps, "event": "events"}
        ),
        "build": fit("building_s", points, {"synapse": "synapses"}),
        "memory": fit("peak_bytes", points, {"synapse": "synapses"}),
    }
    for name, found in fits.items():
        unit = ("bytes", 1.0) if name == "memory" else ("ns", 1e9)
        terms = ", ".join(
            f"{value * unit[1]:.3g} {unit[0]} per {term}" for term, value in found["terms"].items()
        )
        result.notes.append(
            f"{name}: {terms}, and {found['constant']:.3g} {'B' if name == 'memory' else 's'} "
            f"whatever the size; residuals of at most {max(map(abs, found['residuals'])):.0%}"
        )
    result.rows = [
        Row(f"scale {p['scale']:g}: {p['synapses'] / 1e6:,.1f} M synapses, "
            f"{p['events'] / 1e6:,.1f} M events", p["simulate_s"], "s")
        for p in points
    ]  # fmt: skip
    result.data = {"points": points, "fits": fits, "seconds": seconds, "threads": chosen.threads}
    finish(result, chosen, before)


def point(scale: float, seconds: float, threads: int, repeats: int) -> dict[str, Any]:
    """One size: how large it is, and the median of what it took."""
    overrides = (f"circuits.microcircuit.scale={scale:g}", f"duration={seconds:g} s")
    synapses = outgoing("microcircuit", *overrides)
    runs = [ember_run("microcircuit", *overrides, threads=threads) for _ in range(repeats)]
    return {
        "scale": scale,
        "cells": sum(about["n"] for about in runs[0]["populations"].values()),
        "synapses": sum(synapses.values()),
        "spikes": sum(about["spikes"] for about in runs[0]["populations"].values()),
        "events": events(runs[0], synapses),
        "simulate_s": median([run["simulate_s"] for run in runs]),
        "building_s": median([run["encode_s"] + run["build_s"] for run in runs]),
        "peak_bytes": median([run["peak_bytes"] for run in runs]),
    }


def fit(what: str, points: list[dict[str, Any]], terms: dict[str, Any]) -> dict[str, Any]:
    """Non-negative `constant` and `terms` that give `what`, and each point's relative residual.

    >>> made = [{"t": 2 + 3 * n, "n": n} for n in (1, 10, 100)]
    >>> found = fit("t", made, {"one": "n"})
    >>> round(found["constant"], 6), round(found["terms"]["one"], 6)
    (2.0, 3.0)
    """
    from scipy.optimize import nnls

    measured = np.array([p[what] for p in points])
    columns = [np.ones(len(points))]
    for term in terms.values():
        columns.append(np.array([term(p) if callable(term) else p[term] for p in points]))
    matrix = np.stack(columns, axis=1)
    size = matrix.max(axis=0)  # nnls wants columns of one magnitude
    if not size.all():
        raise Failed(
            f"{what}: a network of no size, or one that is silent, tells nothing of growth"
        )
    values = nnls(matrix / size / measured[:, None], np.ones(len(points)))[0] / size
    return {
        "constant": float(values[0]),
        "terms": dict(zip(terms, map(float, values[1:]), strict=True)),
        "residuals": [float(r) for r in measured / (matrix @ values) - 1],
    }


if __name__ == "__main__":
    main()
