"""How Ember's time and memory grow with the network, and where the time goes.

The microcircuit from 1 % to its full size, with Poisson input and with a constant one. Simulating
should take a time for each step, for each cell and step (its update), for each Poisson number,
and for each synaptic event (its delivery); building, a time for each synapse; nothing should grow
faster. Both are fitted, with coefficients that are not negative and each point weighted by its own
time, so that small networks count like large ones; the residuals are told. What a synaptic event
takes is set beside what this machine allows (`bandwidth.py`), measured in the same run.

    python benchmarks/growth.py [--quick] [--save] [--threads 2] [--seconds 1]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from _common import Failed, ember_run, median, options
from _expected import events, outgoing
from _machine import load
from _result import Result, Row, finish
from bandwidth import TYPICAL, deliveries

SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
DT_MS = 0.1
NAMES = {
    "one": "once", "poisson": "for Poisson input", "steps": "a step",
    "cell_steps": "a cell and step", "draws": "a Poisson number", "events": "a synaptic event",
    "synapses": "a synapse",
}  # fmt: skip


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
    points = [
        point(scale, input, seconds, chosen.threads, repeats)
        for scale in scales
        for input in ("poisson", "dc")
    ]
    result = Result("growth", f"Growth: the microcircuit from {scales[0]:.0%} to {scales[-1]:.0%}")
    fits = {
        "simulation": fit("simulate_s", points, ("steps", "cell_steps", "draws", "events")),
        "build": fit("building_s", points, ("one", "poisson", "synapses")),
        "memory": fit("peak_bytes", points, ("one", "poisson", "synapses")),
    }
    whole = max((p for p in points if p["input"] == "poisson"), key=lambda p: p["scale"])
    for name, found in fits.items():
        total = sum(value * whole[term] for term, value in found["terms"].items())
        unit = "B" if name == "memory" else "s"
        terms = ", ".join(
            f"{_with_prefix(value, unit)} {NAMES[term]} ({value * whole[term] / total:.0%})"
            for term, value in found["terms"].items()
        )
        worst = max(map(abs, found["residuals"]))
        result.notes.append(
            f"{name}: {terms}, shares at scale {whole['scale']:g}; residuals of at most {worst:.0%}"
        )
    n_edges = 4_000_000 if chosen.quick else 200_000_000
    limit = deliveries(chosen.threads, n_edges, 5)[TYPICAL] / chosen.threads
    event = 1e9 * fits["simulation"]["terms"]["events"]
    result.notes.append(
        f"delivery: {event:.2f} ns an event, where this machine's memory allows {limit:.2f} ns"
    )
    result.rows = [
        Row(f"scale {p['scale']:g}: {p['synapses'] / 1e6:,.1f} M synapses, "
            f"{p['events'] / 1e6:,.1f} M events", p["simulate_s"], "s")
        for p in points if p["input"] == "poisson"
    ]  # fmt: skip
    result.data = {"points": points, "fits": fits, "limit_ns": limit, "threads": chosen.threads}
    finish(result, chosen, before)


def point(scale: float, input: str, seconds: float, threads: int, repeats: int) -> dict[str, Any]:
    """One network: how large it is, and the median of what it took."""
    overrides = (
        f"circuits.microcircuit.scale={scale:g}", f"circuits.microcircuit.input={input}",
        f"duration={seconds:g} s",
    )  # fmt: skip
    synapses = outgoing("microcircuit", *overrides)
    runs = [ember_run("microcircuit", *overrides, threads=threads) for _ in range(repeats)]
    cells = sum(about["n"] for about in runs[0]["populations"].values())
    steps = round(1000 * seconds / DT_MS)
    return {
        "scale": scale,
        "input": input,
        "one": 1,
        "poisson": int(input == "poisson"),
        "steps": steps,
        "cells": cells,
        "cell_steps": cells * steps,
        "draws": cells * steps if input == "poisson" else 0,
        "synapses": sum(synapses.values()),
        "spikes": sum(about["spikes"] for about in runs[0]["populations"].values()),
        "events": events(runs[0], synapses),
        "simulate_s": median([run["simulate_s"] for run in runs]),
        "building_s": median([run["encode_s"] + run["build_s"] for run in runs]),
        "peak_bytes": median([run["peak_bytes"] for run in runs]),
    }


def fit(what: str, points: list[dict[str, Any]], terms: Sequence[str]) -> dict[str, Any]:
    """Non-negative factors of `terms` whose sum gives `what`, and each point's relative residual.

    Raises:
        Failed: if a term is 0 everywhere, as of a network that is silent.
    """
    from scipy.optimize import nnls

    measured = np.array([p[what] for p in points])
    matrix = np.array([[p[term] for term in terms] for p in points], float)
    size = matrix.max(axis=0)  # nnls wants columns of one magnitude
    if not size.all():
        raise Failed(
            f"{what}: a network of no size, or one that is silent, tells nothing of growth"
        )
    values = nnls(matrix / size / measured[:, None], np.ones(len(points)))[0] / size
    return {
        "terms": dict(zip(terms, map(float, values), strict=True)),
        "residuals": [float(r) for r in measured / (matrix @ values) - 1],
    }


def _with_prefix(value: float, unit: str) -> str:
    for power, prefix in ((6, "M"), (0, ""), (-3, "m"), (-6, "µ")):
        if value >= 10.0**power:
            return f"{value / 10.0**power:.3g} {prefix}{unit}"
    return f"{value * 1e9:.3g} n{unit}"


if __name__ == "__main__":
    main()
