"""Damage inputs of every kind and count how they end; `make fuzz` runs this with its own seed."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.fuzz._harness import Report, Servers, fuzz, table
from tests.fuzz._kinds import kinds


def main() -> int:
    """Fuzz every kind, print one row for each, and say where the inputs that failed lie."""
    known = kinds()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(known)}")
    parser.add_argument("--count", type=int, help="mutants, instead of each kind's own number")
    parser.add_argument("--times", type=float, default=10, help="tenths of each kind's number")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other mutants")
    parser.add_argument("--out", type=Path, help="folder for what fails")
    given = parser.parse_args()
    if unknown := set(given.kinds) - known.keys():
        parser.error(f"unknown {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    out = (given.out or Path(tempfile.mkdtemp(prefix="ember-fuzz-"))).absolute()
    reports: list[Report] = []
    for stop in (signal.SIGINT, signal.SIGTERM):  # the table is printed however it ends
        signal.signal(stop, signal.default_int_handler)
    try:
        with Servers() as servers:
            for name in given.kinds or known:
                kind = known[name]
                count = given.count or max(1, round(kind.count * given.times / 10))
                reports.append(Report(name))
                server = servers.of(kind)
                fuzz(kind, out / name, server, count=count, seed=given.seed, report=reports[-1])
                print(table(reports[-1:]), flush=True)
    finally:  # also where it is interrupted, or the harness itself fails
        print("\nall:")
        print(table(reports), flush=True)
        for path in (path for report in reports for path in report.failures):
            print(f"failed: {path}", file=sys.stderr)
    return int(not all(report.good for report in reports))


if __name__ == "__main__":
    sys.exit(main())
