"""Does the cortical microcircuit fire as it should? Eight rates over seeds, and NEST beside them.

Ember runs `microcircuit` with several seeds, each a network of its own. At full scale the mean
rate of each population has to lie within 15 % of the reference (25 % for layer 2/3 and 6
excitatory cells, which fire least), and the mean coefficient of variation of the intervals
between 0.7 and 1. Where NEST is installed it runs once, on the same tables, and its rates have to
lie within the same bands of Ember's. So has the distribution of rates over cells: from Ember's
seeds to NEST it may be (median Kolmogorov–Smirnov distance) twice as far as between two seeds at
most. At another scale there is no reference but NEST.

    python benchmarks/microcircuit_rates.py [--scale 1.0] [--seeds 5] [--seconds 5] [--no-nest]

Nothing is timed here; `microcircuit.py` does that.
"""

from __future__ import annotations

import argparse
import itertools
from importlib.util import find_spec
from typing import Any

import numpy as np
from _common import Failed, ember_run, run_side, scratch

# Potjans & Diesmann 2014 as NEST 3's example states them; another published set has 0.971 2.868
# 4.746 5.396 8.142 9.078 0.991 7.523, so bands are wide.
REFERENCE_HZ = {
    "L23E": 0.903, "L23I": 2.965, "L4E": 4.414, "L4I": 5.876,
    "L5E": 7.569, "L5I": 8.633, "L6E": 1.105, "L6I": 7.829,
}  # fmt: skip
BAND = {"L23E": 0.25, "L6E": 0.25}
USUAL_BAND = 0.15
SETTLE_S = 0.1


def main() -> None:
    """Run, print the table, and end with an error if anything lies outside its band."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of cells and of inputs a cell")
    parser.add_argument("--seeds", type=int, default=5, help="networks that Ember runs")
    parser.add_argument("--seconds", type=float, default=5.0, help="biological, after 0.1 s")
    parser.add_argument("--nest-seconds", type=float, default=1.0, help="the same of NEST")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-nest", action="store_true")
    chosen = parser.parse_args()
    if chosen.nest_seconds > chosen.seconds:
        raise Failed("NEST is compared with the start of Ember's runs: give it no more seconds")
    runs = [ember(chosen, seed) for seed in range(1, chosen.seeds + 1)]
    nest = None
    if not chosen.no_nest and find_spec("nest"):
        nest = run_side(
            "nest_microcircuit", scale=chosen.scale, threads=chosen.threads, seed=1,
            seconds=chosen.nest_seconds + SETTLE_S, settle_s=SETTLE_S,
        )  # fmt: skip
    wrong = table(runs, nest, full=chosen.scale == 1)
    if wrong:
        raise Failed(f"outside its band: {', '.join(wrong)}")


def ember(chosen: argparse.Namespace, seed: int) -> dict[str, dict[str, Any]]:
    """Per population: rate, irregularity, and how many cells gave 0, 1, 2 … spikes at first."""
    from neuro.measures import interval_cv
    from sims.store import read_run

    with scratch() as folder:
        ember_run(
            "microcircuit", f"circuits.microcircuit.scale={chosen.scale:g}", f"seed={seed}",
            f"duration={chosen.seconds + SETTLE_S:g} s",
            threads=chosen.threads, out=folder / "run.h5",
        )  # fmt: skip
        spikes = read_run(folder / "run.h5").recording.spikes
    settle_ms = 1000 * SETTLE_S
    found = {}
    for name, train in spikes.items():
        settled = train.between(settle_ms, train.t_stop_ms)
        first = settled.units[settled.times_ms < settle_ms + 1000 * chosen.nest_seconds]
        found[name] = {
            "rate": len(settled) / train.n_units / chosen.seconds,
            "cv": float(np.nanmean(interval_cv(settled))),
            "cells_with": np.bincount(np.bincount(first, minlength=train.n_units)),
        }
    return found


def distance(a: Any, b: Any) -> float:
    """Kolmogorov–Smirnov: the largest difference of two cumulative distributions of counts.

    >>> distance([2, 2], [2, 2]), distance([4, 0], [0, 4])
    (0.0, 1.0)
    """
    size = max(len(a), len(b))
    shares = [np.pad(np.asarray(x, float), (0, size - len(x))) for x in (a, b)]
    return float(np.abs(np.subtract(*(np.cumsum(x) / x.sum() for x in shares))).max())


def table(
    runs: list[dict[str, dict[str, Any]]], nest: dict[str, Any] | None, *, full: bool
) -> list[str]:
    """Print what was found; what lies outside its band."""
    wrong = []
    heads = ("Ember (Hz)", "reference", "NEST", "CV", "KS of seeds", "of NEST")
    print("\n" + " " * 6 + "".join(f"{head:>15}" for head in heads))
    for name, reference in REFERENCE_HZ.items():
        rates = [run[name]["rate"] for run in runs]
        mean, band = float(np.mean(rates)), BAND.get(name, USUAL_BAND)
        cv = float(np.mean([run[name]["cv"] for run in runs]))
        counts = [run[name]["cells_with"] for run in runs]
        seeds = [distance(a, b) for a, b in itertools.combinations(counts, 2)]
        cells = [f"{mean:.3f} ± {np.std(rates):.3f}", f"{reference:.3f}" if full else "-"]
        if not mean > 0:
            wrong.append(f"{name} is silent")
        if full and abs(mean / reference - 1) > band:
            wrong.append(f"{name} rate")
        if not 0.7 <= cv <= 1:
            wrong.append(f"{name} CV")
        there = apart = float("nan")
        if nest:
            there = nest["rates"][name]
            # Its one short run counts few spikes, which vary as those of Poisson processes do.
            if abs(mean / there - 1) > band + 3 / np.sqrt(max(nest["counts"][name], 1)):
                wrong.append(f"{name} rate against NEST")
            apart = float(np.median([distance(c, nest["cells_with"][name]) for c in counts]))
            if seeds and apart > 2 * max(seeds):
                wrong.append(f"{name} distribution against NEST")
        cells += [f"{there:.3f}", f"{cv:.2f}", f"{max(seeds, default=np.nan):.3f}", f"{apart:.3f}"]
        print(f"{name:6}" + "".join(f"{cell:>15}" for cell in cells))
    return wrong


if __name__ == "__main__":
    main()
