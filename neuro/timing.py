"""Times on the grid of steps: what must lie on it, and where a time falls that need not.

Durations and intervals must (`steps_of`); delays and the spikes of sources fall on the nearest step
(`nearest_steps`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import NetworkError, shown
from neuro.model import SynapseModel
from neuro.units import coherent, ms

__all__ = [
    "DELAY",
    "check_step",
    "delay_note",
    "nearest_steps",
    "off_grid",
    "refuse_delay",
    "release_steps",
    "steps_of",
]

DELAY = ms(1)  # engineering choice: a typical monosynaptic delay

_TOLERANCE = 1e-6  # of a step
_MOST_STEPS = 2**53  # above it a double no longer counts by ones
_ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of a time that was computed from others


def check_step(dt_ms: float) -> None:
    """Refuse a time step that is not above 0 and finite.

    Raises:
        NetworkError: if it is not.
    """
    if not 0 < dt_ms < np.inf:
        raise NetworkError(f"dt must be finite and above 0, found {dt_ms} ms")


def steps_of(time_ms: float, dt_ms: float, what: str, *, least: int = 0) -> int:
    """`time_ms` in whole steps; it may lie a millionth of a step beside the grid.

    Args:
        least: How many steps it must have: 1 for an interval.

    Raises:
        NetworkError: if it is not a whole number of steps, or too few or too many, or `check_step`
            refuses the step.
    """
    check_step(dt_ms)
    if np.isfinite(time_ms) and abs(time_ms) >= _MOST_STEPS * dt_ms:
        raise NetworkError(
            f"{what} must be less than 2**53 time steps of {dt_ms:g} ms, found {time_ms:.15g} ms"
        )
    if not np.isfinite(time_ms) or off_grid(time_ms, dt_ms):
        raise NetworkError(
            f"{what} must be a whole number of time steps of {dt_ms:g} ms, found {time_ms:.15g} ms"
        )
    steps = round(time_ms / dt_ms)
    if steps < least:
        raise NetworkError(
            f"{what} must be at least {least} time steps of {dt_ms:g} ms, found {time_ms:.15g} ms"
        )
    return steps


def off_grid(time_ms: float, dt_ms: float) -> bool:
    """Whether a time is no whole number of steps."""
    away = abs(round(time_ms / dt_ms) * dt_ms - time_ms)
    return away > _TOLERANCE * dt_ms + _ROUNDING * abs(time_ms)


def nearest_steps(time_ms: ArrayLike, dt_ms: float) -> NDArray[np.int64]:
    """Times in steps, elementwise: the nearest whole number, and the later one from the middle on.

    This is Brian2's rule for delays, `int(delay / dt + 0.5)` in seconds (its cspikequeue.cpp),
    whatever form a time is given in. In seconds 0.15 ms is a little less than one and a half steps
    of 0.1 ms.
    """
    seconds = np.asarray(time_ms, np.float64) * 1e-3
    return np.floor(seconds / (dt_ms * 1e-3) + 0.5).astype(np.int64)


def release_steps(delay_ms: float, dt_ms: float) -> int:
    """From a spike to the release of a transmitter: `nearest_steps`, and at least one step."""
    return max(1, int(nearest_steps(delay_ms, dt_ms)))


def refuse_delay(projection: str, synapse: SynapseModel, delay: object) -> None:
    """Refuse a delay, other than the default, of synapses on which an arriving spike does nothing.

    Raises:
        NetworkError: naming the projection.
    """
    if synapse.delivers:
        return
    if hasattr(delay, "draw") or not np.array_equal(coherent(delay), float(DELAY)):
        raise NetworkError(
            f"projection `{projection}`: a delay needs a synapse with `on_pre`, which "
            f"`{synapse.name}` has not, found {shown(delay)}; leave the delay out"
        )


def delay_note(owner: str, delay_ms: float, steps: int, dt_ms: float) -> str:
    """What a reader should know of a delay that is no whole number of steps; empty if it is one."""
    if not off_grid(delay_ms, dt_ms):
        return ""
    return (
        f"{owner}: the delay of {delay_ms:.15g} ms is no whole number of time steps of {dt_ms:g} "
        f"ms, found {steps} step{'' if steps == 1 else 's'} nearest to it ({steps * dt_ms:.15g} ms)"
    )
