"""Voices of speakers drawn at random: calm, distressed, and the sound of the startle demo.

Calm and distressed differ in when the glottis closes: in jitter, and in the tremor of F0. Mean F0,
contour, vowel, vocal-tract length, open quotient, shimmer, breath noise, envelope and level come
from one distribution; the same seed is the same speaker saying the same in both states. `utterance`
also brings each to the time-averaged spectrum of the speaker's voice without jitter and tremor, at
the resolution of the ear's filters. A finer spectrum, which resolves harmonics, shows how wide they
are: that is the jitter itself, and no filter takes it away.

| measure | calm | distressed | published |
|---|---|---|---|
| local jitter | 0.3–0.8 % | 1.5–3.5 % | 0.5–0.6 % in healthy adults (Naufel de Felippe et al. 2006); 1.04 % is MDVP's limit for a disordered voice |
| tremor of F0 | 0.3–1 % at 4–6 Hz | 2–4 % at 6–10 Hz | physiological tremor up to 1–2 %, 4–10 Hz; engineering choice |
| local shimmer | 1.5–3.5 % | the same | 0.2 dB, or 2.3 %, in healthy adults (Naufel de Felippe et al. 2006); 3.81 % is MDVP's limit |
| noise to voice | −26 to −20 dB | the same | harmonics-to-noise ratio 20 dB and more in healthy voices (Boersma 1993); under 7 dB is disordered |

That distress is heard in them: more jitter makes an infant's cry more aversive at equal F0
(Protopapas & Eimas 1997, J Acoust Soc Am 102:3723); jitter rises with felt negative affect
(Kappen et al. 2022, Behav Res Methods 54:910). The ranges for distress are engineering choices
above the clinical limits: two clearly separate classes, not a model of any recording.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from encoders.sound import Sound
from encoders.source_filter import (
    BANDWIDTHS_HZ,
    HIGHER_HZ,
    OUTPUT_RMS,
    VOWELS_HZ,
    Voice,
    synthesize,
)
from encoders.spectrum import with_spectrum_of
from neuro.errors import SignalError
from neuro.units import quantities
from neuro.wiring import generator

__all__ = ["Voice", "calm", "distressed", "embedded_sound", "synthesize", "utterance"]

RATE_HZ = 16000

# low and high of an even draw, of both states; noise in dB re voice
SHIMMER = (0.015, 0.035)
NOISE_DB = (-26.0, -20.0)
# the same in the order calm, distressed
JITTER = ((0.003, 0.008), (0.015, 0.035))
TREMOR_HZ = ((4.0, 6.0), (6.0, 10.0))
TREMOR_DEPTH = ((0.003, 0.01), (0.02, 0.04))


@quantities
def calm(seed: int) -> Voice:
    """A calm utterance of speaker `seed`."""
    return _in_state(seed, 0)


@quantities
def distressed(seed: int) -> Voice:
    """The same speaker's utterance in distress: other jitter and tremor, nothing else."""
    return _in_state(seed, 1)


@quantities
def utterance(
    voice: Voice, *, duration_s: float, sample_rate_hz: int = RATE_HZ, seed: int
) -> NDArray[np.float64]:
    """Samples of a voice with the time-averaged spectrum of the same voice without jitter.

    What `synthesize` says, filtered so that jitter and tremor, which fill the gaps between low
    harmonics, leave no trace in the level of any auditory filter's band; see
    `encoders.spectrum.with_spectrum_of`.

    Returns, raises: as `synthesize`.
    """
    said, steady = (
        synthesize(one, duration_s=duration_s, sample_rate_hz=sample_rate_hz, seed=seed)
        for one in (voice, replace(voice, jitter=0.0, tremor_depth=0.0))
    )
    out = with_spectrum_of(said, steady, sample_rate_hz)
    return np.asarray(out * (OUTPUT_RMS / np.sqrt(np.mean(out**2))))


@quantities
def embedded_sound(name: Literal["startle", "calm", "distressed"], speaker: int = 0) -> Sound:
    """A sound that needs no file.

    `calm` and `distressed` last 1 s. `startle` lasts 1.5 s: a calm murmur from 0.1 s to 0.7 s,
    silence, and at 0.9 s a cry that is 40 dB louder and rises within 2 ms, as an acoustic
    startle needs (rise below about 10 ms: Koch 1999, Prog Neurobiol 59:107).

    Raises:
        SignalError: if there is no such sound.
    """
    if name not in ("startle", "calm", "distressed"):
        raise SignalError(f"the embedded sounds are startle, calm and distressed, found `{name}`")
    if name != "startle":
        voice = (calm if name == "calm" else distressed)(speaker)
        samples = utterance(voice, duration_s=1.0, seed=speaker)
        return Sound(samples, RATE_HZ, f"the embedded sound `{name}`")
    cry = replace(
        distressed(speaker),
        f0_hz=2.0 * distressed(speaker).f0_hz,
        contour=((0.0, 0.9), (0.2, 1.1), (1.0, 0.9)),
        envelope=((0.0, 0.0), (0.004, 1.0), (0.7, 0.8), (1.0, 0.0)),
    )
    samples = np.zeros(round(1.5 * RATE_HZ))
    for voice, begins_s, lasts_s, gain in ((calm(speaker), 0.1, 0.6, 0.01), (cry, 0.9, 0.5, 1.0)):
        first = round(begins_s * RATE_HZ)
        uttered = synthesize(voice, duration_s=lasts_s, sample_rate_hz=RATE_HZ, seed=speaker)
        samples[first : first + uttered.size] = gain * uttered
    return Sound(samples, RATE_HZ, "the embedded sound `startle`")


def _in_state(seed: int, state: int) -> Voice:
    speaker = _speaker(seed)
    rng = generator(seed, "state", state)

    def within(ranges: tuple[tuple[float, float], ...]) -> float:
        return float(rng.uniform(*ranges[state]))

    return replace(
        speaker,
        jitter=within(JITTER),
        tremor_hz=within(TREMOR_HZ),
        tremor_depth=within(TREMOR_DEPTH),
    )


def _speaker(seed: int) -> Voice:
    """What both states share; the ranges span women and men."""
    rng = generator(seed, "speaker")
    f0_hz = float(np.exp(rng.uniform(np.log(100.0), np.log(250.0))))
    vowel = VOWELS_HZ[sorted(VOWELS_HZ)[rng.integers(len(VOWELS_HZ))]]
    # Women's formants lie some 17 % above men's (Peterson & Barney 1952), so length follows F0.
    scale = 1.0 + 0.17 * (f0_hz - 100.0) / 150.0 + float(rng.uniform(-0.04, 0.04))
    heights = 1.0 + rng.uniform(-0.06, 0.06, 3)
    points = tuple(zip((0.0, 0.5, 1.0), map(float, heights / _mean_of_lines(heights)), strict=True))
    rise, fall = rng.uniform(0.03, 0.08), rng.uniform(0.1, 0.25)
    return Voice(
        f0_hz=f0_hz,
        contour=points,
        open_quotient=float(rng.uniform(0.5, 0.7)),
        shimmer=float(rng.uniform(*SHIMMER)),
        breathiness=10.0 ** (float(rng.uniform(*NOISE_DB)) / 20.0),
        formants_hz=tuple(float(scale * f) for f in vowel + HIGHER_HZ),
        bandwidths_hz=BANDWIDTHS_HZ,
        envelope=((0.0, 0.0), (float(rise), 1.0), (float(1 - fall), 1.0), (1.0, 0.0)),
    )


def _mean_of_lines(heights: NDArray[np.float64]) -> float:
    """Mean over time of lines through values at 0, 1/2 and 1."""
    return float(heights @ np.array([0.25, 0.5, 0.25]))
