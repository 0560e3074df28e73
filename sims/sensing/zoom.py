"""What the ear is set to for a request: the same number of places, laid over the band asked for.

    places      as many as in the first look, evenly spaced in ERBs over the band
    fibres      the finer a token in time, the more at each place: a token of a place is told by
                about as many spikes as in the first look, until an ear has no more fibres there
    lead-in     sound before the window is heard too, until what came before no longer matters

So a narrow band is seen in more detail than a wide one, and fine tokens are no noisier than coarse
ones. A living ear has the hair cells and the fibres for it: the first look is of few of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.language.requests import Request
from encoders.cochlea.gammatone import BANDWIDTH, erb_hz, erb_spaced_hz
from encoders.cochlea.nerve import WORKING_RATE_HZ
from encoders.cochlea.synapse import SYNAPSES
from neuro.errors import ConfigError
from neuro.units import admit, quantities
from sims.config.train import NerveSpec

__all__ = ["FORGOTTEN", "FirstLook", "Zoom", "lead_in_ms", "zoom_of"]

STEPS_PER_MS = round(WORKING_RATE_HZ / 1000.0)
# Requests are met on a grid, so that the last bit of a number that a network rounds does not
# decide which noise the nerve has. A thousandth of an octave is 0.07 %, a third of what is just
# noticed in a tone (0.2 % at 1 kHz; Wier et al. 1977, J Acoust Soc Am 61:178).
PLACES_PER_OCTAVE = 1000
# 31,000 and more in the healthy human ear (Spoendlin & Schrott 1989, Hear Res 43:25), of 41 ERBs
# from 20 Hz to 20 kHz; that they are spread evenly is an engineering choice.
FIBRES_PER_ERB = 750.0
FORGOTTEN = 0.01
"""What may be left of the past where a window begins; engineering choice. The noise of a token
that is told by 100 spikes is 10 %."""


@dataclass(frozen=True)
class FirstLook:
    """How every sound is heard before anything is asked.

    Attributes:
        nerve: Who listens.
        duration_ms: What of a sound is heard; a shorter one is followed by silence.
        level_db: RMS of every whole sound, in dB SPL.
        step_ms: Time that one token tells; `duration_ms` is a whole number of them.

    Raises:
        ConfigError: if it is not, or a time is not positive.
    """

    nerve: NerveSpec
    duration_ms: float
    level_db: float
    step_ms: float

    def __post_init__(self) -> None:
        admit(self)
        whole = False
        if 0 < self.step_ms <= self.duration_ms < math.inf:
            steps = self.duration_ms / self.step_ms
            whole = abs(steps - round(steps)) < 1e-6
        if not whole:
            raise ConfigError(
                "a first look must last a whole number of its steps, found "
                f"{self.duration_ms:g} ms in steps of {self.step_ms:g} ms"
            )

    @property
    def request(self) -> Request:
        """The request that asks for just this look."""
        nerve = self.nerve
        low_hz, high_hz = 1000.0 * float(nerve.low), 1000.0 * float(nerve.high)
        return Request(low_hz, high_hz, self.duration_ms, self.step_ms)


@dataclass(frozen=True)
class Zoom:
    """What the ear is set to.

    Attributes:
        low_hz, high_hz: The lowest and the highest place.
        n_channels, fibres: Places, and fibres at each.
        window: How long before the end it looks, in steps of 25 µs.
        lead_in: What is heard before that, if there is so much.
        tokens: Parts of the window.
    """

    low_hz: float
    high_hz: float
    n_channels: int
    fibres: int
    window: int
    lead_in: int
    tokens: int

    def __post_init__(self) -> None:
        admit(self)

    @property
    def nerve(self) -> tuple[Any, ...]:
        """All that decides the spikes; tokens only cut them up."""
        band = (f"{self.low_hz:.3f} Hz", f"{self.high_hz:.3f} Hz")
        return (*band, self.n_channels, self.fibres, self.window)

    @property
    def cf_hz(self) -> NDArray[np.float64]:
        """`(n_channels,)` characteristic frequency of each place."""
        return erb_spaced_hz(self.low_hz, self.high_hz, self.n_channels)

    @property
    def window_ms(self) -> float:
        """Length of the window."""
        return self.window / STEPS_PER_MS

    @property
    def token_ms(self) -> float:
        """Time that one token tells."""
        return self.window_ms / self.tokens


def zoom_of(request: Request, first: FirstLook) -> Zoom:
    """What the ear is set to for a request that is within the sensor's limits.

    A request that asks for the first look gives the nerve of the first look, to the bit.
    """
    ends = (first.request.low_hz, first.request.high_hz)
    low_hz, high_hz = (_on_grid(end, ends) for end in (request.low_hz, request.high_hz))
    tokens = max(1, math.floor(request.window_ms / request.resolution_ms + 0.5))
    window = min(round(request.window_ms * STEPS_PER_MS), round(first.duration_ms * STEPS_PER_MS))
    finer = first.step_ms * STEPS_PER_MS * tokens / window
    # The hair: a third of 30 is not 11 of anything because of its last bit.
    wanted = math.ceil(first.nerve.fibres_per_channel * finer - 1e-6)
    there = int(FIBRES_PER_ERB * _erbs(low_hz, high_hz) / first.nerve.n_channels)
    return Zoom(
        low_hz,
        high_hz,
        first.nerve.n_channels,
        max(first.nerve.fibres_per_channel, min(wanted, there)),
        window,
        math.ceil(lead_in_ms(low_hz) * STEPS_PER_MS),
        tokens,
    )


@quantities
def lead_in_ms(low_hz: float) -> float:
    """How long to listen before a window, so that at most `FORGOTTEN` of the past is left in it.

    What remembers longest are the vesicle pools, refilled at 6 a second and faster only while
    they are used: ln(100) / 6 s, 768 ms. Before them rings the gammatone filter, longest at the
    lowest place: its t³ e^(−2πbt) has given all but a hundredth of its area after 10/(2πb), 41 ms
    at 125 Hz. The membrane's and calcium's 0.2 ms are nothing beside these.
    """
    from scipy.special import gammainccinv

    slowest_hz = min(synapse.pools.replenish_hz for synapse in SYNAPSES.values())
    decay_hz = 2.0 * math.pi * BANDWIDTH * float(erb_hz(low_hz))
    rings_s = float(gammainccinv(4, FORGOTTEN)) / decay_hz
    return 1000.0 * (rings_s + math.log(1.0 / FORGOTTEN) / slowest_hz)


def _on_grid(frequency_hz: float, ends: tuple[float, float]) -> float:
    """The place of the grid nearest to a frequency; an end of the first look is a place too."""
    near = 0.5 / PLACES_PER_OCTAVE
    for end in ends:
        if abs(math.log2(frequency_hz / end)) <= near:
            return end
    return float(2.0 ** (round(math.log2(frequency_hz) * PLACES_PER_OCTAVE) / PLACES_PER_OCTAVE))


def _erbs(low_hz: float, high_hz: float) -> float:
    """ERBs between two frequencies (Glasberg & Moore 1990): the integral of 1 / `erb_hz`."""
    return math.log((4.37e-3 * high_hz + 1.0) / (4.37e-3 * low_hz + 1.0)) / (24.7 * 4.37e-3)
