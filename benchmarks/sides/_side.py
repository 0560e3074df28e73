"""What every side of a comparison shares: settings in, one JSON object out, peak memory told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["peak_bytes", "side"]


def side(run: Callable[..., dict[str, Any]]) -> None:
    """Call `run` with the settings in the first argument (JSON); print what it found, last.

    The object printed is the last line of the standard output, so that a simulator may talk
    before it, and holds `peak_bytes` of this process.
    """
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    found = run(**settings)
    print()
    print(json.dumps({**found, "peak_bytes": peak_bytes()}), flush=True)


def peak_bytes() -> int | None:
    """Largest resident set of this process so far; None where the system does not tell.

    Not `getrusage`: on Linux its figure is inherited from the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if "VmHWM" in line)
