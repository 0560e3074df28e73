"""A random walk with the speed and turning statistics of a foraging rat."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.units import admit, quantities
from neuro.wiring import generator

__all__ = ["RAT", "Gait", "random_walk"]


@dataclass(frozen=True)
class Gait:
    """How an animal moves when nothing is in its way.

    Speed has a Rayleigh distribution and decorrelates within `speed_tau_s`; the rate of turning
    is an Ornstein-Uhlenbeck process. Within `wall_m` of a wall the animal turns away from it
    by up to `wall_turn_rad_per_s`, so that it runs along walls more than into them.

    Source: George et al. 2024, eLife 13:e85274, fitted to the rats of Sargolini et al. 2006;
    the wall's turn is an engineering choice.
    """

    speed_scale_m_per_s: float = 0.08  # mean speed is √(π/2) times this, 0.10 m/s
    speed_tau_s: float = 0.7
    turn_sd_rad_per_s: float = math.radians(120.0)
    turn_tau_s: float = 0.08
    wall_m: float = 0.1
    wall_turn_rad_per_s: float = math.radians(360.0)

    def __post_init__(self) -> None:
        admit(self)


RAT = Gait()


@quantities
def random_walk(
    n_frames: int,
    dt_ms: float,
    *,
    width_m: float,
    height_m: float,
    seed: int,
    gait: Gait = RAT,
    mean_speed_m_per_s: float | None = None,
) -> NDArray[np.float64]:
    """Walk through a rectangle from a random place.

    Args:
        n_frames: How many positions.
        dt_ms: Time between them.
        width_m, height_m: The arena reaches from (0, 0) to (width, height).
        seed: A longer walk of one seed begins like a shorter one.
        gait: How the animal moves.
        mean_speed_m_per_s: Instead of the gait's own mean speed; 0 stands still.

    Returns:
        `(n_frames, 2)` x and y in metres, strictly inside the arena's walls.
    """
    dt_s = dt_ms / 1000.0
    scale = gait.speed_scale_m_per_s
    if mean_speed_m_per_s is not None:
        scale = mean_speed_m_per_s / math.sqrt(math.pi / 2)
    begin = generator(seed, "walk begins")
    x, y = begin.uniform(0.0, 1.0, 2) * (width_m, height_m)
    heading = begin.uniform(-math.pi, math.pi)
    pace, turn = begin.standard_normal(2)  # both with unit variance
    pushes = generator(seed, "walk goes on").standard_normal((n_frames, 2))
    keep_pace, keep_turn = math.exp(-dt_s / gait.speed_tau_s), math.exp(-dt_s / gait.turn_tau_s)
    new_pace, new_turn = math.sqrt(1 - keep_pace**2), math.sqrt(1 - keep_turn**2)
    out = np.empty((n_frames, 2))
    for k in range(n_frames):
        out[k] = x, y
        pace = keep_pace * pace + new_pace * pushes[k, 0]
        turn = keep_turn * turn + new_turn * pushes[k, 1]
        # A Gaussian becomes a Rayleigh variable by way of their distribution functions.
        above = 0.5 * math.erfc(pace / math.sqrt(2.0))
        step_m = scale * math.sqrt(-2.0 * math.log(max(above, 1e-300))) * dt_s
        rate = gait.turn_sd_rad_per_s * turn + _wall_turn(x, y, heading, width_m, height_m, gait)
        heading += rate * dt_s
        x, flip_x = _bounce(x + step_m * math.cos(heading), width_m)
        y, flip_y = _bounce(y + step_m * math.sin(heading), height_m)
        if flip_x:
            heading = math.pi - heading
        if flip_y:
            heading = -heading
    return out


def _wall_turn(
    x: float, y: float, heading: float, width_m: float, height_m: float, gait: Gait
) -> float:
    """Rate of turning away from near walls that lie ahead; a corner counts as one wall."""

    def near(distance_m: float) -> float:
        return max(0.0, 1.0 - distance_m / gait.wall_m)

    away_x, away_y = near(x) - near(width_m - x), near(y) - near(height_m - y)
    strength = min(1.0, math.hypot(away_x, away_y))
    if strength == 0.0:
        return 0.0
    offset = math.atan2(away_y, away_x) - heading
    into = -math.cos(offset)  # 1: straight at the wall
    return math.copysign(strength * max(into, 0.0) * gait.wall_turn_rad_per_s, math.sin(offset))


def _bounce(position: float, size: float) -> tuple[float, bool]:
    """Mirror a position at the walls 0 and `size`; whether the direction was reversed."""
    folded = position % (2.0 * size)
    flipped = folded > size
    # A position exactly on the far wall (rounding) would sit in no place field's bin.
    inside = min(2.0 * size - folded if flipped else folded, math.nextafter(size, 0.0))
    return inside, flipped
