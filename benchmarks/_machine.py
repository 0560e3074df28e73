"""Which machine, which versions and which commit a figure was measured with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["load", "machine", "provenance", "resident_bytes"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "numpy", "numba", "llvmlite", "scipy", "brian2", "nest-simulator", "h5py", "torch", "norse",
    "snntorch", "spikingjelly", "tiny-recursive-model", "einops",
)  # fmt: skip
BUSY = 0.3  # other work per core, from which on a figure is marked


def machine() -> dict[str, Any]:
    """CPU model, cores, frequency, caches, memory, system; what is not told is left out."""
    facts: dict[str, Any] = {
        "cpu": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }  # fmt: skip
    if sys.platform == "darwin":
        facts["cpu"] = _sysctl("machdep.cpu.brand_string") or facts["cpu"]
        facts["memory_bytes"] = int(_sysctl("hw.memsize") or 0)
        return facts
    info = _read("/proc/cpuinfo")
    for key, pattern in (("cpu", r"model name\s*: (.+)"), ("mhz", r"cpu MHz\s*: ([\d.]+)")):
        if found := re.search(pattern, info):
            facts[key] = found[1] if key == "cpu" else round(float(found[1]))
    if found := re.search(r"cpu family\s*: (\d+)\nmodel\s*: (\d+)", info):
        facts["family"], facts["model"] = int(found[1]), int(found[2])
    if found := re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo")):
        facts["memory_bytes"] = int(found[1]) * 1024
    facts["caches"] = {
        f"L{_read(index / 'level')}{_read(index / 'type')[0].lower()}": _read(index / "size")
        for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    }
    return facts


def load(seconds: float = 1.0) -> float:
    """Other work per core over the next second; over the last minute where that is all there is."""
    before = _busy_ticks()
    if before is None:
        try:
            return os.getloadavg()[0] / (os.cpu_count() or 1)
        except OSError:
            return 0.0
    time.sleep(seconds)
    after = _busy_ticks() or before
    busy, total = after[0] - before[0], after[1] - before[1]
    return busy / total if total else 0.0


def _busy_ticks() -> tuple[int, int] | None:
    """Linux: ticks in which the cores had work, and all ticks, since the machine started."""
    fields = _read("/proc/stat").partition("\n")[0].split()
    if len(fields) < 6 or fields[0] != "cpu":
        return None
    ticks = [int(field) for field in fields[1:]]
    idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
    return sum(ticks) - idle, sum(ticks)


def provenance(load_before: float) -> dict[str, Any]:
    """All that must be known to judge a figure, ready for JSON."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    from sims.store.provenance import git_commit

    return {
        "machine": machine(),
        "versions": versions,
        "commit": git_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": round(load_before, 2),
        "quiet": load_before < BUSY,
    }


def resident_bytes(pid: int) -> tuple[int, int] | None:
    """Resident memory of a process now, and its largest so far; None once it has ended."""
    status = _read(f"/proc/{pid}/status")
    now, peak = re.search(r"VmRSS:\s*(\d+)", status), re.search(r"VmHWM:\s*(\d+)", status)
    return (int(now[1]) * 1024, int(peak[1]) * 1024) if now and peak else None


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, encoding="utf-8")
    return done.stdout.strip()
