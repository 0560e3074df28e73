"""Seeded damage: to the bytes of any file, and to the keys and values of a YAML file."""

from __future__ import annotations

import copy
import random
from typing import Any

import yaml

__all__ = ["HOSTILE", "damage_bytes", "damage_yaml"]

HOSTILE: tuple[Any, ...] = (
    "", " ", "nan", ".nan", ".inf", "-1", "0", "0 ms", "-3 ms", "1e400 s", "1e-400 s", "20 Ms",
    "5 mV", "1 furlong", "20ms", "ms", "1 1 ms", "a.b", "../../x", "/etc/passwd", "~", "self",
    "lif", "numba", "é", "\u202e", "\x00", "\x07", "x" * 20_000, "9**9**9**9", "1" * 4_000,
    "v > v > v", "(" * 300 + "v" + ")" * 300, "dv/dt = ", "lambda: 0", "__import__('os')",
    "v.__class__", "!" * 5_000, " " * 30_000 + "!", True, False, None, -1, 0, 1, 2**31, 2**63,
    10**30, 1e308, -0.0, 0.1, [], {}, [[]], [None], {"": 1}, {"x": {"x": {"x": 1}}}, ["1 ms"],
    list(range(300)),
)  # fmt: skip

_ALIKE = ("0123456789", "0123456789", "+-*/", "<>=!", "()", "mnpuk", "vwg", " .,;:")


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to three small changes: bits flipped, bytes lost, doubled, overwritten or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        size = min(rng.choice((1, 1, 2, 4, 8, 64, 512)), len(changed) - at)
        match rng.choice(("bit", "bit", "bit", "set", "lose", "double", "cut", "move", "zero")):
            case "bit":
                changed[at] ^= 1 << rng.randrange(8)
            case "set":
                changed[at : at + size] = rng.randbytes(size)
            case "lose":
                del changed[at : at + size]
            case "double":
                changed[at:at] = changed[at : at + size]
            case "cut":
                del changed[at:]
            case "move":
                part = changed[at : at + size]
                to = rng.randrange(len(changed))
                changed[to : to + size] = part
            case "zero":
                changed[at : at + size] = bytes(size)
    return bytes(changed)


def damage_yaml(data: bytes, rng: random.Random) -> bytes:
    """One or two changes to a YAML file: to its bytes, to one sign of it, or to what it holds."""
    way = rng.choice(("bytes", "sign", "held"))
    if way == "bytes":
        return damage_bytes(data, rng)
    if way == "sign":
        return _other_sign(data.decode(), rng).encode()
    held = yaml.safe_load(data)
    for _ in range(rng.choice((1, 1, 2))):
        _change(held, rng)
    return yaml.safe_dump(held, sort_keys=False, allow_unicode=True).encode()


def _other_sign(text: str, rng: random.Random) -> str:
    """Another digit, operator or letter in place of one: it often still means something."""
    group = rng.choice(_ALIKE)
    places = [place for place, letter in enumerate(text) if letter in group]
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + rng.choice(group) + text[place + 1 :]


def _places(held: Any) -> list[tuple[Any, Any]]:
    found = []
    items = held.items() if isinstance(held, dict) else enumerate(held)
    for key, value in items:
        found.append((held, key))
        if isinstance(value, (dict, list)):
            found += _places(value)
    return found


def _change(held: Any, rng: random.Random) -> None:
    places = _places(held)
    if not places:
        return
    level, key = rng.choice(places)
    other, at = rng.choice(places)
    hostile = copy.deepcopy(rng.choice(HOSTILE))
    match rng.choice(("value", "value", "lose", "rename", "double", "swap", "number", "text")):
        case "lose":
            del level[key]
        case "rename" if isinstance(level, dict):
            level[hostile if isinstance(hostile, str) else f"{key}_"] = level.pop(key)
        case "double" if isinstance(level, dict):
            level[f"{key}2"] = copy.deepcopy(level[key])
        case "double":
            level.append(copy.deepcopy(level[key]))
        case "swap":
            level[key] = copy.deepcopy(other[at])
        case "number" if isinstance(level[key], (int, float)):
            level[key] = rng.choice((-1, 0, 0.5, 2, 10, 1000)) * level[key]
        case "text" if isinstance(level[key], str) and level[key]:
            text = bytearray(level[key].encode())
            level[key] = damage_bytes(bytes(text), rng).decode("utf-8", "replace")
        case _:
            level[key] = hostile
