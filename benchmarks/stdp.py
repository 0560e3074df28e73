"""Spike-timing-dependent plasticity: Ember against Brian2's C++ standalone mode.

1,000 and 10,000 Poisson inputs of 15 Hz onto one cell through additive STDP (Song, Miller &
Abbott 2000). Both sides have to end with the same distribution of weights (Kolmogorov–Smirnov),
at the same rates. Compilation is left out on both sides.

    python benchmarks/stdp.py [--quick] [--save] [--repeats 5]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from _against_brian2 import agreement
from _common import median, options, run_side
from _machine import load
from _result import Agreement, Goal, Result, Row, finish

SIGNIFICANCE = 1e-3  # of the test on weights: one false alarm in a thousand runs


def main() -> None:
    """Compare, and print."""
    chosen = options(__doc__, repeats=5).parse_args()
    before = load()
    result = Result("stdp", "STDP with Poisson input (Song, Miller & Abbott 2000)")
    cases = ((1000, 1.0),) if chosen.quick else ((1000, 50.0), (10000, 10.0))
    for n_inputs, seconds in cases:
        add_case(result, chosen, n_inputs, seconds)
    finish(result, chosen, before)


def add_case(result: Result, chosen: Any, n_inputs: int, seconds: float) -> None:
    """The rows and agreements of one number of inputs, with 1 and 2 threads."""
    settings = {"n_inputs": n_inputs, "seconds": seconds, "repeats": chosen.repeats}
    target = "numpy" if chosen.quick else "standalone"
    peer = run_side("brian2_stdp", **settings, target=target)
    for threads in (1, 2):
        ember = run_side("ember_stdp", **settings, threads=threads)
        label = f"{n_inputs:,} inputs, {threads} thread{'s'[: threads - 1]}"
        for what in ("cell", "inputs"):
            here, there = ([run[what] for run in side["results"]] for side in (ember, peer))
            result.agreements.append(agreement(f"{label}, rate of {what} (Hz)", here, there))
        result.agreements.append(same_weights(label, ember["results"], peer["results"]))
        result.rows.append(
            Row(
                label,
                median(ember["run_s"]) / seconds,
                "s per biological second",
                median(peer["run_s"]) / seconds,
                "Brian2 numpy" if chosen.quick else "Brian2 C++",
                () if chosen.quick else (Goal(1, aim=3),),
            )
        )
        result.data[label] = {
            "ember": {key: ember[key] for key in ("run_s", "compile_s", "build_s", "peak_bytes")},
            "peer": {key: peer[key] for key in ("run_s", "compile_s", "peak_bytes")},
        }


def same_weights(label: str, here: list[Any], there: list[Any]) -> Agreement:
    """The share of weights below the point where the two distributions differ most.

    The difference is the Kolmogorov–Smirnov distance, and the tolerance its critical value.
    """
    ours, theirs = (np.sort(np.concatenate([run["weights"] for run in runs]))
                    for runs in (here, there))  # fmt: skip
    points = np.concatenate([ours, theirs])
    shares = [np.searchsorted(side, points, "right") / side.size for side in (ours, theirs)]
    worst = int(np.argmax(np.abs(shares[0] - shares[1])))
    critical = math.sqrt(-math.log(SIGNIFICANCE / 2) / 2 * (1 / ours.size + 1 / theirs.size))
    what = f"{label}, share of weights below {points[worst]:.2f} of the maximum"
    return Agreement(what, float(shares[0][worst]), float(shares[1][worst]), critical)


if __name__ == "__main__":
    main()
