"""What must be the same for a run to continue from a checkpoint: config, seed, back end, code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sims.config import Loaded
from sims.store.software import changes, shown_change, simulating

__all__ = ["difference", "identity"]

_FREE = (("output",), ("backend", "threads"))
"""Settings that do not change a spike."""


def identity(loaded: Loaded) -> dict[str, Any]:
    """All that decides about the spikes of a run, JSON-ready."""
    return {"hash": loaded.hash, "config": loaded.resolved, "software": dict(simulating())}


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In a few words, the first thing in which two identities differ; empty if there is none."""
    if then["hash"] != now["hash"]:
        for path, old, new in _differing(then["config"], now["config"], ()):
            if not any(path[: len(free)] == free for free in _FREE):
                return f"`{'.'.join(path)}` was {_shown(old)} and is {_shown(new)}"
    found = changes(then.get("software", {}), now["software"])
    return shown_change(found) if found else ""


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
