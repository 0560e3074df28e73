"""Spoken digits of many voices: who says them, who hears them, and who is kept for later."""

from __future__ import annotations

from dataclasses import dataclass

from neuro.units import ms
from sims.config.train import DigitsData, NerveSpec

__all__ = ["FULL", "SMALL", "SpeechTask"]

ACCENTS = (
    "en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029",
    "en-us-nyc",
)  # fmt: skip
"""espeak-ng's English, without the voices that need further programs."""

# Timbres: espeak-ng's variants but for whispers, croaks, robots, and klatt*, of which two are the
# same sound as `caleb`. Relatives (edward and edward2) train together.
_TRAIN = (
    "f1", "f3", "m1", "m3", "m5", "m7", "adam", "Alicia", "Andy", "antonio", "belinda", "boris",
    "david", "Diogo", "grandma", "gustave", "Hugo", "john", "linda", "Marco", "max", "michel",
    "Mike", "pablo", "pedro", "rob", "edward", "edward2", "Gene", "Gene2", "iven", "iven2",
    "iven3", "iven4", "steph", "steph2", "steph3", "RicishayMax", "RicishayMax2", "RicishayMax3",
)  # fmt: skip
_VALIDATION = ("f4", "m4", "Alex", "aunty", "caleb", "ed", "Jacky", "Mario", "paul", "sandro")
_TEST = (
    "f2", "f5", "m2", "m6", "m8", "Andrea", "Annie", "benjamin", "Denis", "grandpa", "Henrique",
    "Lee", "marcelo", "Michael", "miguel", "Nguyen", "quincy", "robert", "shelby", "travis",
    "victor", "zac", "anika", "norbert",
)  # fmt: skip


@dataclass(frozen=True)
class SpeechTask:
    """What is to be told apart, and by whose voices.

    Attributes:
        data: The digits; its `validation` voices choose settings, its `held_out` voices test.
        dt_ms: Step of the network that reads the spikes; a fibre spikes at most once in it.
        seed: Of the nerve's spikes.
    """

    data: DigitsData
    dt_ms: float = 5.0
    seed: int = 1


def _voices(timbres: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{ACCENTS[k % len(ACCENTS)]}+{timbre}" for k, timbre in enumerate(timbres))


FULL = SpeechTask(
    DigitsData(
        source="digits",
        voices=_voices(_TRAIN),
        validation=_voices(_VALIDATION),
        held_out=_voices(_TEST),
        pitches=(35, 65),
        speeds=(160, 200),
        duration=ms(500),
        nerve=NerveSpec(n_channels=16, fibres_per_channel=4, spontaneous="low"),
    ),
)
"""74 voices: 40 train, 10 choose, 24 test; no timbre of one group is in another."""
SMALL = SpeechTask(
    DigitsData(
        source="digits",
        voices=_voices(_TRAIN[:6]),
        validation=_voices(_VALIDATION[:2]),
        held_out=_voices(_TEST[:2]),
        duration=ms(400),
        nerve=NerveSpec(n_channels=8, fibres_per_channel=3, spontaneous="low"),
    ),
    dt_ms=8.0,
)
"""Ten voices, once each: heard in seconds, to see that everything works."""
