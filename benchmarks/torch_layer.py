"""A linear layer and 512 leaky cells, batch 16, 500 steps, forward and backward: Ember's layer in
Norse's `SequentialState` against plain Norse, snnTorch and SpikingJelly.

The same spikes go through the same weights on every side, in float32, on the same threads, and
every side has its best way of doing it taken. Against Norse both have Norse's cells, a current and
a membrane, and every spike must be the same. Against snnTorch and SpikingJelly, whose plain cells
are a membrane alone, Ember has that as well: the same decay, reset and slope of the threshold, but
for the order of roundings. Each way runs in a process of its own, all of them in turn, several
times (a quick run has one process for all ways of a kind of cell); the first two passes of each
are not timed. Memory is what one more pass adds to the process
at its peak.

    python benchmarks/torch_layer.py [--quick] [--save] [--repeats 5] [--threads 2]
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from _common import Failed, median, options, run_side
from _machine import load
from _result import Agreement, Goal, Result, Row, finish

STEPS, BATCH = 500, 16

SIDES = {
    "current": {"Norse": ("norse_at_once", "norse_steps")},
    "leaky": {
        "snnTorch": ("snntorch_at_once", "snntorch_steps"),
        "SpikingJelly": ("spikingjelly_at_once", "spikingjelly_steps"),
    },
}
WORDS = {"current": "Norse's cells", "leaky": "membrane alone"}
Found = dict[str, list[dict[str, Any]]]


def measure(
    kind: str, size: dict[str, int], repeats: int, *, together: bool
) -> tuple[Found, dict[str, str]]:
    """What each way found, once a repeat; and why a way is absent.

    Args:
        together: All ways in one process, which costs fewer starts and tells little of memory.
    """
    packages = {way: peer.lower() for peer, both in SIDES[kind].items() for way in both}
    absent = {
        way: f"No module named '{package}'"
        for way, package in packages.items()
        if find_spec(package) is None
    }
    if len(absent) == len(packages):  # nothing to compare with
        return {}, absent
    ways = ["ember", *packages]
    found: Found = {way: [] for way in ways}
    for repeat in range(repeats):
        order = [way for way in ways[:: 1 if repeat % 2 == 0 else -1] if way not in absent]
        for group in [order] if together else [[way] for way in order]:
            for way, one in zip(group, ask(kind, group, size), strict=True):
                if "absent" in one:
                    absent[way] = one["absent"]
                else:
                    found[way].append(one)
    return found, absent


def ask(kind: str, ways: list[str], size: dict[str, int]) -> list[dict[str, Any]]:
    """What some ways find, one after another in a process of their own."""
    asked = [{"way": way, "kind": kind} for way in ways]
    found: list[dict[str, Any]] = run_side("torch_layer", asked=asked, **size)["found"]
    return found


def compare(result: Result, kind: str, found: Found, goals: bool) -> None:
    """Add the rows of one kind of cell.

    Raises:
        Failed: if Ember and Norse differ in a spike.
    """
    ember = found["ember"]
    for peer, ways in SIDES[kind].items():
        there = [way for way in ways if found[way]]
        if not there:
            continue
        first = found[there[0]][0]
        name = f"{peer}: spikes"
        if kind == "current":
            # A product of each step by itself may be rounded otherwise than one of all steps.
            digests = {one["digest"] for way in ("ember", ways[0]) for one in found[way]}
            if len(digests) != 1:
                raise Failed(f"Ember and {peer} do not give the same spikes")
            result.agreements.append(
                Agreement(f"{name}, every one", ember[0]["spikes"], first["spikes"], 0.0)
            )
        else:
            # Another order of roundings shifts a spike now and then.
            slack = 0.001 * first["spikes"]
            result.agreements.append(Agreement(name, ember[0]["spikes"], first["spikes"], slack))
        result.agreements.append(
            Agreement(f"{peer}: gradient, its norm", ember[0]["gradient"], first["gradient"],
                      0.01 * first["gradient"])
        )  # fmt: skip

        def of(way: str, key: str) -> float:
            return median([one[key] for one in found[way]])

        fastest = min(there, key=lambda way: of(way, "median_s"))
        bars = (Goal(1.5, aim=3),) if kind == "current" else (Goal(1),)
        result.rows.append(
            Row(f"{WORDS[kind]}: time of a pass", 1e3 * of("ember", "median_s"), "ms",
                1e3 * of(fastest, "median_s"), peer, bars if goals else ())
        )  # fmt: skip
        told = [way for way in there if found[way][0]["pass_bytes"] is not None]
        if told and ember[0]["pass_bytes"] is not None:
            least = min(told, key=lambda way: of(way, "pass_bytes"))
            # At most 0.7 of the peer's memory, and 0.5 hoped for, as ratios.
            bars = (Goal(1 / 0.7, aim=2),) if kind == "current" else ()
            result.rows.append(
                Row(f"{WORDS[kind]}: memory of a pass", of("ember", "pass_bytes") / 1e6, "MB",
                    of(least, "pass_bytes") / 1e6, peer, bars if goals else ())
            )  # fmt: skip
        ratio = of("ember", "pass_bytes") / of(least, "pass_bytes") if told else float("nan")
        print(f"  {peer}: fastest {fastest}, memory {ratio:.2f} of the least", file=sys.stderr)


def main() -> None:
    """Compare, and print."""
    parser = options(__doc__, repeats=5)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    before = load()
    size = {"n": 512, "steps": STEPS, "batch": BATCH, "passes": 5, "threads": chosen.threads}
    if chosen.quick:
        size |= {"n": 32, "steps": 50, "passes": 2}
    result = Result("torch_layer", f"Linear and {size['n']} leaky cells, forward and backward")
    for kind in SIDES:
        found, absent = measure(kind, size, chosen.repeats, together=chosen.quick)
        result.notes += [f"left out: {way} ({why})" for way, why in absent.items()]
        if found:
            compare(result, kind, found, not chosen.quick)
        for way, ones in found.items():
            if ones:
                result.notes.append(_told(kind, way, ones))
        result.data[kind] = found
    if not chosen.quick:  # it takes a hundred times as long
        (one,) = ask("current", ["norse_layer"], {**size, "passes": 1})
        result.notes.append(_told("current", "norse_layer", [one]) + "; once")
        result.data["norse_layer"] = one
    finish(result, chosen, before)


def _told(kind: str, way: str, ones: list[dict[str, Any]]) -> str:
    def of(key: str) -> float:
        return median([one[key] or 0 for one in ones])

    return (
        f"{WORDS[kind]}, `{way}`: {1e3 * of('median_s'):.0f} ms, {of('pass_bytes') / 1e6:.0f} MB "
        f"({of('peak_bytes') / 1e6:.0f} MB the whole process), first pass {of('cold_s'):.1f} s"
    )


if __name__ == "__main__":
    main()
