"""How much memory a run may take, asked before it is taken."""

from __future__ import annotations

import os
from pathlib import Path

from neuro.errors import SimulationError

__all__ = ["available_bytes", "require_memory"]


def available_bytes() -> int | None:
    """Memory that this process could still get; None where the system does not say."""
    found = [value for value in (_meminfo(), _group(), _physical()) if value is not None]
    return min(found) if found else None


def require_memory(needed: float, what: str) -> None:
    """Refuse what will not fit.

    Raises:
        SimulationError: if `needed` bytes are not there, saying how many are.
    """
    available = available_bytes()
    if available is not None and needed > available:
        raise SimulationError(
            f"{what} needs about {_gigabytes(needed)} of memory, found {_gigabytes(available)} "
            f"free; use a smaller network (a circuit's `scale`), or a machine with more"
        )


def _gigabytes(n: float) -> str:
    return f"{n / 1e9:,.1f} GB"


def _meminfo() -> int | None:
    """Linux: what can be given out without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":") for line in lines if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None


def _group() -> int | None:
    """Linux containers: what the control group leaves."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text("utf-8").strip()
        return (
            None
            if limit == "max"
            else int(limit) - int((folder / "memory.current").read_text("utf-8"))
        )
    except (OSError, ValueError):
        return None


def _physical() -> int | None:
    """Elsewhere: all there is."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
