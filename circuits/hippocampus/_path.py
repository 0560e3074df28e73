"""What the cells need to know of a path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.signal import Signal


def same_clock(*coordinates: Signal) -> None:
    """Refuse signals that do not belong to one path.

    Raises:
        SignalError: if they differ in length or interval, or have several channels.
    """
    first = coordinates[0]
    for signal in coordinates:
        if (
            signal.values.ndim != 1
            or signal.values.shape != first.values.shape
            or signal.dt_ms != first.dt_ms
        ):
            raise SignalError(
                f"the signals of a path need one length and interval, found "
                f"{first.values.shape} every {first.dt_ms} ms and {signal.values.shape} every "
                f"{signal.dt_ms} ms"
            )


def entries(x: Signal, y: Signal, at_x: float, at_y: float, radius: float) -> NDArray[np.bool_]:
    """`(n_frames,)` true in the frames in which the animal comes within `radius` of a point.

    Starting inside counts as coming in at the first frame.
    """
    same_clock(x, y)
    inside = np.hypot(x.values - at_x, y.values - at_y) <= radius
    before = np.concatenate([[False], inside[:-1]])
    return np.asarray(inside & ~before)
