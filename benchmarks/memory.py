"""A long run needs no more memory than a short one: ten minutes of 10,000 cells, from outside.

`ember run` writes its spikes to disk while it goes. The resident memory of its process is read
from the system throughout. Between the first fifth of the simulation, by when all there is to
allocate is allocated, and the last twentieth, in which the file is closed, it should not grow,
while what would have to be kept otherwise does.

    python benchmarks/memory.py [--quick] [--save] [--minutes 10] [--threads 2]
"""

from __future__ import annotations

import numpy as np
from _common import Failed, ember_run, options
from _machine import load
from _result import Goal, Result, Row, finish

SPIKE_BYTES = 12  # a time and a cell, as a recording holds them
CONFIG, CELLS = "cuba", "circuits.cuba.n_cells=10000"


def main() -> None:
    """Run, look, and print."""
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="biological")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    before = load()
    minutes = 0.05 if chosen.quick else chosen.minutes
    run = ember_run(CONFIG, CELLS, f"duration={60 * minutes:g} s", threads=chosen.threads,
                    every_s=0.05 if chosen.quick else 0.5)  # fmt: skip
    result = Result("memory", f"Memory of a run of {minutes:g} minutes, 10,000 cells")
    spikes = sum(about["spikes"] for about in run["populations"].values())
    times, resident = np.array(run["times_s"]), np.array(run["resident"])
    left = (run["wall_s"] - times) / run["simulate_s"]
    late = (left < 0.8) & (left > 0.05)
    if late.sum() < 5:
        raise Failed(f"a run of {minutes:g} minutes is over too soon to see its memory grow")
    per_second = float(np.polyfit(times[late], resident[late], 1)[0])
    per_minute = per_second * run["simulate_s"] / minutes / 1e6
    # Engineering choice: less than a hundredth of what the spikes would take.
    goals = () if chosen.quick else (Goal(0.4, of="value"),)
    result.rows = [
        Row("memory gained per biological minute", per_minute, "MB", goals=goals),
        Row("peak memory", run["peak_bytes"] / 1e6, "MB"),
        Row("memory that all spikes would take", SPIKE_BYTES * spikes / 1e6, "MB"),
        Row("run file", run["file_bytes"] / 1e6, "MB"),
    ]
    result.notes.append(f"{spikes:,} spikes; simulated in {run['simulate_s']:.0f} s")
    kept = np.linspace(0, times.size - 1, min(400, times.size)).astype(int)
    result.data = {
        "minutes": minutes, "spikes": spikes, "wall_s": run["wall_s"],
        "simulate_s": run["simulate_s"], "spike_bytes": SPIKE_BYTES,
        "times_s": times[kept].round(2).tolist(), "resident": resident[kept].tolist(),
    }  # fmt: skip
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
