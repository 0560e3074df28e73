"""Edges."""
from __future__ import annotations

class EdgePrinter:
    parameters: list[str]
