"""Seeded damage to what a JSON text holds."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.fuzz._mutate import damage_bytes

__all__ = ["damage_json", "damage_value"]

_ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 1.5, 10**12, 2**64, -(2**63), 1e308, "", "a", "\ud800", "x" * 5000,
    "(a+)+$", "(a|a)*b", r"(\w+\s?)*$", "Precompiled", "Replace", [], {}, [[]], [True], [10**12, 4],
    {"String": ""}, {"Regex": "(a*)*$"},
    {"type": "Replace", "pattern": {"String": ""}, "content": ""},
    {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, {"type": "Strip", "start": 2**40},
    {"type": "Sequence", "normalizers": [{"type": "NFD"}] * 1000}, "../../etc/passwd",
)  # fmt: skip


def damage_json(data: bytes, rng: random.Random) -> bytes:
    """Bytes, or one or two values."""
    if rng.random() < 0.4:
        return damage_bytes(data, rng)
    held = json.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        held = damage_value(held, rng)
    return json.dumps(held).encode()


def damage_value(held: Any, rng: random.Random) -> Any:
    """Change, lose, rename or swap one value at any depth."""
    places = _places(held)
    if not places:
        return rng.choice(_ODD)
    level, key = rng.choice(places)
    match rng.choice(("odd", "odd", "odd", "lose", "rename", "swap", "same")):
        case "lose":
            del level[key]
        case "rename" if isinstance(level, dict):
            level[rng.choice(("type", "other", "", "\x1b[2J"))] = level.pop(key)
        case "swap":
            other, at = rng.choice(places)
            level[key] = json.loads(json.dumps(other[at]))
        case _:
            level[key] = rng.choice(_ODD)
    return held


def _places(held: Any) -> list[tuple[Any, Any]]:
    if not isinstance(held, dict | list):
        return []
    found = []
    pairs = list(held.items() if isinstance(held, dict) else enumerate(held))
    for key, value in pairs[:300]:
        found += [(held, key)] * (1 if isinstance(value, int | float) else 4)
        found += _places(value)
    return found
