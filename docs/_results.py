"""The page of results, made of what `benchmarks/trainings.py` has trained and saved."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from neuro.errors import StoreError
from sims.train.statistics import mean_interval

ORDER = (
    "sudoku4",
    "sudoku6",
    "sudoku6_ablations",
    "maze",
    "sudoku9",
    "voices_tiny",
    "digits_spikes",
)
CAPTIONS = {
    "curves": "Items right over the training.",
    "refined": (
        "Of 64 held-out puzzles that which was the last to be solved, and the answer after some "
        "steps of thinking; puzzles that are never solved are not looked at."
    ),
    "halting": "After how many steps the reasoner stops; after the last its budget is spent.",
    "latent": (
        "The latent state z after each step of thinking, all positions together, less what it ends "
        "as, along its first two principal components: a line a puzzle."
    ),
}
CHOSEN = "They are the items that choose the weights, which the table leaves out."
HEARD = "They are the sounds of the table."
COLOURS = {
    "sudoku": "Dark: given; blue: right; red: wrong.",
    "maze": "Dark: walls; green: start; blue: goal; orange: the way.",
}
HEAD = """# Results

What reasoners reach that `ember train` has trained. The figures of the tables are of held-out
items that did not choose the weights that are kept, and the page is made from what the command
under each table saved (`docs/results/*.json`); no figure is typed by hand.

Each seed makes its own puzzles or spikes, weights and order of items. Two intervals are printed,
both of 95 %, by Student's t over seeds, kept within 0 and 100 %. The **confidence interval of the
mean** says where the mean over all seeds may lie. The **prediction interval** says what one more
seed may reach; of n seeds it is √(n + 1) times as wide. Neither is given for one seed, or where all
seeds agree, as their spread is then unknown; neither says anything of other data.
"""
DIFFERENCES = (
    "Differences are in points of per cent, paired by seed, with the confidence interval of their "
    "mean, which is not corrected for the number of comparisons."
)
PERMUTED = (
    "Where labels are permuted, a value is of one permutation, and the intervals are over "
    "permutations: those of training and validation items, within each, while tests keep theirs."
)
EQUAL_STEPS = "Equal steps are not equal work: the last column is the mean over seeds."


def write_results(folder: Path) -> None:
    """Write `folder/results.md` from `folder/results/*.json`, unless it says the same already."""
    path, text = folder / "results.md", page(folder)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page(folder: Path) -> str:
    """The page's Markdown.

    Raises:
        StoreError: if a file is none of a study, or its figures cannot be.
    """
    saved = {path.stem: read(path) for path in sorted((folder / "results").glob("*.json"))}
    parts = [HEAD]
    for name in [*ORDER, *sorted(set(saved) - set(ORDER))]:
        if name in saved:
            parts.append(_section(saved[name], folder))
        else:
            command = f"python benchmarks/trainings.py {name} --save"
            parts.append(f"## {name}\n\nNot measured yet: `{command}`.\n")
    return "\n".join(parts)


def read(path: Path) -> dict[str, Any]:
    """What was saved of a study.

    Raises:
        StoreError: if it is something else, or its figures contradict each other.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found["format"], found["version"], found["study"]) != ("ember-study", 1, path.stem):
            raise ValueError("another format, version or study")
        if not (found["asked"]["steps"] > 0 and isinstance(found["note"], str)):
            raise ValueError("nothing of what it was trained on")
        for row in found["rows"]:
            seeds = [one for one in found["trainings"] if one["variant"] == row["variant"]]
            values, (low, high) = row["values"], row["interval"] or (0.0, 1.0)
            of_seeds = row.get("each", "seed") == "seed"
            n = len(seeds)
            if not (n and values) or len(values) % n or (of_seeds and len(values) != n):
                raise ValueError(f"{len(values)} values of {len(seeds)} seeds")
            # Saved means have four decimals.
            if abs(sum(values) / len(values) - row["mean"]) > 1e-4:
                raise ValueError(f"a mean of {row['mean']} of {values}")
            if not (min(values) >= 0 and max(values) <= 1 and low <= row["mean"] <= high):
                raise ValueError(f"shares or an interval that cannot be: {values}, {low}, {high}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"`{path}` must be saved by benchmarks/trainings.py, found "
            f"{' '.join(str(error).split())}; remove it, or save it again"
        ) from None
    return found


def _section(found: dict[str, Any], folder: Path) -> str:
    rows = found["rows"]
    compared = any("difference" in row for row in rows)
    scored = len({row["score"] for row in rows}) > 1
    heads = ["", *(["answers"] if scored else []), "right, mean", "confidence interval of the mean"]
    heads += ["prediction interval of another seed", "each seed"]
    heads += [f"less {found['compared_with']}"] if compared else []
    several = len({one["variant"] for one in found["trainings"]}) > 1
    heads += ["items", "parameters", *(["CPU time of a training"] if several else [])]
    left = 2 if scored else 1
    lines = [f"## {found['title']}", "", _learned(found), "", _columns(heads)]
    lines.append(_columns(["---"] * left + ["---:"] * (len(heads) - left)))
    for row in rows:
        cells = [row["variant"], *([row["score"]] if scored else []), f"{row['mean']:.1%}"]
        intervals = mean_interval(row["values"], low=0.0, high=1.0)
        cells += [_interval(intervals[name]) for name in ("interval", "prediction")]
        cells += [_values(row)]
        if compared:
            difference = row.get("difference")
            cells.append(
                f"{100 * difference['mean']:+.1f} ({_points(difference['interval'])})"
                if difference else ""
            )  # fmt: skip
        counts = sorted(set(row["items"]))
        cells += [" to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))]
        cells += [f"{row['parameters']:,}" if row["parameters"] else "none"]
        cells += [_cpu_of_one(found, row["variant"])] if several else []
        lines.append(_columns(cells))
    permuted = any(row.get("each") == "permutation" for row in rows)
    said = [DIFFERENCES] * compared + [EQUAL_STEPS] * several + [PERMUTED] * permuted
    lines += ["", *([" ".join(said), ""] if said else [])]
    lines += ["```console", found["command"], "```", "", _provenance(found), ""]
    if found["study"] == "sudoku9":
        lines += [_published(folder), ""]
    look = found["inside"]
    for name, caption in CAPTIONS.items():
        if (folder / "images" / f"results_{found['study']}_{name}.png").exists():
            if name == "refined":
                caption = f"{caption} {COLOURS.get(look['data']['kind'], '')}".strip()
            if name == "curves":
                caption = f"{caption} {HEARD if _earlier(found) else CHOSEN}"
            of = "" if name == "curves" else f" {look['variant']}, seed {look['seed']}."
            lines += [f"![{caption}](images/results_{found['study']}_{name}.png)", ""]
            lines += [f"*{caption}{of}*", ""]
    return "\n".join(lines)


def _learned(found: dict[str, Any]) -> str:
    """What was trained on and for how long, in the keys of the config, and what to know of it."""
    asked = found["asked"]
    plain = {key: json.dumps(value).replace('"', "") for key, value in asked["data"].items()}
    keys = ", ".join(f"{key}: {value}" for key, value in plain.items())
    said = f"Trained on `{keys}` for {asked['steps']:,} steps of {asked['batch']} items."
    return " ".join(part for part in (said, found["note"], _earlier(found)) if part)


def _earlier(found: dict[str, Any]) -> str:
    """What a table of spikes says that was measured before validation chose anything."""
    if found["inside"] or found.get("protocol", 1) > 1:
        return ""
    commits = sorted({(one["commit"] or "unknown")[:12] for one in found["trainings"]})
    return (
        "**Measured under an earlier protocol**, at commit "
        f"{', '.join(f'`{commit}`' for commit in commits)}, "
        "and not yet again: no voices chose the step; the weights are those of the last step; the "
        "number of steps was set after curves of the test items were looked at; no simple reader, "
        "and one permutation of the labels a seed, stands beside the reasoner. The command below "
        "measures by the present protocol."
    )


def _cpu_of_one(found: dict[str, Any], variant: str) -> str:
    spent = [one["cpu_s"] for one in found["trainings"] if one["variant"] == variant]
    return _hours(sum(spent) / len(spent))


def _provenance(found: dict[str, Any]) -> str:
    machine, trained = found["machine"], found["trainings"]
    lost = "" if all(one["whole"] for one in trained) else " at least (a stop was not seen)"
    memory = machine.get("memory_bytes")
    parts = [machine["cpu"], f"{machine['cores']} cores"]
    parts += [f"{memory / 2**30:.0f} GiB"] if memory else []
    hashes = {}
    for one in trained:
        hashes.setdefault(one["variant"], []).append(f"`{one['config_hash'][:12]}`")
    listed = "; ".join(f"{name}: {', '.join(of)}" for name, of in hashes.items())
    commits = sorted({(one["commit"] or "unknown")[:12] for one in trained})
    versions = ", ".join(
        f"{name} {trained[0]['versions'][name]}"
        for name in ("python", "torch", "numpy")
        if name in trained[0]["versions"]
    )
    return (
        f"{len(trained)} training{'s' * (len(trained) > 1)}, {found['processes']} at a time, "
        f"{_hours(sum(one['cpu_s'] for one in trained))} of CPU time{lost}, "
        f"{_hours(sum(one['wall_s'] for one in trained))} of wall time (other programs may have "
        f"run beside them); collected "
        f"{found['date'][:10]}, trained at commit {', '.join(f'`{c}`' for c in commits)}, on "
        f"{', '.join(parts)}; {machine['system']}; {versions}.\n\n"
        f"Config hashes, a seed each: {listed}."
    )


def _published(folder: Path) -> str:
    """What the published training would cost, from the step that the speed page has measured."""
    from sims.config import load

    path = folder / "benchmarks/reasoner_step.json"
    if not path.exists():
        return "What the published training would cost is told by `benchmarks/reasoner_step.py`."
    measured = json.loads(path.read_text(encoding="utf-8"))
    training, machine = load("sudoku9_published").config.training, measured["machine"]
    items, ways = measured["data"]["size"]["batch"], measured["data"]["bfloat16"]
    one = {way: median(run["median_s"] for run in runs) for way, runs in ways.items() if runs}
    fastest = min(("ember", "compiled"), key=lambda way: one[way])
    steps = training.steps * training.batch / items
    operations = 2 * steps * ways["ember"][0]["multiply_adds"]
    return (
        f"The published training is {training.steps:,} steps of {training.batch} boards on 5 M "
        f"parameters (`ember train sudoku9_published`): {operations:.2g} floating-point "
        f"operations. At the {one[fastest]:.2f} s that a step of {items} boards takes on "
        f"{machine['cores']} cores of {machine['cpu']} in bfloat16 (see [speed](speed.md)) that is "
        f"projected to take {steps * one[fastest] / 86400:.0f} days. It has not been run here."
    )


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.1%} to {ends[1]:.1%}"


def _values(row: dict[str, Any]) -> str:
    """The value of each seed; of many permutations the lowest and the highest."""
    values = row["values"]
    if row.get("each") == "permutation":
        return f"{len(values)} permutations, {min(values):.1%} to {max(values):.1%}"
    return ", ".join(f"{value:.1%}" for value in values)


def _points(ends: list[float] | None) -> str:
    return "no interval" if ends is None else f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _columns(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    write_results(Path(__file__).parent)
