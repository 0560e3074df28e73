"""Validate what takes hours, in parts that are kept, and write `docs/validation.json`.

    python -m tests.validation                         every row whose sources changed
    python -m tests.validation --only NAME --jobs 1    one of them
    python -m tests.validation --again                 also those that are current

Stopped in any way, the same command takes up the parts that are missing. Parts are kept under
`runs/validation`, in a folder for each hash of the sources.
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import tests.validation
from tests.validation.row import PAGE, ROOT, Result, Row, digest

KEPT = ROOT / "runs" / "validation"


def rows() -> list[Row]:
    """The row of each module of this folder that has one, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(tests.validation.__path__))
    modules = [import_module(f"tests.validation.{n}") for n in names if not n.startswith("_")]
    return [module.ROW for module in modules if hasattr(module, "ROW")]


def write(path: Path, content: object) -> None:
    """Write JSON so that a reader finds the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


def part(row: Row, name: str, folder: Path) -> Result:
    """Result of one part: the kept one, or that of a process of its own."""
    kept = folder / f"{name}.json"
    if not kept.exists():
        started = time.monotonic()
        command = [sys.executable, "-m", "tests.validation", "--part", row.name, name, str(kept)]
        subprocess.run(command, cwd=ROOT, check=True)
        print(f"  {row.name} {name}: {time.monotonic() - started:.0f} s", flush=True)
    result: Result = json.loads(kept.read_text(encoding="utf-8"))
    return result


def validate(row: Row, jobs: int) -> Result:
    """All parts of a row and the judgement on them."""
    sources = digest(row.sources)
    folder = KEPT / f"{row.name}-{sources}"
    print(f"{row.name}: {row.claim} ({len(row.parts)} parts)", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda name: part(row, name, folder), row.parts))
    holds, figures = row.judge(results)
    if digest(row.sources) != sources:
        raise SystemExit(f"{row.name}: its sources changed during the validation; run it again")
    print(f"{row.name}: {'holds' if holds else 'DOES NOT HOLD'}: {figures}", flush=True)
    return {"claim": row.claim, "holds": holds, "sources": sources, "figures": figures}


def main(arguments: list[str] | None = None) -> int:
    """Validate the chosen rows; 0 if all claims hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation", description=__doc__)
    parser.add_argument("--only", default="", help="text in the names of the rows to take")
    parser.add_argument("--again", action="store_true", help="also rows that are current")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--part", nargs=3, metavar=("ROW", "PART", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.part:
        name, which, file = chosen.part
        row = next(row for row in rows() if row.name == name)
        write(Path(file), row.run(which))
        return 0
    page = json.loads(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for row in rows():
        before = page.get(row.name, {})
        current = before.get("sources") == digest(row.sources) and before.get("holds")
        if chosen.only in row.name and (chosen.again or not current):
            page[row.name] = validate(row, chosen.jobs)
            write(PAGE, page)
    known = {row.name for row in rows()}
    write(PAGE, {name: result for name, result in page.items() if name in known})
    return 0 if all(result["holds"] for result in page.values()) else 1


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command continues") from None
