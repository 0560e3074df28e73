"""What must be the same for a run to go on from a checkpoint: config, seed, back end, code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sims.config import Loaded
from sims.store.provenance import versions

__all__ = ["difference", "identity"]

# Those that take part in the numbers of a simulation.
_PACKAGES = ("ember-neuro", "numpy", "scipy", "numba", "llvmlite", "brian2", "sympy")
_ROOMS = ("neuro", "circuits", "encoders", "sims/assembly")
_FREE = (("output",), ("backend", "threads"))
"""Settings that do not change a spike."""


def identity(loaded: Loaded) -> dict[str, Any]:
    """All that decides about the spikes of a run, JSON-ready."""
    found = versions()
    return {
        "hash": loaded.hash,
        "config": loaded.resolved,
        "versions": {name: found[name] for name in _PACKAGES if name in found},
        "code": _code(),
    }


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In a few words, the first thing in which two identities differ; empty if there is none."""
    if then["hash"] != now["hash"]:
        for path, old, new in _differing(then["config"], now["config"], ()):
            if not any(path[: len(free)] == free for free in _FREE):
                return f"`{'.'.join(path)}` was {_shown(old)} and is {_shown(new)}"
    for name in sorted({*then["versions"], *now["versions"]}):
        old, new = then["versions"].get(name), now["versions"].get(name)
        if old != new:
            return f"the version of {name} was {old or 'none'} and is {new or 'none'}"
    return "Ember's own code has changed" if then["code"] != now["code"] else ""


def _differing(
    old: Any, new: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _differing(old.get(key), new.get(key), (*path, str(key)))
    elif old != new:
        yield path, old, new


def _shown(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _code() -> str:
    """A digest of the source of everything that builds and steps a network."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.blake2b(digest_size=16)
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
