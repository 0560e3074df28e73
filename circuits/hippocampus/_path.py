"""What the cells need to know of a path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.signal import Signal
from neuro.units import Length


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


def same_arena(circuit: str, **sides: tuple[Signal, Length]) -> None:
    """Refuse a side of an arena that is not that of the arena the path was made in.

    Args:
        sides: By name, a coordinate of the path and the circuit's own length of that side.

    Raises:
        SignalError: naming the circuit and the side.
    """
    for name, (signal, length) in sides.items():
        if signal.bounds is not None and not np.isclose(signal.bounds[1], float(length)):
            raise SignalError(
                f"{circuit} needs the {name} of the path's arena, {signal.bounds[1]:g} m, found "
                f"{length}; set `{name}` to that in both"
            )


def within_reach(
    circuit: str, x: Signal, y: Signal, at_x: float, at_y: float, radius: float
) -> None:
    """Refuse a landmark that no path in this arena can come to.

    Raises:
        SignalError: naming the circuit and the arena's size.
    """
    if x.bounds is None or y.bounds is None:
        return
    nearest = np.clip(at_x, *x.bounds), np.clip(at_y, *y.bounds)
    if np.hypot(nearest[0] - at_x, nearest[1] - at_y) > radius:
        raise SignalError(
            f"{circuit} needs a landmark that the path can come to, in an arena of "
            f"{x.bounds[1]:g} m by {y.bounds[1]:g} m, found landmark_x {at_x:g} m and landmark_y "
            f"{at_y:g} m; move it"
        )


def entries(x: Signal, y: Signal, at_x: float, at_y: float, radius: float) -> NDArray[np.bool_]:
    """`(n_frames,)` true in the frames in which the animal comes within `radius` of a point.

    Starting inside counts as coming in at the first frame.
    """
    same_clock(x, y)
    inside = np.hypot(x.values - at_x, y.values - at_y) <= radius
    before = np.concatenate([[False], inside[:-1]])
    return np.asarray(inside & ~before)
