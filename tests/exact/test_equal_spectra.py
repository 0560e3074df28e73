"""Calm and distressed voices are alike in their time-averaged spectra and counts, but for timing.

A probe (ridge regression, on speakers it never met) tries to tell them by band levels. A positive
control shows that it finds a difference of breath noise that the voices once had.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.sound import Sound
from encoders.spectrum import band_levels_db, with_spectrum_of
from encoders.voice import calm, distressed, synthesize, utterance
from neuro.errors import SignalError
from neuro.wiring import generator
from sims.config.train import NerveSpec
from sims.dataset.build import hear
from sims.train.spikes.readers import Divided, linear
from sims.train.statistics import wilson_interval

RATE_HZ = 16000
SPEAKERS = {"train": 60, "validation": 20, "test": 50}
NERVE = NerveSpec(n_channels=8, fibres_per_channel=4)
OLD_NOISE_DB = ((-26.0, -20.0), (-14.0, -8.0))  # of calm, of distressed: what once told them


def probed(features: dict[int, list[np.ndarray]]) -> tuple[float, float, float]:
    """Accuracy on the test speakers and its 95 % interval, of pairs (calm, distressed)."""
    parts, first = {}, 0
    for split, n in SPEAKERS.items():
        rows = [features[speaker] for speaker in range(first, first + n)]
        parts[split] = (np.concatenate(rows), np.tile([0, 1], n))
        first += n
    mean, spread = parts["train"][0].mean(0), parts["train"][0].std(0) + 1e-9
    scaled = {split: ((x - mean) / spread, y) for split, (x, y) in parts.items()}
    data = Divided(**scaled, n_classes=2)
    right = int(np.sum(linear(data) == data.test[1]))
    return right / data.test[1].size, *wilson_interval(right, data.test[1].size)


@pytest.fixture(scope="module")
def sounds() -> dict[int, list[np.ndarray]]:
    """Both states of every speaker, each as another take."""
    return {
        speaker: [
            utterance(state(speaker), duration_s=0.4, seed=10 * speaker + number)
            for number, state in enumerate((calm, distressed))
        ]
        for speaker in range(sum(SPEAKERS.values()))
    }


def test_the_time_averaged_spectrum_does_not_tell_the_states(
    sounds: dict[int, list[np.ndarray]],
) -> None:
    found = {
        speaker: [band_levels_db(samples, RATE_HZ) for samples in pair]
        for speaker, pair in sounds.items()
    }
    accuracy, low, high = probed(found)
    assert low < 0.5 < high, accuracy


def test_the_same_probe_finds_breath_noise() -> None:
    """With the noise that distressed voices once had, the spectrum separates most speakers."""
    found = {}
    for speaker in range(sum(SPEAKERS.values())):
        found[speaker] = []
        for number, state in enumerate((calm, distressed)):
            noise_db = generator(speaker, "old noise").uniform(*OLD_NOISE_DB[number])
            voice = replace(state(speaker), breathiness=10.0 ** (noise_db / 20.0))
            samples = utterance(voice, duration_s=0.4, seed=10 * speaker + number)
            found[speaker].append(band_levels_db(samples, RATE_HZ))
    _, low, _ = probed(found)
    assert low > 0.7


def test_counts_of_the_nerve_do_not_tell_the_states(sounds: dict[int, list[np.ndarray]]) -> None:
    """Of each channel over the whole utterance; the control: distressed 3 dB louder."""
    equal, louder = {}, {}
    for speaker, (one, other) in sounds.items():
        usual = counted(one, level_db=65.0, seed=10 * speaker)
        equal[speaker], louder[speaker] = (
            [usual, counted(other, level_db=level_db, seed=10 * speaker + 1)]
            for level_db in (65.0, 68.0)
        )
    accuracy, low, high = probed(equal)
    assert low < 0.5 < high, accuracy
    assert probed(louder)[1] > 0.5


def counted(samples: np.ndarray, *, level_db: float, seed: int) -> np.ndarray:
    sound = Sound(samples, RATE_HZ, "a voice")
    spikes = hear(sound, NERVE, duration_ms=400.0, level_db=level_db, seed=seed).spikes
    return np.sqrt(np.bincount(spikes.units // NERVE.fibres_per_channel, minlength=8))


def test_an_equalised_voice_has_the_levels_of_its_reference_and_its_own_timing() -> None:
    voice = distressed(3)
    said, steady = (
        synthesize(one, duration_s=0.4, seed=1)
        for one in (voice, replace(voice, jitter=0.0, tremor_depth=0.0))
    )
    made = with_spectrum_of(said, steady, RATE_HZ)
    before, after = (
        np.abs(band_levels_db(one, RATE_HZ) - band_levels_db(steady, RATE_HZ)).mean()
        for one in (said, made)
    )
    assert after < 0.5 * before
    assert np.corrcoef(made, said)[0, 1] > 0.95  # hardly moved, and not in time
    assert np.corrcoef(made, steady)[0, 1] < 0.8


def test_a_reference_of_another_length_is_refused() -> None:
    with pytest.raises(SignalError, match="equally long, found 10 and 12"):
        with_spectrum_of(np.ones(10), np.ones(12), RATE_HZ)
