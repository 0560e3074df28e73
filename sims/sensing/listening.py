"""The ear, set to what was asked, hears the end of a sound; its spikes become tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridges.features.counts import counts
from bridges.language.requests import Requests
from bridges.language.stored import StoredSensor
from encoders.cochlea.nerve import (
    WORKING_RATE_HZ,
    Spontaneous,
    auditory_nerve_spikes,
    fibre_classes,
)
from encoders.sound import Sound, at_level, resample
from neuro.errors import SignalError
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import admit, quantities
from neuro.wiring import generator
from sims.sensing.zoom import STEPS_PER_MS, FirstLook, Zoom

__all__ = ["Heard", "embedded", "hear_end", "nerve_seed", "pressure_pa"]


@dataclass(frozen=True, eq=False)
class Heard:
    """What a nerve answered within a window.

    Attributes:
        spikes: Of all fibres, at their times in the sound; those of one place are neighbours.
        cf_hz: `(n_channels,)` characteristic frequency of each place.
        channels: `(n_units,)` place of each fibre.
    """

    spikes: Spikes
    cf_hz: NDArray[np.float64]
    channels: NDArray[np.int64]

    def __post_init__(self) -> None:
        admit(self)

    @property
    def n_bytes(self) -> int:
        """Memory taken."""
        parts = (self.spikes.times_ms, self.spikes.units, self.cf_hz, self.channels)
        return sum(part.nbytes for part in parts)


@quantities
def pressure_pa(sound: Sound, first: FirstLook, highest_hz: float) -> NDArray[np.float64]:
    """`(n,)` at 40 kHz: the sound at its level, cut or followed by silence as it is first heard.

    Raises:
        SignalError: if the sound, or the ear itself, is sampled too slowly for `highest_hz`.
    """
    carried_hz = min(sound.rate_hz, WORKING_RATE_HZ) / 2
    if highest_hz >= carried_hz:
        raise SignalError(
            f"a sensor must ask for less than half the sampling rate of {sound.name} and of the "
            f"ear, {carried_hz:g} Hz, found {highest_hz:g} Hz; set a lower `high_hz`"
        )
    whole = at_level(resample(sound, WORKING_RATE_HZ), first.level_db).values
    window = np.zeros(round(first.duration_ms * STEPS_PER_MS))
    n = min(window.size, whole.size)
    window[:n] = whole[:n]
    return window


def nerve_seed(seed: int, key: str, zoom: Zoom, first: Zoom) -> int:
    """Seed of the nerve's noise: that of the data set for the first look, else a stream apart.

    It depends on the seed, the sound and what the ear is set to, and on nothing else.
    """
    apart = () if zoom.nerve == first.nerve else zoom.nerve
    return int(generator(seed, "nerve", key, *apart).integers(2**62))


def hear_end(
    pressure: NDArray[np.float64], zoom: Zoom, *, spontaneous: Spontaneous, seed: int
) -> Heard:
    """The answer to the end of a sound in Pa at 40 kHz, after the lead-in or all there is of it."""
    starts = pressure.size - zoom.window
    begins = max(0, starts - zoom.lead_in)
    nerve = auditory_nerve_spikes(
        Signal(pressure[begins:], 1000.0 / WORKING_RATE_HZ, "Pa"),
        zoom.cf_hz,
        seed=seed,
        classes=fibre_classes(zoom.fibres, spontaneous),
    )
    t_start_ms, t_stop_ms = starts / STEPS_PER_MS, pressure.size / STEPS_PER_MS
    times_ms = nerve.spikes.times_ms + begins / STEPS_PER_MS
    kept = times_ms >= t_start_ms
    return Heard(
        Spikes(
            # Adding may round the last instant up to the end of the window, which is outside.
            np.minimum(times_ms[kept], math.nextafter(t_stop_ms, 0.0)),
            nerve.spikes.units[kept],
            n_units=nerve.spikes.n_units, t_start_ms=t_start_ms, t_stop_ms=t_stop_ms,
        ),
        zoom.cf_hz,
        np.repeat(np.arange(zoom.n_channels), zoom.fibres),
    )  # fmt: skip


def embedded(heard: Heard, zoom: Zoom, first: FirstLook, width: int) -> Tensor:
    """`(token, width)` as `StoredSensor` gives them, double precision.

    The numbers are spikes that one place would have fired in the first look in one of its steps,
    so that a zoom is read on the scale of what was read before.
    """
    fired = counts(heard.spikes, bin_ms=zoom.token_ms, channels=heard.channels)
    as_first = first.nerve.fibres_per_channel * first.step_ms / (zoom.fibres * zoom.token_ms)
    octaves = math.log2(zoom.high_hz / zoom.low_hz)
    stored = StoredSensor(
        (fired * as_first)[None], heard.cf_hz.tolist(), step_ms=zoom.token_ms, width=width,
        narrowest=octaves / 2,
    )  # fmt: skip
    arguments = (zoom.low_hz, zoom.high_hz, stored.duration_ms, zoom.token_ms)
    low, high, window, resolution = torch.tensor(arguments, dtype=torch.float64)[:, None]
    everything = Requests(low.new_zeros(1), low.new_zeros(1, 4), low, high, window, resolution)
    return stored.sense([0], everything)[0]
