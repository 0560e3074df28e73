"""The `startle` experiment on both back ends, on this machine, in one go.

Each run is a process of its own. The first one has an empty cache, so that its time is what a
newcomer waits; the second finds the kernels that the first compiled.

    python benchmarks/startle_backends.py [key=value …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

EMBER = [sys.executable, "-c", "from sims.cli import main; main()"]
STAGES = ("encode_s", "build_s", "compile_s", "simulate_s")


def run(cache: str, *overrides: str) -> dict[str, float]:
    """Seconds of each stage, and of the whole process."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [*EMBER, "run", "startle", *overrides, "--out", f"{folder}/run.h5", "--json"],
            env={**os.environ, "EMBER_CACHE": cache},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        whole = time.perf_counter() - started
    figures = json.loads(done.stdout)
    spikes = sum(population["spikes"] for population in figures["populations"].values())
    return {**{stage: figures[stage] for stage in STAGES}, "whole_s": whole, "spikes": spikes}


def main() -> None:
    """Run, print a table, print the ratios."""
    overrides = sys.argv[1:]
    with tempfile.TemporaryDirectory() as cache:
        rows = {
            "numba, cold": run(cache, *overrides),
            "numba, warm": run(cache, *overrides),
            "brian": run(cache, "backend=brian", *overrides),
        }
    print(f"{'':12} {'encode':>8} {'build':>8} {'compile':>8} {'simulate':>8} {'whole':>8}  spikes")
    for name, row in rows.items():
        seconds = " ".join(f"{row[stage]:8.2f}" for stage in (*STAGES, "whole_s"))
        print(f"{name:12} {seconds}  {row['spikes']:.0f}")
    warm, brian = rows["numba, warm"], rows["brian"]
    print(f"numba simulates {brian['simulate_s'] / warm['simulate_s']:.1f} times as fast as brian")
    print(f"a warm run takes {warm['whole_s'] / rows['numba, cold']['whole_s']:.0%} of a cold one")


if __name__ == "__main__":
    main()
