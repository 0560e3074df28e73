"""What an encoder gives back, and the registry a config looks encoders up in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuro.registry import Registry
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import admit, quantities

__all__ = ["ENCODERS", "Encoding", "SpikeOutput", "encoder"]


@dataclass(frozen=True, eq=False)
class SpikeOutput:
    """Spikes of one kind of afferent, with the coordinates of each unit (`cf_hz` …)."""

    spikes: Spikes
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Encoding:
    """What reaches the circuits, and what a person wants to see of the stimulus.

    Attributes:
        spikes: Named outputs that projections can start from, such as `nerve`.
        signals: Named continuous outputs that drives can use (`x`, `y`), and the stimulus
            itself for pictures and run files (`waveform` in Pa, `temperature` in °C).
        duration_ms: How long the stimulus lasts.
    """

    spikes: Mapping[str, SpikeOutput] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    duration_ms: float = 0.0

    def __post_init__(self) -> None:
        admit(self)


ENCODERS: Registry[Callable[..., Encoding]] = Registry("encoder")


def encoder(function: Callable[..., Encoding]) -> Callable[..., Encoding]:
    """Register an encoder under its function's name.

    All its parameters are keyword-only, typed and, but for `duration_ms` (the run's duration)
    and `seed` (the run's), settings a config may give. Their units are checked when it is called.
    """
    return ENCODERS.add(function.__name__, quantities(function))
