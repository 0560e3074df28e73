"""A training step of the tiny recursive model at its published size on 9×9 Sudoku, on a CPU:
Ember plain and compiled, the official code, and the PyPI package `tiny-recursive-model`.

The mlp variant, 16 items, one supervision step forward and backward and one of AdamW, in float32
and with the recursion in bfloat16. Each way runs in a process of its own, all of them in turn; the
first two steps of each are not timed. Ember and the official code have the same weights, boards
and labels, and must give the same logits, loss and gradient. After the 21 applications of a step
logits in bfloat16 cannot be compared: rounding takes the official code's own a third of their size
away from those of its float32. So logits are compared after one update of z and one of y, and in
float32 after the whole step too. The package's mixer is of other widths and its loss marks every
round, so it is compared per multiply-add, as PyTorch counts them. Memory is what one more step
adds to the process at its peak. Then: answers after 1, 4 and 16 supervision steps; loading a batch
against the step it is for; saving and resuming 27 M parameters.

The official code is no package: give the folder of a checkout of it, or name that in the variable
EMBER_OFFICIAL_TRM. Without one it is left out.

    python benchmarks/reasoner_step.py [--quick] [--save] [--repeats 3] [--threads 2]
                                       [--official FOLDER]
"""

from __future__ import annotations

import os
import statistics
import sys
from typing import Any

from _common import Failed, median, options, run_side
from _machine import load
from _result import Agreement, Goal, Result, Row, finish

WAYS = ("ember", "compiled", "official", "package")
NAMES = {"official": "official code", "package": "tiny-recursive-model"}
# How far rounding may take two sides apart, as a share of the size of what is compared: some
# thousand roundings of 2**-24 in float32, some ten of 2**-9 in bfloat16, as they go through 42
# blocks. Engineering choices; logits of other weights lie further apart than their own size.
SLACK = {"float32": 1e-4, "bfloat16": 0.02}
# Of logits in bfloat16 after one update of z and one of y, 4 blocks: how many times as far as the
# peer's own lie from its float32. Two independent errors of that size lie √2 of it apart.
TIMES = 2.0
ANSWERS = (1, 4, 16)  # supervision steps
Found = dict[str, list[dict[str, Any]]]


def measure(
    precision: str, repeats: int, answers: tuple[int, ...], **settings: Any
) -> tuple[Found, dict[str, str]]:
    """What each way found, once a repeat; and what a peer that is absent lacks."""
    found: Found = {way: [] for way in WAYS}
    absent: dict[str, str] = {}
    for repeat in range(repeats):
        for way in WAYS if repeat % 2 == 0 else reversed(WAYS):
            if way in absent:
                continue
            timed = list(answers) if repeat == 0 and way in ("ember", "official") else []
            one = run_side(
                "reasoner_step", way=way, precision=precision, inference=timed, **settings
            )
            if "absent" in one:
                absent[way] = one["absent"]
            else:
                found[way].append(one)
    return found, absent


def agree(precision: str, found: Found, exact: Found) -> list[Agreement]:
    """Ember against the official code, where that is there, and compiled against plain.

    Args:
        exact: What was found in float32.

    Raises:
        Failed: if one gave no finite logits.
    """
    said, slack = [], SLACK[precision]
    for way, peer in (("ember", "official"), ("compiled", "ember")):
        if not found[way] or not found[peer]:
            continue
        ours, theirs = found[way][0], found[peer][0]
        named = f"{precision}, {way} and {peer}"
        for key in ("logits", "once"):
            if not ours[key] or len(ours[key]) != len(theirs[key]):
                raise Failed(f"{precision}: `{way}` and `{peer}` must give finite logits of one "
                             "shape")  # fmt: skip
            size = root_mean_square(theirs[key])
            apart, rounded = (
                root_mean_square([a - b for a, b in zip(theirs[key], other, strict=True)])
                for other in (ours[key], exact[peer][0][key])
            )
            if rounded and key == "logits":
                continue  # rounding is as large as they are
            case = "logits" if key == "logits" else "logits after one update of z and of y"
            said.append(
                Agreement(f"{named}: size of the {case}, and how far they lie apart",
                          size + apart, size, TIMES * rounded if rounded else slack * size)
            )  # fmt: skip
        said += [
            Agreement(f"{named}: loss", ours["loss"], theirs["loss"], slack * theirs["loss"]),
            Agreement(f"{named}: gradient, its norm", ours["gradient"], theirs["gradient"],
                      slack * theirs["gradient"]),
        ]  # fmt: skip
    return said


def root_mean_square(values: list[float]) -> float:
    """The size of some values."""
    return statistics.fmean(value * value for value in values) ** 0.5


def compare(result: Result, precision: str, found: Found, goals: bool) -> None:
    """Add the rows of one precision."""

    def of(way: str, key: str) -> float:
        return median([one[key] for one in found[way]])

    def row(case: str, ours: float, unit: str, theirs: float, peer: str, least: float) -> None:
        bars = (Goal(least),) if goals else ()
        result.rows.append(Row(f"{precision}: {case}", ours, unit, theirs, peer, bars))

    row("time of a step, compiled", of("compiled", "median_s"), "s", of("ember", "median_s"),
        "plain", 1.15)  # fmt: skip
    for peer in ("official", "package"):
        if not found[peer]:
            continue
        name = NAMES[peer]
        if peer == "official":
            row("time of a step, plain", of("ember", "median_s"), "s", of(peer, "median_s"), name,
                1.0)  # fmt: skip
        else:
            own, their = (of(way, "median_s") / of(way, "multiply_adds") * 1e12
                          for way in ("ember", peer))  # fmt: skip
            row("time of 10¹² multiply-adds, plain", own, "s", their, name, 1.2)
        if all(one["pass_bytes"] for way in ("ember", peer) for one in found[way]):
            row("memory of a step, plain", of("ember", "pass_bytes") / 1e6, "MB",
                of(peer, "pass_bytes") / 1e6, name, 1.0)  # fmt: skip
    theirs = found["official"][0]["answer_s"] if found["official"] else {}
    for steps, seconds in found["ember"][0]["answer_s"].items():
        word = "step" if steps == "1" else "steps"
        items = result.data["size"]["batch"]
        peer_s = theirs.get(steps)
        result.rows.append(
            Row(f"{precision}: an answer after {steps} {word}", 1e3 * seconds / items, "ms",
                None if peer_s is None else 1e3 * peer_s / items,
                NAMES["official"] if peer_s else "")
        )  # fmt: skip
        result.notes.append(f"{precision}: {items / seconds:.3g} answers/s after {steps} {word}")


def told(precision: str, way: str, ones: list[dict[str, Any]]) -> str:
    """One way's own figures."""
    seconds = [one["median_s"] for one in ones]
    text = (
        f"{precision}, `{way}`: {median(seconds):.3g} s a step ({min(seconds):.3g} to "
        f"{max(seconds):.3g}), CPU {median([median(one['cpu_s']) for one in ones]):.3g} s, "
        f"{ones[0]['parameters']:,} parameters, the whole process at its peak "
        f"{median([one['peak_bytes'] or 0 for one in ones]) / 1e6:.0f} MB"
    )
    if "multiply_adds" in ones[0]:
        return f"{text}, {ones[0]['multiply_adds'] / 1e9:.4g} G multiply-adds a step"
    return f"{text}, ready after {median([one['made_s'] for one in ones]):.0f} s"


def around(result: Result, step_s: float, threads: int, quick: bool, repeats: int) -> None:
    """Add the rows on loading, saving and resuming."""
    size = {"hidden": 64, "layers": 1} if quick else {"hidden": 512, "layers": 4}
    batch = result.data["size"]["batch"]
    one = run_side("reasoner_around", batch=batch, boards=1000, threads=threads, repeats=repeats,
                   **size)  # fmt: skip
    result.agreements.append(
        Agreement("tensors of a checkpoint that are the same after resuming, of all",
                  one["same"], one["tensors"], 0.0)
    )  # fmt: skip
    result.rows += [
        # A hundredth of the step it is for: never what is waited for.
        Row("loading a batch", 1e3 * one["load_median_s"], "ms",
            goals=() if quick else (Goal(round(10 * step_s, 1), of="value"),)),
        Row(f"saving and resuming {one['parameters'] / 1e6:.1f} M parameters",
            median([a + b for a, b in zip(one["save_s"], one["resume_s"], strict=True)]), "s",
            goals=() if quick else (Goal(2, of="value"),)),
    ]  # fmt: skip
    result.notes.append(
        f"saving {median(one['save_s']):.2g} s, resuming {median(one['resume_s']):.2g} s, "
        f"{one['bytes'] / 1e6:.0f} MB; the slowest of 200 batches took "
        f"{1e3 * one['load_most_s']:.2g} ms"
    )
    result.data["around"] = one


def main() -> None:
    """Compare, and print."""
    parser = options(__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--official", default=os.environ.get("EMBER_OFFICIAL_TRM"),
                        help="folder of the official code")  # fmt: skip
    chosen = parser.parse_args()
    before = load()
    size = {"batch": 16, "length": 81, "hidden": 512, "H": 3, "L": 6}
    passes, answers = 3, ANSWERS
    if chosen.quick:
        size |= {"batch": 2, "length": 9, "hidden": 64, "H": 2, "L": 1}
        passes, answers = 1, (1,)
    result = Result("reasoner_step", "A training step of TRM-MLP on 9×9 Sudoku, 16 items")
    result.data["size"] = size
    step_s, exact = 0.0, {}
    for precision in SLACK:
        found, absent = measure(
            precision, chosen.repeats, answers, size=size, threads=chosen.threads, passes=passes,
            official_folder=chosen.official,
        )  # fmt: skip
        exact = exact or found
        result.agreements += agree(precision, found, exact)
        compare(result, precision, found, not chosen.quick)
        result.notes += [told(precision, way, ones) for way, ones in found.items() if ones]
        result.notes += [f"{precision}: left out: {NAMES[way]} ({why})"
                         for way, why in absent.items()]  # fmt: skip
        result.data[precision] = {
            way: [{key: value for key, value in one.items() if key not in ("logits", "once")}
                  for one in ones]
            for way, ones in found.items()
        }  # fmt: skip
        if found is not exact:
            result.notes.append(
                f"{precision}: logits are compared after one update of z and of y; those of a "
                "whole step lie as far apart by rounding as those of a wrong model may"
            )
        step_s = median([one["median_s"] for one in found["ember"]])
        print(f"  {precision}: measured", file=sys.stderr)
    around(result, step_s, chosen.threads, chosen.quick, chosen.repeats)
    finish(result, chosen, before)


if __name__ == "__main__":
    main()
