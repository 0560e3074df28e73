"""Sounds: read a recording, check that there is something to hear, set its level."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.files.home import expanded
from neuro.signal import Signal
from neuro.units import admit, quantities

__all__ = ["FRAME_MS", "REFERENCE_PA", "Channel", "Sound", "at_level", "load_sound", "resample"]

Channel = Literal["mix", "left", "right"]
REFERENCE_PA = 2e-5  # 0 dB SPL
FRAME_MS = 10.0  # the shortest sound accepted: one cycle of 100 Hz; engineering choice
SILENT = 1 / 32768  # RMS of one step of a 16-bit recording, re full scale
FULL_SCALE = 0.99  # 127/128, the largest sample of an 8-bit recording, is 0.992
# Half the samples at the two rails leave no waveform to encode. Fewer are accepted: lightly
# clipped recordings are common, above all of screams, and keep their zero crossings.
CLIPPED = 0.5


@dataclass(frozen=True, eq=False)
class Sound:
    """One channel of sound in arbitrary units, without its constant offset.

    Args:
        values: `(n,)` samples; copied.
        rate_hz: Sampling rate.
        name: What messages call it.

    Raises:
        SignalError: if it is empty, not finite, shorter than a frame of 10 ms, constant, silent
            (RMS below one step of a 16-bit recording), or clipped to nothing (half of its
            samples or more at full scale).
    """

    values: NDArray[np.float64]
    rate_hz: float
    name: str = "the sound"

    def __post_init__(self) -> None:
        admit(self)
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1:
            raise SignalError(f"{self.name} must be one channel of samples, found {values.shape}")
        if not 0 < self.rate_hz < np.inf:
            raise SignalError(f"{self.name} needs a sampling rate above 0, found {self.rate_hz} Hz")
        _refuse_unusable(values, self.rate_hz, self.name)
        values -= values.mean()  # an offset is not heard, but would count in the level
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def duration_ms(self) -> float:
        """Time covered."""
        return 1000.0 * self.values.size / self.rate_hz


def load_sound(path: str | Path, channel: Channel = "mix") -> Sound:
    """Read a WAV, FLAC or OGG file (anything libsndfile reads).

    Args:
        path: The file.
        channel: `mix` averages all channels; `left` and `right` take the first and second of a
            recording that has two or more.

    Raises:
        SignalError: if the file is missing, not a sound, lacks the channel, or holds nothing
            to hear (see `Sound`).
    """
    import soundfile

    path = expanded(path, SignalError)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise SignalError(f"a sound file must be at `{path}`, found {found} there; check the path")
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError, TypeError) as error:
        reason = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
        raise SignalError(
            f"`{path}` cannot be read as a sound ({reason}); give a WAV, FLAC or OGG file"
        ) from None
    name = f"`{path}`"
    if channel == "mix":
        values = samples.mean(axis=1)
        if values.size and np.isfinite(samples).all() and samples.std() > SILENT > values.std():
            raise SignalError(f"the channels of {name} cancel when mixed; take `left` or `right`")
    elif channel not in ("left", "right"):
        raise SignalError(f"a channel must be mix, left or right, found `{channel}`")
    elif samples.shape[1] < 2:
        raise SignalError(
            f"{name} must have two channels to take the {channel} one, found {samples.shape[1]}; "
            f"set channel to mix"
        )
    else:
        values = samples[:, 0 if channel == "left" else 1]
    return Sound(values, float(rate), name)


@quantities
def resample(sound: Sound, rate_hz: float) -> Sound:
    """The sound at another sampling rate, band-limited to the lower of the two.

    A polyphase filter without delay; content close to half the lower rate is attenuated.
    """
    from scipy.signal import resample_poly

    if sound.rate_hz == rate_hz:
        return sound
    ratio = Fraction(rate_hz).limit_denominator(10**6) / Fraction(sound.rate_hz).limit_denominator(
        10**6
    )
    values = resample_poly(sound.values, ratio.numerator, ratio.denominator)
    return Sound(values, rate_hz, sound.name)


@quantities
def at_level(sound: Sound, level_db: float) -> Signal:
    """The sound in Pa, with its RMS over the whole sound at `level_db` dB SPL (re 20 µPa).

    >>> tone = Sound(np.sin(np.arange(1600)), 16000)
    >>> rms = np.sqrt(np.mean(at_level(tone, 94).values ** 2))
    >>> round(float(rms), 2)
    1.0
    """
    if not np.isfinite(level_db):
        raise SignalError(f"a sound level must be finite, found {level_db} dB")
    rms = np.sqrt(np.mean(sound.values**2))
    pressure_pa = sound.values * (REFERENCE_PA * 10.0 ** (level_db / 20.0) / rms)
    return Signal(pressure_pa, 1000.0 / sound.rate_hz, "Pa")


def _refuse_unusable(values: NDArray[np.float64], rate_hz: float, name: str) -> None:
    if values.size == 0:
        raise SignalError(f"{name} must hold samples, found none: it is empty")
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SignalError(
            f"{name} must hold finite samples, found {values[first]} at sample {first} "
            f"({first / rate_hz:.3f} s)"
        )
    lasts_ms = 1000.0 * values.size / rate_hz
    if lasts_ms < FRAME_MS:
        raise SignalError(
            f"{name} must last at least one frame ({FRAME_MS:g} ms), found {lasts_ms:.3g} ms"
        )
    low, high = float(values.min()), float(values.max())
    if low == high:
        what = "silent: every sample is 0" if low == 0 else f"constant: every sample is {low:.6g}"
        raise SignalError(f"{name} must have something to hear, found it {what}")
    if float(values.std()) < SILENT:
        raise SignalError(
            f"{name} must have something to hear, found it silent: RMS "
            f"{20 * np.log10(values.std()):.0f} dB re full scale, less than one 16-bit step"
        )
    at_rail = np.zeros(values.size, dtype=bool)
    if high >= FULL_SCALE:
        at_rail |= values == high
    if low <= -FULL_SCALE:
        at_rail |= values == low
    if at_rail.mean() >= CLIPPED:
        raise SignalError(
            f"{name} must not be clipped to nothing, found {100 * at_rail.mean():.0f} % of its "
            f"samples at full scale; record it at a lower gain"
        )
