"""What every benchmark shares: its options, and running each side in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _machine import ROOT, resident_bytes

__all__ = ["EMBER", "Failed", "Watched", "ember_run", "median", "options", "run_side", "watch"]

EMBER = (sys.executable, "-c", "from sims.cli import main; main()")
SIDES = Path(__file__).parent / "sides"


class Failed(SystemExit):
    """A side that did not run, or two that do not do the same; the message is printed."""


def options(documentation: str | None, *, repeats: int = 3) -> argparse.ArgumentParser:
    """The options every benchmark has; `documentation` is the script's own."""
    parser = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small case, to see that it works")
    parser.add_argument("--save", action="store_true", help="write the result under docs/")
    parser.add_argument("--repeats", type=int, default=repeats, help="runs of each side")
    return parser


@dataclass
class Watched:
    """A process as it was seen from outside: what it printed, and its memory over time."""

    out: str = ""
    error: str = ""
    code: int = 0
    wall_s: float = 0.0
    peak_bytes: int = 0
    times_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)


def watch(
    command: Sequence[str], *, env: dict[str, str] | None = None, every_s: float = 0.02
) -> Watched:
    """Run a command to its end and look at its resident memory `every_s`.

    Raises:
        Failed: with the end of what it wrote to the standard error, if it fails.
    """
    found = Watched()
    started = time.perf_counter()
    # A user's Python keeps the bytecode of what it imports; images of containers often do not.
    ours = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        list(command), env={**ours, **(env or {})}, cwd=ROOT, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(every_s):
            if seen := resident_bytes(process.pid):
                found.times_s.append(time.perf_counter() - started)
                found.resident.append(seen[0])
                found.peak_bytes = max(found.peak_bytes, seen[1])

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        found.out, found.error = process.communicate()
    except BaseException:
        process.kill()
        raise
    finally:
        ended.set()
        watcher.join()
    found.wall_s = time.perf_counter() - started
    found.code = process.returncode
    if found.code:
        raise Failed(f"{' '.join(command)[:300]}\nended with {found.code}:\n{found.error[-2000:]}")
    return found


def run_side(name: str, **settings: Any) -> dict[str, Any]:
    """What `sides/NAME.py` finds with these settings, in a process of its own.

    Raises:
        Failed: if it fails.
    """
    seen = watch([sys.executable, str(SIDES / f"{name}.py"), json.dumps(settings)])
    found: dict[str, Any] = json.loads(seen.out.strip().splitlines()[-1])
    return found


def ember_run(
    config: str,
    *overrides: str,
    threads: int = 1,
    cache: str | Path | None = None,
    out: Path | None = None,
    every_s: float = 0.02,
) -> dict[str, Any]:
    """What `ember run CONFIG …` says, with the wall time and memory it was seen to take.

    Args:
        cache: Folder for compiled equations and kernels instead of the user's.
        out: Where to leave the run file; without it the file is thrown away.
        every_s: Interval between looks at the memory, kept in `times_s` and `resident`.

    Raises:
        Failed: if it fails.
    """
    env = {}
    if cache is not None:  # Numba caches what is not printed per network beside its source
        env = {"EMBER_CACHE": str(cache), "NUMBA_CACHE_DIR": str(Path(cache) / "numba")}
    with scratch() as folder:
        path = out or folder / "run.h5"
        seen = watch(
            [*EMBER, "run", config, *overrides, "--threads", str(threads), "--out", str(path),
             "--json"],
            env=env, every_s=every_s,
        )  # fmt: skip
        figures: dict[str, Any] = json.loads(seen.out.strip().splitlines()[-1])
        return {
            **figures, "wall_s": seen.wall_s, "peak_bytes": seen.peak_bytes,
            "file_bytes": path.stat().st_size, "times_s": seen.times_s, "resident": seen.resident,
        }  # fmt: skip


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ember-benchmark-") as folder:
        yield Path(folder)


def median(values: Sequence[float]) -> float:
    """The middle value: what a disturbance of one run does not move."""
    return float(statistics.median(values))
