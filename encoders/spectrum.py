"""The time-averaged spectrum of a sound at the ear's resolution, and how to give it to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.cochlea.gammatone import BANDWIDTH, erb_hz, erb_spaced_hz
from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["band_levels_db", "with_spectrum_of"]

LOWEST_HZ = 50.0
BANDS = 64  # two an ERB, up to 8 kHz
ROUNDS = 8  # the bands overlap, so one round of gains leaves some of the difference
LARGEST_DB = 30.0  # of all rounds together: where nothing but rounding is, nothing is amplified


@quantities
def band_levels_db(samples: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Levels of bands as wide as auditory filters, over the whole sound.

    Args:
        samples: `(n,)`, any unit; levels are re 1 of it.
        rate_hz: Samples a second.

    Returns:
        `(64,)` dB; evenly spaced in ERBs from 50 Hz to half the rate.

    The phase of the samples, and so when anything happens, changes nothing.
    """
    weights, _ = _bands(samples.size, rate_hz)
    power = np.abs(np.fft.rfft(samples)) ** 2 * (2.0 / samples.size**2)
    return np.asarray(10.0 * np.log10(weights @ power + np.finfo(float).tiny))


@quantities
def with_spectrum_of(
    samples: NDArray[np.float64], reference: NDArray[np.float64], rate_hz: float
) -> NDArray[np.float64]:
    """The samples with the band levels of `reference`: filtered without a shift of phase.

    Gains are smooth over frequency, so periods within the sound, which are finer than a band is
    wide, stay as they are.

    Args:
        samples, reference: `(n,)` each.

    Raises:
        SignalError: if the two are not equally long.
    """
    if samples.shape != reference.shape:
        raise SignalError(
            f"a sound and its reference must be equally long, found {samples.size} and "
            f"{reference.size} samples"
        )
    weights, centres = _bands(samples.size, rate_hz)
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(samples.size, 1.0 / rate_hz)
    wanted, gain_db = band_levels_db(reference, rate_hz), np.zeros(frequency.size)
    for _ in range(ROUNDS):
        power = np.abs(spectrum * 10.0 ** (gain_db / 20.0)) ** 2 * (2.0 / samples.size**2)
        lacking = wanted - 10.0 * np.log10(weights @ power + np.finfo(float).tiny)
        gain_db = np.clip(gain_db + np.interp(frequency, centres, lacking), -LARGEST_DB, LARGEST_DB)
    return np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), samples.size)


def _bands(n: int, rate_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `(bands, frequencies)` of fourth-order gammatone filters, and their centres in Hz."""
    centres = erb_spaced_hz(LOWEST_HZ, 0.5 * rate_hz, BANDS)
    frequency = np.fft.rfftfreq(n, 1.0 / rate_hz)
    width = BANDWIDTH * erb_hz(centres)
    return (1.0 + ((frequency - centres[:, None]) / width[:, None]) ** 2) ** -4.0, centres
