"""A path through an arena, for place, grid and head-direction cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.encoding import Encoding, encoder
from encoders.navigation.table import read_path
from encoders.navigation.walk import random_walk
from neuro.errors import SignalError
from neuro.signal import Signal
from neuro.units import Length, Speed, Time, m, m_per_s, ms

__all__ = ["arena_path"]

RAT_SPEED = m_per_s(0.1)  # mean of the random walk's gait; see `encoders.navigation.walk`


@encoder
def arena_path(
    *,
    duration_ms: float,
    seed: int,
    file: str | None = None,
    width: Length = m(1.0),
    height: Length = m(1.0),
    speed: Speed = RAT_SPEED,
    every: Time = ms(10),
) -> Encoding:
    """A rat's random walk through a rectangular arena, or a recorded path.

    A file is a CSV with a header and the columns `t` (s), `x` and `y` (m from the lower left
    corner). Between its rows the animal moves in straight lines; after its last row it stays
    where it is. A recording longer than the run is followed up to the run's end;
    `duration_ms` of the result is then the recording's.

    Args:
        duration_ms, seed: The run's.
        file: The recorded path; without one, the animal walks at random.
        width, height: The arena reaches from (0, 0) to (width, height).
        speed: Mean running speed of the random walk; 0.1 m/s is a foraging rat's.
            A recorded path has its own.
        every: Interval of the signals.

    Returns:
        Signals `x` and `y` (m), `speed` (m/ms, the coherent unit: 0.1 m/s is 1e-4) and
        `heading` (rad, counter-clockwise from the x axis, in −π..π; kept while standing).

    Raises:
        SignalError: if a setting is out of range or the file is unusable; a message about the
            file names the row.
    """
    width_m, height_m, dt_ms = float(width), float(height), float(every)
    if not 0 < duration_ms < np.inf:
        raise SignalError(f"a run must last longer than 0 ms, found {duration_ms:g} ms")
    if not (0 < width_m < np.inf and 0 < height_m < np.inf):
        raise SignalError(f"an arena needs a size above 0, found {width} by {height}")
    if not 0 <= speed < np.inf:
        raise SignalError(f"a running speed must be finite and not negative, found {speed}")
    if file is not None and speed != RAT_SPEED:
        raise SignalError(
            f"a recorded path has its own running speed, found speed {speed} with the file "
            f"`{file}`; leave `speed` or `file` out"
        )
    if not 0 < dt_ms <= duration_ms:
        raise SignalError(
            f"a path needs an interval above 0 and within the run ({duration_ms:g} ms), "
            f"found every {dt_ms:g} ms"
        )
    n_frames = int(np.ceil(round(duration_ms / dt_ms, 6)))
    lasts_ms = duration_ms
    if file is None:
        position = random_walk(
            n_frames + 1, dt_ms, width_m=width_m, height_m=height_m, seed=seed,
            mean_speed_m_per_s=1000.0 * float(speed),
        )  # fmt: skip
    else:
        times_ms, recorded = read_path(file, width_m=width_m, height_m=height_m)
        frames_ms = np.arange(n_frames + 1) * dt_ms
        position = np.stack([np.interp(frames_ms, times_ms, axis) for axis in recorded.T], axis=1)
        lasts_ms = float(times_ms[-1])
    moved = np.diff(position, axis=0)
    return Encoding(
        signals={
            "x": Signal(position[:-1, 0], dt_ms, "m", (0.0, width_m)),
            "y": Signal(position[:-1, 1], dt_ms, "m", (0.0, height_m)),
            "speed": Signal(np.hypot(moved[:, 0], moved[:, 1]) / dt_ms, dt_ms, "m/ms"),
            "heading": Signal(_headings(moved), dt_ms, "rad"),
        },
        duration_ms=lasts_ms,
    )


def _headings(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direction of each step; a standing animal keeps its last one, and starts with 0."""
    walking = np.hypot(moved[:, 0], moved[:, 1]) > 0
    last = np.maximum.accumulate(np.where(walking, np.arange(moved.shape[0]), -1))
    heading = np.arctan2(moved[last, 1], moved[last, 0])
    return np.where(last >= 0, heading, 0.0)
