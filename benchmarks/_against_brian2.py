"""One Ember config against one Brian2 model: same network, same thing recorded, one run."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from _common import ember_run, median, run_side
from _result import Agreement, Goal, Result, Row

__all__ = ["agreement", "compare"]

TOLERANCE = 0.05  # of a mean rate; engineering choice: what a wrong weight or delay exceeds


def compare(
    result: Result,
    chosen: argparse.Namespace,
    *,
    config: str,
    overrides: Sequence[str],
    side: str,
    settings: Mapping[str, Any],
    populations: Mapping[str, Sequence[str]],
    seconds: float,
    case: str,
    goal: Goal,
) -> None:
    """Add the rows and agreements of one case to `result`.

    Both sides are compiled before they are timed, and only simulation is: the seconds that
    `ember run` and Brian2's binary report. Both record all spikes. Each repeat draws new edges
    and a new start; the median counts. A quick run uses Brian2's numpy target, which is not
    compiled and so no peer in speed.

    Args:
        config, overrides: What `ember run` is asked for.
        side, settings: What `sides/SIDE.py` is asked for.
        populations: Per name in the peer's result, Ember's populations that make it up.
        seconds: Biological time.
        goal: Of the ratio; 1 thread and 2 are each held to it.
    """
    settings = {**settings, "seconds": seconds, "repeats": chosen.repeats}
    if chosen.quick:
        peers = {"Brian2 numpy": run_side(side, **settings, target="numpy")}
    else:
        peers = {
            "Brian2 C++": run_side(side, **settings),
            "Brian2 C++ with OpenMP": run_side(side, **settings, threads=2),
        }
    serial = next(iter(peers))
    fastest = min(peers, key=lambda name: median(peers[name]["run_s"]))
    for threads, name in ((1, serial), (2, fastest)):
        peer = peers[name]
        rates: dict[str, list[float]] = {key: [] for key in populations}
        runs = [
            ember_run(
                config, *overrides, f"duration={seconds:g} s", f"seed={seed}", threads=threads
            )
            for seed in range(1, chosen.repeats + 1)
        ]
        for run in runs:
            for key, members in populations.items():
                found = [run["populations"][member] for member in members]
                spikes, n = (sum(p[what] for p in found) for what in ("spikes", "n"))
                rates[key].append(spikes / (n * seconds))
        for key in populations:
            there = [found[key] for found in peer["results"]]
            label = f"{case}, {threads} thread{'s'[: threads - 1]}"
            result.agreements.append(agreement(f"{label}, {key} rate (Hz)", rates[key], there))
        result.rows.append(
            Row(
                label,
                median([run["simulate_s"] for run in runs]) / seconds,
                "s per biological second",
                median(peer["run_s"]) / seconds,
                name,
                () if chosen.quick else (goal,),
            )
        )
        result.data[label] = {
            "ember": {key: [run[key] for run in runs] for key in TIMES},
            "peers": {
                name: {key: found[key] for key in ("run_s", "compile_s", "peak_bytes")}
                for name, found in peers.items()
            },
        }


TIMES = ("encode_s", "build_s", "compile_s", "simulate_s", "wall_s", "peak_bytes")


def agreement(what: str, here: Sequence[float], there: Sequence[float]) -> Agreement:
    """Whether two means agree: within 5 %, and three standard errors of their difference.

    >>> agreement("rate", [5.1, 5.2, 5.0], [5.0, 5.1, 5.2]).holds
    True
    >>> agreement("rate", [5.1, 5.2, 5.0], [6.1, 6.2, 6.0]).holds
    False
    """
    mean = statistics.fmean(there)
    error = math.sqrt(sum(statistics.variance(x) / len(x) for x in (here, there) if len(x) > 1))
    return Agreement(what, statistics.fmean(here), mean, TOLERANCE * mean + 3 * error)
