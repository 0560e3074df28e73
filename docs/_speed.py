"""The page on speed, made of what the scripts in `benchmarks/` have measured and saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ORDER = (
    "microcircuit", "cuba", "coba_hh", "stdp", "torch_layer", "torch_doses", "reasoner_step",
    "lava_emulator", "startup", "growth", "memory", "bandwidth",
)  # fmt: skip
CAPTIONS = {
    "growth": "Time and memory against size, and the fitted straight lines.",
    "memory": "Resident memory of the process, and what its spikes would take if they were kept.",
}
HEAD = """# Speed

Every figure here comes from a script in `benchmarks/`, which runs both sides on one machine in one
go, checks that both simulate the same thing, and refuses to print a ratio if they do not. The page
is made from what those scripts saved (`docs/benchmarks/*.json`); no figure is typed by hand.
"""


def write_speed(folder: Path) -> None:
    """Write `folder/speed.md` from `folder/benchmarks/*.json`, unless it says the same already."""
    path, text = folder / "speed.md", page(folder)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page(folder: Path) -> str:
    """The page's Markdown."""
    saved = {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted((folder / "benchmarks").glob("*.json"))
    }
    parts = [HEAD]
    if (folder / "images/speed_ratios.png").exists():
        parts.append("![Ratios of all comparisons](images/speed_ratios.png)\n")
    for name in [*ORDER, *sorted(set(saved) - set(ORDER))]:
        if name in saved:
            parts.append(_section(saved[name], folder))
        else:
            parts.append(f"## {name}\n\nNot measured yet: `python benchmarks/{name}.py --save`.\n")
    return "\n".join(parts)


def _section(found: dict[str, Any], folder: Path) -> str:
    lines = [f"## {found['title']}", ""]
    peers = any(row["ratio"] is not None for row in found["rows"])
    goals = any(row["goals"] for row in found["rows"])
    heads = ["", "Ember", *(["peer", "times"] if peers else []), *(["goal"] if goals else [])]
    lines += [
        _columns(heads),
        _columns(["---", *["---:"] * (3 if peers else 1), "---"][: len(heads)]),
    ]
    for row in found["rows"]:
        cells = [row["case"], f"{_number(row['ember'])} {row['unit']}"]
        if peers:
            there = row["ratio"] is not None
            cells.append(f"{row['peer_name']}: {_number(row['peer'])}" if there else "")
            cells.append(f"{row['ratio']:.3g}" if there else "")
        if goals:
            cells.append("; ".join(f"{goal['goal']}: {goal['reached']}" for goal in row["goals"]))
        lines.append(_columns(cells))
    lines.append("")
    if found["agreements"]:
        lines += ["Both sides did the same:", ""]
        lines += [_columns(["", "Ember", "peer", "tolerance"]), _columns(["---", *["---:"] * 3])]
        lines += [
            _columns([a["what"], *(_number(a[key]) for key in ("ember", "peer", "tolerance"))])
            for a in found["agreements"]
        ]
        lines.append("")
    lines += [f"- {note}" for note in found["notes"]]
    lines += ["", _machine(found), ""]
    if (folder / "images" / f"speed_{found['benchmark']}.png").exists():
        caption = CAPTIONS.get(found["benchmark"], found["title"])
        lines += [f"![{caption}](images/speed_{found['benchmark']}.png)", ""]
    return "\n".join(lines)


def _machine(found: dict[str, Any]) -> str:
    about, versions = found["machine"], found["versions"]
    caches = ", ".join(f"{name} {size}" for name, size in about.get("caches", {}).items())
    parts = [f"{about['cpu']}", f"{about['cores']} cores"]
    if "mhz" in about:
        parts.append(f"{about['mhz']} MHz")
    if caches:
        parts.append(caches)
    if memory := about.get("memory_bytes"):
        parts.append(f"{memory / 2**30:.0f} GiB")
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    busy = (
        "" if found["quiet"] else f" **The machine was busy** (load {found['load_before']} a core)."
    )
    return (
        f"Measured {found['date'][:10]} at commit `{found['commit'][:12] or 'unknown'}"
        f"{'+dirty' if found['commit'].endswith('+dirty') else ''}` by `{found['command']}`, on "
        f"{', '.join(parts)}; {about['system']}; {named}.{busy}"
    )


def _columns(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    write_speed(Path(__file__).parent)
