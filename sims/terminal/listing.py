"""What `ember list` shows: names a config can use, each with a line about it."""

from __future__ import annotations

from typing import Any

__all__ = ["listing"]


def listing(kind: str) -> list[tuple[str, str]]:
    """Name and summary of everything of one kind: `models`, `circuits`, `configs` …"""
    if kind == "configs":
        from sims.config.shipped import shipped, summary

        return [(name, summary(path)) for name, path in shipped().items()]
    if kind == "backends":
        from neuro.backends import BACKENDS

        return [(name, backend.summary) for name, backend in BACKENDS.items()]
    registry = _registry(kind)
    return [(name, registry.summary(name)) for name in registry]


def _registry(kind: str) -> Any:
    if kind == "models":
        from neuro.models import MODELS

        return MODELS
    if kind == "synapses":
        from neuro.synapses import SYNAPSES

        return SYNAPSES
    if kind == "circuits":
        from circuits import CIRCUITS

        return CIRCUITS
    from encoders import ENCODERS

    return ENCODERS
