"""Find every kind of input that a `fuzz_*.py` file beside this one defines."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.fuzz._harness import Kind

__all__ = ["kinds"]


def kinds() -> dict[str, Kind]:
    """Each kind by its name."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("fuzz_*.py")):
        for kind in importlib.import_module(f"tests.fuzz.{file.stem}").KINDS:
            assert kind.name not in found, f"two kinds are called {kind.name}"
            found[kind.name] = kind
    return found
