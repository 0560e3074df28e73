"""How long a person waits for `ember run cuba`, apart from the simulation itself.

Cold: the first run ever, with empty caches, so that equations are derived and the kernel is
compiled. Warm: the same again. Both are the wall time of the whole process minus the seconds it
simulated; the minimum and the median of a few repeats, each cold one with caches of its own.

What the time went to is told by the run itself (stimulus and wiring, building, compiling) and by
Python (`-X importtime`, in one more run, since counting makes imports slower).

    python benchmarks/startup.py [--quick] [--save] [--repeats 5] [--config cuba]
"""

from __future__ import annotations

import re
import sys
from typing import Any

from _common import EMBER, ember_run, median, options, scratch, watch
from _machine import load
from _result import Goal, Result, Row, finish

STAGES = ("encode_s", "build_s", "compile_s")
GOALS = {"cold": Goal(8, 4, "value"), "warm": Goal(1.5, 0.7, "value")}
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +([\w.]+)$")


def main() -> None:
    """Measure, and print."""
    parser = options(__doc__, repeats=5)
    parser.add_argument("--config", default="cuba", help="what to run")
    chosen = parser.parse_args()
    before = load()
    repeats = 1 if chosen.quick else chosen.repeats
    result = Result("startup", f"Start of `ember run {chosen.config}`")
    with scratch() as folder:
        cold = [ember_run(chosen.config, cache=folder / str(k)) for k in range(repeats)]
        warm = [ember_run(chosen.config, cache=folder / "0") for _ in range(repeats)]
        imports = imported(chosen.config, str(folder / "0"))
    for name, runs in (("cold", cold), ("warm", warm)):
        waits = [run["wall_s"] - run["simulate_s"] for run in runs]
        goals = (GOALS[name],) if chosen.config == "cuba" and not chosen.quick else ()
        result.rows.append(Row(f"{name} start, median", median(waits), "s", goals=goals))
        result.rows.append(Row(f"{name} start, minimum", min(waits), "s"))
        stages = {stage: median([run[stage] for run in runs]) for stage in STAGES}
        stages["rest_s"] = median(waits) - sum(stages.values())
        told = ", ".join(f"{stage[:-2]} {seconds:.2f} s" for stage, seconds in stages.items())
        result.notes.append(f"{name}: {told} (Python, imports, reading, writing)")
        result.data[name] = {"waits_s": waits, **stages}
    total = sum(imports.values())
    most = sorted(imports.items(), key=lambda item: -item[1])[:8]
    named = ", ".join(f"{package} {seconds:.2f}" for package, seconds in most)
    result.notes.append(f"imports of a warm run, {total:.2f} s while counted: {named}")
    result.data["imports_s"] = {package: round(seconds, 4) for package, seconds in most}
    finish(result, chosen, before)


def imported(config: str, cache: str) -> dict[str, float]:
    """Seconds of importing, per top-level package, in a warm run."""
    with scratch() as folder:
        command = [EMBER[0], "-X", "importtime", *EMBER[1:], "run", config]
        env = {"EMBER_CACHE": cache, "NUMBA_CACHE_DIR": f"{cache}/numba"}
        seen = watch([*command, "--out", str(folder / "run.h5"), "--json"], env=env)
    found: dict[str, Any] = {}
    for line in seen.error.splitlines():
        if hit := IMPORT.match(line):
            package = hit[2].split(".")[0]
            if package in sys.stdlib_module_names:
                package = "the standard library"
            found[package] = found.get(package, 0.0) + int(hit[1]) * 1e-6
    return found


if __name__ == "__main__":
    main()
