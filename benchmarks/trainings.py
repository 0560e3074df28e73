"""Trainings that the page of results is made of: the variants of a config, over seeds.

Each training is one `ember train` in a folder of its own, `OUT/STUDY/VARIANT/seedN`. The same
command goes on with those that were stopped, and leaves finished ones as they are. `--save` writes
docs/results/STUDY.json, its pictures and docs/results.md. Studies stand in `_studies.py`.

    python benchmarks/trainings.py STUDY [KEY=VALUE ...] [--seeds N] [--only VARIANT] [--save]
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _common import Failed
from _machine import ROOT, load, provenance
from _studies import STUDIES
from _study_inside import inside
from _study_pictures import draw
from _study_result import FORMAT, PROTOCOL, VERSION, asked, collected
from _study_run import spent, train_all, trainings


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, collect, print, and save if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=tuple(STUDIES))
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="to the config of all")
    parser.add_argument("--seeds", type=int, help="how many, from 1")
    parser.add_argument("--only", action="append", default=[], help="this variant; more than once")
    parser.add_argument("--processes", type=int, default=1, help="trainings at a time")
    parser.add_argument("--out", type=Path, default=Path("runs/studies"))
    parser.add_argument("--save", action="store_true", help="for the page")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page is")
    chosen = parser.parse_intermixed_args(arguments)
    study = STUDIES[chosen.study]
    seeds = study.seeds if chosen.seeds is None else chosen.seeds
    for name, number in (("--seeds", seeds), ("--processes", chosen.processes)):
        if number < 1:
            raise Failed(f"{name} must be 1 or more, found {number}")
    before = load()
    out = chosen.out / chosen.study
    wanted = trainings(study, out, seeds=seeds, only=chosen.only, changes=chosen.changes)
    print(f"{study.title}: {len(wanted)} trainings in {out}")
    try:
        train_all(wanted, out, processes=chosen.processes)
    except KeyboardInterrupt:
        print(f"stopped; what was done is kept in {out}: the same command goes on", file=sys.stderr)
        raise SystemExit(130) from None
    found = {
        "format": FORMAT,
        "version": VERSION,
        "protocol": PROTOCOL,
        "study": chosen.study,
        "title": study.title,
        "note": study.note,
        "asked": asked(wanted[0]),
        "command": _command(chosen),
        "processes": chosen.processes,
        **provenance(before),
        **collected(wanted, {one.name: spent(one, out) for one in wanted}),
        "inside": inside(wanted[0], chosen.out / "datasets"),
    }
    for row in found["rows"]:
        print(f"  {row['variant']}, {row['score']}: {row['mean']:.1%} of {row['values']}")
    if chosen.save:
        save(found, chosen.docs)


def save(found: dict[str, Any], docs: Path) -> None:
    """Write `docs/results/STUDY.json`, and the pictures and the page made of it."""
    folder = docs / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['study']}.json"
    path.write_text(json.dumps(found, allow_nan=False) + "\n", encoding="utf-8")
    draw(found, docs)
    sys.path.insert(0, str(ROOT / "docs"))
    from _results import write_results

    write_results(docs)
    print(f"  written to {path}")


def _command(chosen: argparse.Namespace) -> str:
    """The command that does the same again; where it was done does not matter."""
    parts = ["python", "benchmarks/trainings.py", chosen.study, *chosen.changes]
    if chosen.seeds is not None:
        parts += ["--seeds", str(chosen.seeds)]
    for variant in chosen.only:
        parts += ["--only", variant]
    return shlex.join([*parts, "--save"])


if __name__ == "__main__":
    main()
