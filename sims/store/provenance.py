"""Who ran what, with which versions: collected once, at the end of a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sims.result import Provenance

__all__ = ["collect", "git_commit", "peak_memory_bytes", "versions"]

# Those that can change a result. Their versions are read from metadata: nothing is imported.
_PACKAGES = (
    "ember-neuro", "numpy", "scipy", "numba", "llvmlite", "brian2", "sympy", "torch", "norse",
    "h5py", "pydantic", "pint", "soundfile", "dask", "distributed",
)  # fmt: skip


def collect(
    *,
    name: str,
    config_text: str,
    config_path: str | os.PathLike[str],
    overrides: Sequence[str],
    resolved: Mapping[str, Any],
    config_hash: str,
    failure: str = "",
) -> Provenance:
    """The config as given, together with everything about this process that may matter later."""
    return Provenance(
        name=name,
        config_text=config_text,
        config_path=str(config_path),
        overrides=tuple(overrides),
        resolved=resolved,
        config_hash=config_hash,
        versions=versions(),
        git_commit=git_commit(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        peak_memory_bytes=peak_memory_bytes(),
        failure=failure,
    )


def versions() -> dict[str, str]:
    """Version of Python, Ember and each installed package that can change a result.

    A process reads them once, since what it has imported does not change.
    """
    return dict(_versions())


@cache
def _versions() -> Mapping[str, str]:
    found = {"python": platform.python_version(), "ember-neuro": "not installed"}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: str | os.PathLike[str] | None = None) -> str:
    """Commit of the checkout at `folder`, with `+dirty` if tracked files differ from it.

    Empty where `folder` (by default the one that holds Ember's rooms) is no checkout, as for an
    installed wheel, or git is not there to ask.
    """
    root = Path(folder) if folder is not None else Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # asking git itself would find a checkout further up
        return ""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return ""
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit + ("+dirty" if dirty else "")


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux, what `getrusage` says includes the process that started this one.
        rows = status.read_text("utf-8").splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmHWM:"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # others count KiB


def _git(root: Path, *arguments: str) -> str:
    # Variables that git sets inside hooks would point it to another repository; the lock it
    # takes to refresh the index would disturb whoever commits at this moment.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=environment, capture_output=True, timeout=10, check=True,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
