"""What a run in fixed point leaves, whoever ran it, and where two such runs differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["FixedRun", "differences"]

Train = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class FixedRun:
    """Spikes of all cells, and the states after each step where they were watched.

    Attributes:
        spikes: Per process of cells, steps and units, sorted by step and unit.
        u, v: Per process of cells, `(n_steps, n)`; empty if not watched. `v` is after the reset.
        run_s: Seconds that the steps took; starting is left out.
        wrapped, cut: Per process, how often a current wrapped round and a voltage was cut from
            below. Lava itself does not tell.
    """

    n_steps: int
    spikes: Mapping[str, Train]
    u: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    v: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    run_s: float = 0.0
    wrapped: Mapping[str, int] = field(default_factory=dict)
    cut: Mapping[str, int] = field(default_factory=dict)


def differences(one: FixedRun, other: FixedRun) -> list[str]:
    """Where two runs of one network are not equal bit for bit; empty if they are.

    A line for each kind of difference of each process, with its first step and cell. What only
    one of them watched is a difference too.
    """
    found = []
    if one.n_steps != other.n_steps:
        found.append(f"length: {one.n_steps} and {other.n_steps} steps")
    for kind in ("u", "v"):
        ours, theirs = getattr(one, kind), getattr(other, kind)
        for name in sorted({*ours, *theirs}):
            if name not in ours or name not in theirs:
                found.append(f"{kind} of {name}: watched in one run only")
            elif ours[name].shape != theirs[name].shape:
                found.append(f"{kind} of {name}: {ours[name].shape} and {theirs[name].shape}")
            elif (ours[name] != theirs[name]).any():
                step, cell = np.argwhere(ours[name] != theirs[name])[0]
                values = f"{ours[name][step, cell]} and {theirs[name][step, cell]}"
                found.append(f"{kind} of {name}: step {step}, cell {cell}: {values}")
    for name in sorted({*one.spikes, *other.spikes}):
        if name not in one.spikes or name not in other.spikes:
            found.append(f"spikes of {name}: in one run only")
            continue
        ours, theirs = (set(zip(*map(np.ndarray.tolist, r.spikes[name]), strict=True))
                        for r in (one, other))  # fmt: skip
        if ours != theirs:
            step, cell = min(ours ^ theirs)
            found.append(f"spikes of {name}: {len(ours ^ theirs)}, first step {step}, cell {cell}")
    return found
