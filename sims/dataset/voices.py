"""Calm and distressed vowels of many synthetic speakers: nothing to install, nothing to load."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from encoders.sound import Sound
from encoders.voice import Voice, calm, distressed, utterance
from neuro.wiring import generator
from sims.config.train import VoicesData
from sims.dataset.labelled import LabelledSound, Material, Split

__all__ = ["CLASSES", "voices"]

CLASSES = ("calm", "distressed")
_STATES: dict[str, Callable[[int], Voice]] = {"calm": calm, "distressed": distressed}
_RATE_HZ = 16000


def voices(data: VoicesData, *, seed: int) -> Material:
    """Every speaker in both states, `takes` times each.

    A speaker says the same vowel with the same mean pitch, contour, vocal tract, shimmer, breath
    noise, level and time-averaged spectrum in both states; what differs is how steadily the glottis
    repeats. See `encoders.voice`.
    Speakers that choose or that are tested are never trained on.
    """
    sounds = []
    splits: tuple[tuple[Split, int, int], ...] = (
        ("train", 0, data.speakers),
        ("test", data.speakers, data.held_out),
        ("validation", data.speakers + data.held_out, data.validation),
    )
    for split, first, n in splits:
        for number in range(first, first + n):
            speaker = f"speaker-{number:04d}"
            identity = int(generator(seed, "speaker", number).integers(2**62))
            for label, state in enumerate(CLASSES):
                for take in range(data.takes):
                    key = f"{speaker}-{state}-{take}"
                    make = partial(
                        _uttered, state, identity, float(data.duration) / 1000.0,
                        int(generator(seed, "take", key).integers(2**62)),
                    )  # fmt: skip
                    sounds.append(LabelledSound(key, label, speaker, split, make))
    return Material(CLASSES, tuple(sounds))


def _uttered(state: str, identity: int, duration_s: float, take_seed: int) -> Sound:
    samples = utterance(
        _STATES[state](identity), duration_s=duration_s, sample_rate_hz=_RATE_HZ, seed=take_seed
    )
    return Sound(samples, _RATE_HZ, f"a {state} voice")
