"""Circuits whose code is written against a rhythm."""

from __future__ import annotations

from circuits.oscillation.phase_code import phase_code

__all__ = ["phase_code"]
