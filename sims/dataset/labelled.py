"""Labelled sounds: what a data source offers before any of it is heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from neuro.errors import ConfigError

if TYPE_CHECKING:
    from encoders.sound import Sound

__all__ = ["SPLITS", "LabelledSound", "Material", "Split"]

Split: TypeAlias = Literal["train", "test", "extra", "validation"]
SPLITS: tuple[Split, ...] = ("train", "test", "extra", "validation")
"""`validation`: speakers that choose settings and the step that is kept, and are never trained on.
`test`: speakers that do neither. `extra`: another kind of recording, used as the test is. The order
is that of the numbers in files."""


@dataclass(frozen=True)
class LabelledSound:
    """One sound that can be made.

    Attributes:
        key: Unique in its material; the seed of its spikes follows from it.
        label: Index of its class.
        speaker: Whose voice it is; all sounds of one speaker are in one split.
        make: Gives the sound, the same at every call.
    """

    key: str
    label: int
    speaker: str
    split: Split
    make: Callable[[], Sound]


@dataclass(frozen=True)
class Material:
    """All sounds of a source.

    Attributes:
        classes: Names of the labels.
        about: What decides the sounds beyond the config, such as a synthesiser's version.

    Raises:
        ConfigError: if there is nothing to train or test on, or a voice is in two splits.
    """

    classes: tuple[str, ...]
    sounds: tuple[LabelledSound, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home: dict[str, Split] = {}
        for sound in self.sounds:
            if home.setdefault(sound.speaker, sound.split) != sound.split:
                raise ConfigError(
                    f"a voice must be trained on or held out, not both, found `{sound.speaker}` "
                    f"in {home[sound.speaker]} and {sound.split}"
                )
        for needed in ("train", "test"):
            if needed not in home.values():
                raise ConfigError(f"a data source must offer sounds to {needed} on, found none")
