"""Integration schemes on derivatives that are given as functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import expm

from tests.validation._text import Names

__all__ = ["exact", "put", "relaxed"]


def put(slots: list[tuple[Names, str]], values: Any) -> None:
    for (owner, name), value in zip(slots, values, strict=True):
        owner[name] = float(value)


def relaxed(slopes: Any, x: np.ndarray, k: int, dt: float) -> float:
    """dx/dt = a + b*x with all other variables as they are, over dt."""
    at = x.copy()
    at[k] = 0.0
    a = slopes(at)[k]
    at[k] = 1.0
    b = slopes(at)[k] - a
    if abs(b) < 1e-14 * max(1.0, abs(a)):
        return float(x[k] + dt * a)
    return float(-a / b + (x[k] + a / b) * math.exp(b * dt))


def exact(slots: Any, slopes: Any, dt: float, kept: dict[Any, Any], key: Any) -> np.ndarray:
    """dx/dt = M x + b over dt, by the exponential of a matrix, which is `kept` under `key`."""
    n = len(slots)
    b = slopes(np.zeros(n))
    if key not in kept:
        m = np.array([slopes(unit) - b for unit in np.eye(n)]).T
        whole = np.block([[m, np.eye(n)], [np.zeros((n, 2 * n))]])
        kept[key] = expm(whole * dt)[:n]
    both = np.concatenate([[owner[name] for owner, name in slots], b])
    return np.asarray(kept[key] @ both)
