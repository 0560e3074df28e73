"""The fuzz harness tells each kind of bad end from the others and counts it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz._harness import ENDS, Kind, Report, Server, fuzz, table

HERE = "tests.fuzz.test_harness:"


def make(folder: Path) -> list[Path]:
    """One empty file."""
    (folder / "x.txt").write_bytes(b"")
    return [folder / "x.txt"]


def end_as_written(mutant: Path, original: Path) -> str:
    """End in the way that the mutant names."""
    match mutant.read_text("ascii"):
        case "refused":
            print("ember: it must be whole, found half; copy it again", file=sys.stderr)
            raise SystemExit(1)
        case "two lines":
            print("ember: one\nember: two", file=sys.stderr)
            raise SystemExit(1)
        case "traceback":
            raise ValueError("unexpected")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "the server dies too":
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:
                pass
        case "wait":
            time.sleep(600)
        case "wrong":
            return "other spikes"
    return ""


CASES = {
    "right": "right",
    "refused": "refused",
    "two lines": "wrong",
    "traceback": "traceback",
    "crash": "crash",
    "the server dies too": "crash",
    "hang": "hang",
    "wait": "hang",
    "wrong": "wrong",
}


def test_every_end_is_counted_as_what_it_is(tmp_path: Path) -> None:
    texts = iter(CASES)
    kind = Kind(
        "toy",
        make,
        lambda data, rng: next(texts).encode(),
        f"{HERE}end_as_written",
        len(CASES),
        preload=("neuro.errors",),
        seconds=0.3,
    )
    with Server(kind.preload) as server:
        report = fuzz(kind, tmp_path, server, count=kind.count)
    assert report.ends == Counter(CASES.values())
    assert not report.good
    failed = {Path(path).read_text("ascii") for path in report.failures}
    assert failed == {text for text, end in CASES.items() if end not in ("right", "refused")}


def test_the_table_has_a_row_even_of_what_was_not_begun() -> None:
    assert table([Report("toy")]).split()[-len(ENDS) - 3 :] == ["0"] * (len(ENDS) + 1) + ["0.0"] * 2
