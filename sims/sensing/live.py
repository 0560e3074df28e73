"""A sensor that runs the ear again for what was asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from bridges.language.requests import Limits, Request, Requests
from encoders.sound import Sound
from neuro.errors import ConfigError, SignalError, nearest
from neuro.units import quantities
from sims.config.train import NerveSpec
from sims.sensing.ear import Ear, Wish
from sims.sensing.listening import Heard, embedded
from sims.sensing.zoom import STEPS_PER_MS, FirstLook, zoom_of

__all__ = ["LiveSensor"]


class LiveSensor:
    """Serves requests about sounds by hearing them again, closer: places lie denser in a narrow
    band, and a fine token is told by more fibres.

    An answer is a function of the seed, the sound's name and the request alone; the request that
    asks for the first look gets the first look. It carries no gradient: what is asked of it is
    taught by `bridges.language.requests.asking_loss`.

    Args:
        sounds: By name, each a sound or what makes it when it is needed.
        nerve: Who listens at first, and whose places are laid over the band asked for later.
        duration_ms: What of a sound is heard; a shorter one is followed by silence.
        step_ms: Time that one token of the first look tells.
        level_db: RMS of every whole sound, in dB SPL.
        width: Numbers a token, as the sense has.
        seed: Of the nerve's noise.
        low_hz, high_hz: The band within which can be asked; that of `nerve` if not given.
        finest_ms: Least time of a token; a tenth of a step if not given (engineering choice).
        narrowest: Least width of a band, in octaves.
        threads: Sounds heard at a time; no answer depends on it.
        memory: Bytes of recent spikes and sounds that are kept.

    Attributes:
        limits: From one step to the whole duration.
        first: The first look.

    Raises:
        ConfigError: if a number is out of range, or the first look is no whole number of steps.
        SignalError: if there is no sound, or one is sampled too slowly for the band.
    """

    @quantities
    def __init__(
        self,
        sounds: Mapping[str, Sound | Callable[[], Sound]],
        nerve: NerveSpec | None = None,
        *,
        duration_ms: float,
        step_ms: float,
        width: int,
        level_db: float = 65.0,
        seed: int = 0,
        low_hz: float | None = None,
        high_hz: float | None = None,
        finest_ms: float | None = None,
        narrowest: float = 1 / 3,
        threads: int = 1,
        memory: int = 64_000_000,
    ) -> None:
        self.first = FirstLook(nerve or NerveSpec(), duration_ms, level_db, step_ms)
        whole = self.first.request
        self.limits = Limits(
            whole.low_hz if low_hz is None else low_hz,
            whole.high_hz if high_hz is None else high_hz,
            step_ms, duration_ms, step_ms / 10 if finest_ms is None else finest_ms, duration_ms,
            narrowest,
        )  # fmt: skip
        if width < 1 or self.limits.finest_ms * STEPS_PER_MS < 1:
            raise ConfigError(
                "a token must be 1 number wide or more and tell the ear's own step, "
                f"{1 / STEPS_PER_MS:g} ms, or more, found {width} and {self.limits.finest_ms:g} ms"
            )
        self.width = width
        self._ear = Ear(
            sounds, self.first, highest_hz=max(self.limits.high_hz, whole.high_hz), seed=seed,
            threads=threads, memory=memory,
        )  # fmt: skip
        self._items = tuple(sounds)

    @property
    def runs(self) -> int:
        """How often the ear was run; a request that was lately answered needs no run."""
        return self._ear.runs

    def __len__(self) -> int:
        return len(self._items)

    def batch(self, items: Sequence[int | str]) -> LiveSensor:
        """The same sensor for some of its sounds, by number or by name, in that order.

        The ear and what it lately heard are shared.

        Raises:
            SignalError: if there is no such sound.
        """
        made = copy.copy(self)
        made._items = tuple(
            self._known(item) if isinstance(item, str) else self._name(item) for item in items
        )
        return made

    def first_look(self) -> list[Tensor]:
        """`(token, width)` of every item, as it is sensed before anything is asked."""
        return self._serve([(name, self._ear.whole) for name in self._items])

    def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
        """`(token, width)` of each item; the window ends where the sound does.

        The numbers are spikes that one place would have fired in one step of the first look.

        Raises:
            SignalError: if there is no such item, or a request is outside the limits; nothing is
                heard then.
        """
        asked = requests.decoded()
        if len(items) != len(asked):
            raise SignalError(
                f"each item must have one request, found {len(items)} items and {len(asked)} "
                "requests"
            )
        wishes = [self._wish(*pair) for pair in zip(items, asked, strict=True)]
        return [tokens.to(requests.unit.device) for tokens in self._serve(wishes)]

    def heard(self, item: int, request: Request) -> Heard:
        """The spikes that the tokens of a request are made of.

        Raises:
            SignalError: if there is no such item, or the request is outside the limits.
        """
        return self._ear.hear([self._wish(item, request)])[0]

    def _wish(self, item: int, request: Request) -> Wish:
        self.limits.check(request)
        return self._name(item), zoom_of(request, self.first)

    def _serve(self, wishes: Sequence[Wish]) -> list[Tensor]:
        return [
            embedded(heard, zoom, self.first, self.width)
            for heard, (_, zoom) in zip(self._ear.hear(wishes), wishes, strict=True)
        ]

    def _name(self, item: int) -> str:
        if not 0 <= item < len(self._items):
            raise SignalError(
                f"an item must be 0 to {len(self._items) - 1}, one of those the sensor holds, "
                f"found {item}; make the sensor of a batch by `batch`"
            )
        return self._items[item]

    def _known(self, name: str) -> str:
        if name not in self._ear.sounds:
            raise SignalError(
                f"a sensor must hold the sounds it is asked about, found no `{name}`"
                f"{nearest(name, self._ear.sounds)}"
            )
        return name
