"""A source-filter voice: glottal pulses with controllable micro-timing, through formants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.units import admit, quantities
from neuro.wiring import generator

__all__ = ["OUTPUT_RMS", "VOWELS_HZ", "Voice", "pulse_times_s", "synthesize"]

OVERSAMPLING = 8  # pulses are drawn at 8 times the rate, which keeps aliases of their corners low
OUTPUT_RMS = 0.1  # -20 dB re full scale leaves room for peaks
TILT_HZ = 3000.0  # corner of the source's spectral tilt; engineering choice
RUMBLE_HZ = 40.0  # removed below: an offset would click where the utterance begins and ends

# First three formants, means of 33 men (Peterson & Barney 1952, J Acoust Soc Am 24:175).
VOWELS_HZ = {
    "i": (270.0, 2290.0, 3010.0),
    "e": (530.0, 1840.0, 2480.0),
    "ae": (660.0, 1720.0, 2410.0),
    "a": (730.0, 1090.0, 2440.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
    "er": (490.0, 1350.0, 1690.0),
}
HIGHER_HZ = (3500.0, 4500.0)  # odd quarter-wave resonances of a tube of 17.5 cm
BANDWIDTHS_HZ = (60.0, 90.0, 130.0, 200.0, 250.0)  # near Klatt 1980, J Acoust Soc Am 67:971

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Voice:
    """How one utterance of a sustained vowel sounds.

    Attributes:
        f0_hz: Mean fundamental frequency.
        contour: `(share of the duration, factor on f0)` points, joined by lines.
        jitter: Mean difference of neighbouring periods over the mean period ("local jitter").
        shimmer: The same for the pulses' amplitudes ("local shimmer").
        breathiness: RMS of aspiration noise over that of the voiced part.
        tremor_hz, tremor_depth: Sinusoidal modulation of f0, the depth as a share of it.
        open_quotient: Share of the period for which the glottis is open.
        formants_hz, bandwidths_hz: Resonances of the vocal tract.
        envelope: `(share of the duration, amplitude)` points, joined by lines.

    Raises:
        SignalError: if a value is outside its range.
    """

    f0_hz: float = 120.0
    contour: Points = ((0.0, 1.0), (1.0, 1.0))
    jitter: float = 0.005
    shimmer: float = 0.02
    breathiness: float = 0.05
    tremor_hz: float = 5.0
    tremor_depth: float = 0.0
    open_quotient: float = 0.6
    formants_hz: tuple[float, ...] = VOWELS_HZ["a"] + HIGHER_HZ
    bandwidths_hz: tuple[float, ...] = BANDWIDTHS_HZ
    envelope: Points = ((0.0, 0.0), (0.05, 1.0), (0.9, 1.0), (1.0, 0.0))

    def __post_init__(self) -> None:
        # Above 0.2, Gaussian perturbations cut at 3 SD would let a period approach 0.
        admit(self)
        for name, low, high in (
            ("f0_hz", 20.0, 2000.0), ("jitter", 0.0, 0.2), ("shimmer", 0.0, 0.3),
            ("breathiness", 0.0, 100.0), ("tremor_hz", 0.0, 50.0), ("tremor_depth", 0.0, 0.5),
            ("open_quotient", 0.1, 1.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise SignalError(f"a voice needs {name} in {low:g}..{high:g}, found {value:g}")
        if len(self.formants_hz) != len(self.bandwidths_hz):
            raise SignalError(
                f"a voice needs one bandwidth a formant, found {len(self.formants_hz)} formants "
                f"and {len(self.bandwidths_hz)} bandwidths"
            )


@quantities
def pulse_times_s(
    voice: Voice, duration_s: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When the glottis closes, which is what excites the vocal tract, and how strongly.

    Periods and strengths carry independent Gaussian perturbations. The mean difference of two
    neighbours is 2σ/√π, so σ is √π/2 of the jitter or shimmer asked for.

    Returns:
        `(n + 1,)` closures in s, from 0 to the first at or after the end, and `(n,)` strengths
        (mean 1) of all but the first.
    """
    rng = generator(seed, "glottal pulses")
    at, factor = np.array(voice.contour, dtype=np.float64).T
    phase = rng.uniform(0.0, 2.0 * np.pi)
    sigma_t, sigma_a = np.sqrt(np.pi) / 2 * np.array([voice.jitter, voice.shimmer])
    closures, strengths = [0.0], []
    while closures[-1] < duration_s:
        t = closures[-1]
        n_t, n_a = np.clip(rng.standard_normal(2), -3.0, 3.0)
        wobble = 1.0 + voice.tremor_depth * np.sin(2 * np.pi * voice.tremor_hz * t + phase)
        f0_hz = voice.f0_hz * float(np.interp(t / duration_s, at, factor)) * wobble
        closures.append(t + (1.0 + sigma_t * n_t) / f0_hz)
        strengths.append(1.0 + sigma_a * n_a)
    return np.array(closures), np.array(strengths)


@quantities
def synthesize(
    voice: Voice, *, duration_s: float, sample_rate_hz: int = 16000, seed: int = 0
) -> NDArray[np.float64]:
    """Samples of one utterance, with an RMS of 0.1 over its whole length.

    KLGLOTT88 flow pulses (Klatt & Klatt 1990, J Acoust Soc Am 87:820) at real-valued times →
    derivative (lip radiation) and tilt → formant resonators (Klatt 1980), with aspiration noise
    that the open glottis modulates. Timing is not bound to samples: a jitter of 0.1 % at
    200 Hz, 5 µs, is there in the waveform.

    Args:
        voice: What to say.
        duration_s: Length; at least two periods.
        sample_rate_hz: Above twice the highest formant.
        seed: Of jitter, shimmer, tremor phase and noise.

    Returns:
        `(round(duration_s * sample_rate_hz),)` float64.

    Raises:
        SignalError: if the utterance is too short or a formant lies too high.
    """
    from scipy.signal import butter, lfilter, resample_poly

    if not duration_s * voice.f0_hz >= 2:
        raise SignalError(
            f"an utterance must last two periods of its voice ({2 / voice.f0_hz:.3g} s), "
            f"found {duration_s:g} s"
        )
    if max(voice.formants_hz, default=0.0) >= sample_rate_hz / 2:
        raise SignalError(
            f"a voice with a formant at {max(voice.formants_hz):g} Hz needs a sampling rate above "
            f"{2 * max(voice.formants_hz):g} Hz, found {sample_rate_hz} Hz"
        )
    n = round(duration_s * sample_rate_hz)
    fine_s = np.arange(n * OVERSAMPLING) / (sample_rate_hz * OVERSAMPLING)
    flow = resample_poly(
        _flow(voice, fine_s, *pulse_times_s(voice, duration_s, seed)), 1, OVERSAMPLING
    )
    tilt = np.exp(-2.0 * np.pi * TILT_HZ / sample_rate_hz)
    voiced = lfilter([1.0 - tilt], [1.0, -tilt], np.diff(flow, prepend=0.0))
    # Turbulence is strongest while the glottis is open; half remains (Klatt 1980).
    noise = generator(seed, "aspiration").standard_normal(n) * (0.5 + 0.5 * np.clip(flow, 0, 1))
    for formant_hz, bandwidth_hz in zip(voice.formants_hz, voice.bandwidths_hz, strict=True):
        radius = np.exp(-np.pi * bandwidth_hz / sample_rate_hz)
        b, c = 2 * radius * np.cos(2 * np.pi * formant_hz / sample_rate_hz), -(radius**2)
        voiced, noise = (lfilter([1 - b - c], [1, -b, -c], part) for part in (voiced, noise))
    noise *= voice.breathiness * _rms(voiced) / _rms(noise)
    share, amplitude = np.array(voice.envelope, dtype=np.float64).T
    uttered = (voiced + noise) * np.interp(np.arange(n) / n, share, amplitude)
    out = lfilter(*butter(2, RUMBLE_HZ, "highpass", fs=sample_rate_hz), uttered)
    return np.asarray(out * (OUTPUT_RMS / _rms(out)))


def _flow(
    voice: Voice,
    at_s: NDArray[np.float64],
    closures_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Glottal flow: 27/4·(p² − p³) over the open phase p in 0..1, which ends each period.

    The slope at closure, the excitation, is proportional to flow over period; scaling the flow
    with the period keeps jitter out of the strengths.
    """
    pulse = np.searchsorted(closures_s, at_s, side="right") - 1
    period_s = np.diff(closures_s)[pulse]
    phase = (at_s - closures_s[pulse]) / period_s
    p = np.maximum(0.0, (phase - (1.0 - voice.open_quotient)) / voice.open_quotient)
    return np.asarray(strengths[pulse] * period_s * voice.f0_hz * 6.75 * (p**2 - p**3))


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
