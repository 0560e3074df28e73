"""Circular statistics: the mean angle, and the relation of an angle to a position."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["CircularLinear", "circular_linear", "circular_mean"]


class CircularLinear(NamedTuple):
    """A fitted line `phase = offset + slope * position` on the cylinder.

    `slope` is in rad per unit of position, `offset` in rad, `rho` the circular–linear
    correlation (-1..1) and `p` its two-sided probability by chance. `at_bound` is true where the
    steepest slope allowed fits best: the slope that the data have is steeper, or they have none.
    """

    slope: float
    offset: float
    rho: float
    p: float
    at_bound: bool


@quantities
def circular_mean(angles: ArrayLike) -> float:
    """Direction of the mean vector, in `(-π, π]` rad; meaningless if the angles are spread."""
    return float(np.angle(np.exp(1j * np.asarray(angles, np.float64)).mean()))


@quantities
def circular_linear(
    positions: ArrayLike, angles: ArrayLike, *, max_slope: float, n_slopes: int = 2001
) -> CircularLinear:
    """Regress an angle on a linear variable, such as spike phase on place.

    The slope is the one that makes the residual angles agree best; it is sought on a grid of
    `n_slopes` values in `±max_slope` and then refined by a parabola, so it is good to far less
    than the grid's step.

    Args:
        positions: `(n,)` any unit.
        angles: `(n,)` rad.
        max_slope: Steepest slope believed possible, rad per unit of position. Too wide a range
            finds spurious steep slopes; the field uses one or two cycles per place field.

    Raises:
        SignalError: if lengths differ, fewer than three points are given, a number is not finite,
            all positions are one, or the slopes tried are too few for the positions' range.

    Kempter, Leibold, Buzsáki, Diba & Schmidt 2012, J Neurosci Methods 207:113.
    """
    x, phi = np.asarray(positions, np.float64), np.asarray(angles, np.float64)
    if x.shape != phi.shape or x.ndim != 1 or x.size < 3:
        raise SignalError(
            f"circular-linear regression needs two lists of one length, three points at least, "
            f"found {x.shape} and {phi.shape}"
        )
    extent = float(np.ptp(x))
    if not (np.isfinite(x).all() and np.isfinite(phi).all() and extent > 0):
        raise SignalError(
            "circular-linear regression needs finite positions and angles, and positions that "
            f"differ, found positions {x.min()}..{x.max()} and angles {phi.min()}..{phi.max()}"
        )
    # A peak of agreement is as wide as one cycle over the range.
    needed = math.ceil(2 * max_slope * extent) + 1 if 0 < max_slope < math.inf else 3
    if not 0 < max_slope < math.inf or n_slopes < max(needed, 3):
        raise SignalError(
            f"circular-linear regression needs a finite max_slope above 0, and {needed} slopes or "
            f"more, at most a radian apart over the range of {extent:g}, found max_slope "
            f"{max_slope:g} and {n_slopes} slopes"
        )
    slopes = np.linspace(-max_slope, max_slope, n_slopes)
    fits = np.array([_agreement(slope, x, phi) for slope in slopes])
    best = int(np.argmax(fits))
    slope, at_bound = float(slopes[best]), best in (0, n_slopes - 1)
    if not at_bound:
        left, peak, right = fits[best - 1 : best + 2]
        curvature = left - 2 * peak + right
        if curvature < 0:
            slope += 0.5 * float((left - right) / curvature) * float(slopes[1] - slopes[0])
    offset = circular_mean(phi - slope * x)

    # Kempter eq. 3: the position becomes an angle, then Jammalamadaka's circular correlation.
    theta = np.mod(abs(slope) * x, 2 * np.pi)
    a, b = np.sin(phi - circular_mean(phi)), np.sin(theta - circular_mean(theta))
    spread = math.sqrt(float((a**2).sum() * (b**2).sum()))
    if spread == 0.0:
        return CircularLinear(slope, offset, 0.0, 1.0, at_bound)
    rho = float((a * b).sum()) / spread
    cross = float((a**2 * b**2).mean())
    z = rho * math.sqrt(x.size * float((a**2).mean() * (b**2).mean()) / cross) if cross else 0.0
    return CircularLinear(slope, offset, rho, math.erfc(abs(z) / math.sqrt(2)), at_bound)


def _agreement(slope: float, x: np.ndarray, phi: np.ndarray) -> float:
    return float(np.abs(np.exp(1j * (phi - slope * x)).mean()))
