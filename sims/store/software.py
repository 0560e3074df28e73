"""The software that a number comes from: versions of packages, and a digest of Ember's own source.

What was begun under one software and goes on under another mixes the results of both, so it stops,
unless it is asked for with `--allow-version-change`; then it is written down which part came from
which. The digest sees a changed file of a checkout that nobody has committed.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sims.store.provenance import git_commit, versions

__all__ = [
    "ALLOW", "changes", "described", "hearing", "shown_change", "simulating", "software_id",
    "sources", "training",
]  # fmt: skip

ALLOW = "--allow-version-change"

# Those that take part in the numbers.
_PACKAGES = (
    "python", "ember-neuro", "numpy", "scipy", "numba", "llvmlite", "brian2", "sympy", "torch",
    "norse", "soundfile",
)  # fmt: skip
_SHOWING = ("sims/cli", "sims/terminal", "sims/report", "sims/compare")
_LEARNING = ("sims/dataset", "sims/puzzles", "sims/sensing", "sims/train")
_ROOMS = ("neuro", "circuits", "encoders", "sims")


@cache
def simulating() -> Mapping[str, Any]:
    """The software of a simulation as this process began with it; JSON-ready."""
    return _software(sources(*_ROOMS, without=(*_SHOWING, *_LEARNING)))


@cache
def hearing() -> Mapping[str, Any]:
    """The software that makes the spikes of a data set, as this process began with it."""
    return _software(sources("neuro", "encoders", "sims/dataset"))


@cache
def training() -> Mapping[str, Any]:
    """The software of a training as this process began with it; JSON-ready."""
    return _software(sources(*_ROOMS, "bridges", without=_SHOWING))


def software_id(software: Mapping[str, Any]) -> str:
    """A short name of a software, the same for the same packages, source and machine type."""
    decides = {key: value for key, value in software.items() if key != "git_commit"}
    text = json.dumps(decides, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Each thing in which two softwares differ, in a few words."""
    found = []
    for key, what in (("versions", ""), ("precision", "the precision of ")):
        old, new = (_strings(software.get(key)) for software in (then, now))
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                was, is_ = old.get(name, "not there"), new.get(name, "not there")
                found.append(f"{what}{name} was {was} and is {is_}")
    if (was := then.get("machine", "not noted")) != now["machine"]:
        found.append(f"the machine was {was} and is {now['machine']}")
    if then.get("sources") != now.get("sources"):
        found.append(f"Ember's own code has changed{_commits(then, now)}")
    return found


def shown_change(found: list[str]) -> str:
    """The first of `changes`, and how many there are."""
    return found[0] + (f", and {len(found) - 1} more" if len(found) > 1 else "")


def described(software: Mapping[str, Any]) -> str:
    """Versions, source and commit of a software in one line."""
    found = [f"{name} {which}" for name, which in _strings(software.get("versions")).items()]
    for key, what in (("sources", "source"), ("git_commit", "commit")):
        if software.get(key):
            found.append(f"{what} {str(software[key])[:10]}")
    return ", ".join(found) or "not written down"


def sources(*rooms: str, without: tuple[str, ...] = ()) -> str:
    """A digest of every Python file of these rooms, by path and content."""
    root = Path(__file__).resolve().parents[2]
    left_out = tuple(f"{room}/" for room in without)
    digest = hashlib.blake2b(digest_size=16)
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(left_out):
                content = path.read_bytes()
                digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _software(sources: str) -> Mapping[str, Any]:
    from neuro.backends import BACKENDS

    found = versions()
    return {
        "versions": {name: found[name] for name in _PACKAGES if name in found},
        "precision": {
            name: str(backend.options["precision"])
            for name, backend in BACKENDS.items()
            if "precision" in backend.options
        },
        "machine": platform.machine(),
        "sources": sources,
        "git_commit": git_commit(),
    }


def _strings(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _commits(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = (str(software.get("git_commit") or "")[:10] for software in (then, now))
    return f" (commit {old} then, {new} now)" if old and new and old != new else ""
