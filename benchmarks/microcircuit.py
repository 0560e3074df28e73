"""The cortical microcircuit of Potjans & Diesmann 2014: Ember against NEST, on one machine.

77,169 cells, 299 million synapses, Poisson input. Each side runs in a process of its own, with
the same number of threads, and records all spikes; Ember runs once a seed, each a network of its
own. The first 0.1 s counts for speed, and not for the rates, which have to agree population by
population: within 15 % (25 % for layer 2/3 and 6 excitatory cells, which fire least), and three
standard errors of the counts. At full scale the published rates are held to the same bands.

    python benchmarks/microcircuit.py [--quick] [--save] [--scale 1.0] [--threads 2]
    python benchmarks/microcircuit.py --nest docs/benchmarks/microcircuit.json

At full scale NEST takes minutes and some 15 GB. `--nest FILE` takes its figures from a result
that was saved on the same kind of machine; the table then says so. A smaller `--scale` keeps the
mean and variance of each cell's input (weights over the root of the scale, and a current).
"""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _common import Failed, ember_run, median, options, run_side, scratch
from _machine import load, machine
from _result import Agreement, Goal, Result, Row, finish
from microcircuit_rates import BAND, REFERENCE_HZ, SETTLE_S, USUAL_BAND


def main() -> None:
    """Compare, and print."""
    parser = options(__doc__, repeats=5)
    parser.add_argument("--scale", type=float, help="of cells and of inputs a cell; 1 by default")
    parser.add_argument("--threads", type=int, default=2, help="of both sides")
    parser.add_argument("--seconds", type=float, default=1.0, help="biological, after 0.1 s")
    parser.add_argument("--input", choices=("poisson", "dc"), default="poisson")
    parser.add_argument("--nest", type=Path, help="a saved result to take NEST's figures from")
    chosen = parser.parse_args()
    if not (chosen.nest or find_spec("nest")):
        raise Failed("NEST is not installed: pip install -c constraints.txt -e '.[benchmark]'")
    before = load()
    scale = chosen.scale or (0.02 if chosen.quick else 1.0)
    seconds = (0.3 if chosen.quick else chosen.seconds) + SETTLE_S
    settings = {"scale": scale, "threads": chosen.threads, "seconds": seconds,
                "settle_s": SETTLE_S, "input": chosen.input}  # fmt: skip
    title = f"Cortical microcircuit, scale {scale:g}, {chosen.threads} threads"
    result = Result("microcircuit", title)
    nest = stored(chosen.nest, settings) if chosen.nest else None
    ember = [ember_side(seed=seed, **settings) for seed in range(1, chosen.repeats + 1)]
    if nest is None:
        nest = run_side("nest_microcircuit", **settings, seed=1)
    else:
        result.notes.append(f"NEST was NOT run now: figures of {nest['date']}, {chosen.nest}")
    compare(result, ember, nest, settings)
    finish(result, chosen, before)


def ember_side(
    *, scale: float, threads: int, seconds: float, settle_s: float, input: str, seed: int
) -> dict[str, Any]:
    """What `ember run microcircuit` took, and the rates after `settle_s`."""
    from sims.store import read_run

    with scratch() as folder:
        found = ember_run(
            "microcircuit", f"circuits.microcircuit.scale={scale:g}",
            f"circuits.microcircuit.input={input}", f"duration={seconds:g} s", f"seed={seed}",
            threads=threads, out=folder / "run.h5",
        )  # fmt: skip
        spikes = read_run(folder / "run.h5").recording.spikes
        found["counts"] = {
            name: int((train.times_ms >= 1000 * settle_s).sum()) for name, train in spikes.items()
        }
        found["rates"] = {
            name: found["counts"][name] / (train.n_units * (seconds - settle_s))
            for name, train in spikes.items()
        }
    for key in ("times_s", "resident"):
        del found[key]
    return found


def stored(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """NEST's side of a saved result.

    Raises:
        Failed: if it is of another network, number of threads or processor.
    """
    saved = json.loads(path.read_text("utf-8"))
    if saved["data"]["settings"] != settings:
        raise Failed(f"{path} was measured with {saved['data']['settings']}, wanted {settings}")
    here, there = machine()["cpu"], saved["machine"]["cpu"]
    if here != there:
        raise Failed(f"{path} was measured on {there}, and this is {here}")
    nest: dict[str, Any] = saved["data"]["nest"]
    return {**nest, "date": nest.get("date", saved["date"])}


def compare(
    result: Result, ember: list[dict[str, Any]], nest: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Add rates, speed, memory and building to the result."""
    for name, there in nest["rates"].items():
        here = sum(run["rates"][name] for run in ember) / len(ember)
        # Counts vary at least as much as those of Poisson processes.
        spikes = [sum(run["counts"][name] for run in ember), nest["counts"][name]]
        error = math.sqrt(sum(1 / n for n in spikes)) if all(spikes) else math.nan
        band = BAND.get(name, USUAL_BAND)
        result.agreements.append(
            Agreement(f"{name} rate (Hz)", here, there, (band + 3 * error) * there)
        )
        if settings["scale"] == 1:
            published = REFERENCE_HZ[name]
            result.agreements.append(
                Agreement(f"{name} published rate (Hz)", here, published, band * published)
            )
    full = settings["scale"] == 1 and settings["threads"] == 2 and settings["input"] == "poisson"
    seconds = settings["seconds"]
    speed = median([run["simulate_s"] for run in ember]) / seconds
    building = median([run["encode_s"] + run["build_s"] for run in ember])
    memory = max(run["peak_bytes"] for run in ember) / 1e9

    def goals(*found: Goal) -> tuple[Goal, ...]:
        return found if full else ()

    result.rows = [
        Row("simulation", speed, "s per biological second", nest["run_s"] / seconds, "NEST",
            goals(Goal(3, 1, "value"), Goal(35))),
        Row("peak memory", memory, "GB", nest["peak_bytes"] / 1e9, "NEST",
            goals(Goal(3, 2, "value"))),
        Row("build", building, "s", nest["build_s"], "NEST", goals(Goal(20, 8, "value"))),
    ]  # fmt: skip
    result.data = {"settings": settings, "ember": ember, "nest": nest}


if __name__ == "__main__":
    main()
