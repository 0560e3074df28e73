"""Sounds and requests that the tests of live sensing share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridges.language.requests import Requests
from encoders.sound import Sound
from sims.config.train import NerveSpec
from sims.sensing.live import LiveSensor

RATE_HZ = 16_000
SMALL = NerveSpec(n_channels=6, fibres_per_channel=4)


def asked(
    low_hz: float, high_hz: float, window_ms: float, resolution_ms: float, n: int = 1
) -> Requests:
    """The same request of `n` items."""
    numbers = torch.tensor([low_hz, high_hz, window_ms, resolution_ms], dtype=torch.float64)
    return Requests(torch.ones(n), torch.zeros(n, 4), *numbers[:, None].expand(4, n))


def waves(
    *tones_hz: float, lasts_ms: float = 200.0, sounds_ms: float | None = None
) -> NDArray[np.float64]:
    """Tones of equal amplitude, followed by silence."""
    time_s = np.arange(round(lasts_ms * RATE_HZ / 1000)) / RATE_HZ
    made = np.sum([np.sin(2 * np.pi * hz * time_s) for hz in tones_hz], axis=0)
    return made * (time_s < (sounds_ms or lasts_ms) / 1000)


def ear(sounds: Mapping[str, Any], nerve: NerveSpec = SMALL, **settings: Any) -> LiveSensor:
    """A sensor over arrays or sounds: 200 ms in steps of 20 ms unless it is told otherwise."""
    made = {
        name: Sound(sound, RATE_HZ) if isinstance(sound, np.ndarray) else sound
        for name, sound in sounds.items()
    }
    chosen: dict[str, Any] = {"duration_ms": 200.0, "step_ms": 20.0, "width": 9, "seed": 3}
    return LiveSensor(made, nerve, **{**chosen, **settings})
