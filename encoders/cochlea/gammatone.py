"""The basilar membrane as a bank of gammatone filters, with an instantaneous compression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encoders.sound import REFERENCE_PA
from neuro.denormals import flush_denormals
from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["KNEE_DB", "compress", "erb_hz", "erb_spaced_hz", "gammatone"]

BANDWIDTH = 1.019  # in ERB, for a 4th-order gammatone; Patterson et al. 1992
# Above the knee the membrane grows by a quarter of a dB per dB, as in the human DRNL of
# Lopez-Poveda & Meddis 2001, whose knee falls from 43 dB SPL at 1 kHz to 20 dB at 4 kHz. One
# knee for all frequencies, in between, is an engineering choice.
KNEE_DB, EXPONENT = 35.0, 0.25


@quantities
def erb_hz(cf_hz: ArrayLike) -> NDArray[np.float64]:
    """Equivalent rectangular bandwidth of human hearing, in Hz (Glasberg & Moore 1990).

    >>> erb_hz([100, 1000, 4000]).round(1)
    array([ 35.5, 132.6, 456.5])
    """
    return np.asarray(24.7 * (4.37e-3 * np.asarray(cf_hz, dtype=np.float64) + 1.0))


@quantities
def erb_spaced_hz(low_hz: float, high_hz: float, n: int) -> NDArray[np.float64]:
    """`n` frequencies from `low_hz` to `high_hz`, evenly spaced on the ERB-number scale.

    One channel sits at `low_hz`.

    Raises:
        SignalError: unless `0 < low_hz <= high_hz` and `n >= 1`.
    """
    if not (0 < low_hz <= high_hz < np.inf and n >= 1):
        raise SignalError(
            f"channels need 0 < low <= high and at least one channel, "
            f"found low {low_hz:g} Hz, high {high_hz:g} Hz and {n} channels"
        )
    number = np.log1p(4.37e-3 * np.array([low_hz, high_hz]))
    spaced = np.expm1(np.linspace(number[0], number[1], n)) / 4.37e-3
    spaced[0] = low_hz  # free of the rounding of log and exp
    if n > 1:
        spaced[-1] = high_hz
    return spaced


@quantities
def gammatone(signal: NDArray[np.float64], rate_hz: float, cf_hz: float) -> NDArray[np.complex128]:
    """Filter a sound with the 4th-order gammatone of one characteristic frequency.

    Four complex one-pole filters in series, whose impulse response is t³ exp(−2πbt + i2πft)
    (Hohmann 2002, Acta Acustica 88:433).

    Args:
        signal: `(n,)`, any unit.
        rate_hz: Its sampling rate.
        cf_hz: Characteristic frequency, below half the rate.

    Returns:
        `(n,)` complex: the real part is the filtered sound, with gain 1 at `cf_hz`; the
        modulus is its envelope.

    Raises:
        SignalError: if `cf_hz` is not between 0 and half the rate.
    """
    if not 0 < cf_hz < rate_hz / 2:
        raise SignalError(
            f"a channel must lie between 0 and half the sampling rate ({rate_hz / 2:g} Hz), "
            f"found {cf_hz:g} Hz"
        )
    from encoders.cochlea._kernels import cascade

    decay = 2.0 * np.pi * BANDWIDTH * float(erb_hz(cf_hz)) / rate_hz
    pole = complex(np.exp(-decay + 2j * np.pi * cf_hz / rate_hz))
    # 2: half of a real tone lies at the negative frequency, which the filter removes.
    gain = 2.0 * (1.0 - abs(pole)) ** 4
    with flush_denormals():
        filtered: NDArray[np.complex128] = cascade(np.ascontiguousarray(signal), pole, gain)
    return filtered


@quantities
def compress(filtered: NDArray[np.complex128], knee_db: float = KNEE_DB) -> NDArray[np.float64]:
    """Displacement that grows in proportion up to the knee and as its 0.25th power above.

    The envelope is compressed and the fine structure kept, so a tone stays a sine: the outer
    hair cells' effect without the harmonics that the second filter of a DRNL would remove.
    Off-frequency sounds are compressed as well, unlike in a living cochlea.

    Args:
        filtered: `(n,)` complex, in Pa.
        knee_db: Level of a tone at the knee, in dB SPL.

    Returns:
        `(n,)`, in Pa at the ear that would move a linear membrane as far.
    """
    envelope = np.abs(filtered)
    knee_pa = np.sqrt(2.0) * REFERENCE_PA * 10.0 ** (knee_db / 20.0)
    loud = envelope > knee_pa
    out = filtered.real.copy()
    out[loud] *= (envelope[loud] / knee_pa) ** (EXPONENT - 1.0)
    return out
