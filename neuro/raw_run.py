"""What every back end hands back, before `simulate` makes a Recording of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Courses", "RawRun"]


class Courses(NamedTuple):
    """Concentrations and factors over time, one value a frame."""

    concentrations: Mapping[str, NDArray[np.float64]]
    factors: Mapping[str, NDArray[np.float64]]


class RawRun(NamedTuple):
    """Spikes as (steps, units) per population; traces in the order they were asked for."""

    spikes: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    traces: Sequence[NDArray[np.float64]]
    courses: Courses
    prepare_s: float
    compile_s: float
    simulate_s: float
