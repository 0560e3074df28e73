"""Every number that makes a language model, checked before anything is built."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from neuro.errors import ConfigError, nearest

__all__ = ["ANSWER", "REQUEST", "SOUND", "LanguageSettings", "RopeScaling", "Sense"]

REQUEST_ARGUMENTS = 4
"""Numbers a request for sensing is made of; see `requests`."""


@dataclass(frozen=True)
class Sense:
    """A kind of token that is measured instead of read.

    Attributes:
        name: How pieces of a sequence name it.
        width: Numbers a token, as the sense gives it; projected to the model's width.
        perceived: Whether it comes from outside, so that the modulator `gain` acts on it.
    """

    name: str
    width: int
    perceived: bool = True

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"a sense's name must be a plain word, found `{self.name}`")
        if self.width < 1:
            raise ConfigError(
                f"sense `{self.name}` must be 1 number wide or more, found {self.width}"
            )


SOUND = Sense("sound", 768)
"""The sensory module's embedding."""
ANSWER = Sense("answer", 512, perceived=False)
"""y of the recursive reasoner."""
REQUEST = Sense("request", REQUEST_ARGUMENTS, perceived=False)
"""What was asked for, read beside what came back."""


@dataclass(frozen=True)
class RopeScaling:
    """Rotations slowed down for longer contexts than were trained first.

    Attributes:
        kind: `linear`: every rotation by `factor` (Chen et al. 2023). `llama3`: only those that
            turn less than `low` times within `original` positions; those that turn more than
            `high` times stay, between them it is blended (Llama Team 2024).
    """

    kind: str
    factor: float
    low: float = 1.0
    high: float = 4.0
    original: int = 8192

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "llama3"):
            raise ConfigError(
                f"rope scaling must be linear or llama3, found `{self.kind}`; a model trained "
                "with another scaling would be wrong under these"
            )
        if not (1 <= self.factor < math.inf):
            raise ConfigError(f"a rope scaling's factor must be 1 or more, found {self.factor}")
        if not (0 < self.low < self.high < math.inf and self.original >= 1):
            raise ConfigError(
                "llama3 rope scaling needs 0 < low < high and 1 original position or more, "
                f"found {self.low}, {self.high} and {self.original}"
            )


@dataclass(frozen=True)
class LanguageSettings:
    """A language model's shape.

    Attributes:
        vocabulary: Text tokens it knows.
        hidden: Width of every token inside.
        heads, kv_heads: Queries, and the keys and values that groups of them share (Ainslie et
            al. 2023); `kv_heads` divides `heads`.
        inner: Width inside SwiGLU (Shazeer 2020).
        head_width: Numbers a head, even; `hidden / heads` if not given.
        longest: Positions it may use.
        rope_theta: Base of the rotations' wavelengths (Su et al. 2021).
        tied: Whether the output reads with the embedding's weights (Press & Wolf 2017).
        senses: Kinds of token beside text. With any of them the model has a request head.

    Raises:
        ConfigError: if they do not fit together.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    head_width: int = 0
    longest: int = 2048
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    rms_epsilon: float = 1e-5
    tied: bool = True
    senses: tuple[Sense, ...] = field(default=(SOUND, ANSWER, REQUEST))

    def __post_init__(self) -> None:
        for name in ("vocabulary", "hidden", "layers", "heads", "kv_heads", "inner", "longest"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"a language model needs `{name}` of 1 or more, found {getattr(self, name)}"
                )
        if self.heads % self.kv_heads:
            raise ConfigError(
                "`kv_heads` must divide `heads`, so that each serves as many queries, "
                f"found {self.kv_heads} and {self.heads}"
            )
        if not self.head_width:
            if self.hidden % self.heads:
                raise ConfigError(
                    f"`heads` must divide `hidden`, found {self.heads} and {self.hidden}; give "
                    "`head_width` if it is meant"
                )
            object.__setattr__(self, "head_width", self.hidden // self.heads)
        if self.head_width < 2 or self.head_width % 2:
            raise ConfigError(
                f"`head_width` must be even, for rotations turn pairs, found {self.head_width}"
            )
        for name, value in (("rope_theta", self.rope_theta), ("rms_epsilon", self.rms_epsilon)):
            if not 0 < value < math.inf:
                raise ConfigError(f"`{name}` must be positive and finite, found {value}")
        names = [sense.name for sense in self.senses]
        if len(set(names)) < len(names):
            raise ConfigError(f"senses must have different names, found {', '.join(names)}")

    def kind_of(self, name: str) -> int:
        """The number that marks tokens of a sense; text is 0, padding -1.

        Raises:
            ConfigError: if the model has no such sense.
        """
        names = [sense.name for sense in self.senses]
        if name not in names:
            raise ConfigError(
                f"the model has no sense `{name}`, only {', '.join(names) or 'text'}"
                f"{nearest(name, names)}"
            )
        return 1 + names.index(name)

    def sense(self, name: str) -> Sense:
        """The sense of that name; a `ConfigError` if there is none."""
        return self.senses[self.kind_of(name) - 1]
