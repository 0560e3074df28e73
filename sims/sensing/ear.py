"""The ear that hears sounds again: it keeps what it lately heard, and runs for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from encoders.sound import Sound
from neuro.errors import ConfigError, SignalError
from neuro.units import quantities
from sims.sensing.listening import Heard, hear_end, nerve_seed, pressure_pa
from sims.sensing.recent import Recent
from sims.sensing.zoom import FirstLook, Zoom, zoom_of

__all__ = ["Ear", "Wish"]

Wish = tuple[str, Zoom]
"""The name of a sound, and what the ear is set to for it."""


class Ear:
    """Hears sounds by name, in the first look or closer.

    Args:
        sounds: By name, each a sound or what makes it when it is needed.
        first: How they are heard before anything is asked.
        highest_hz: The highest place that is ever asked for.
        seed: Of the nerve's noise.
        threads: Sounds heard at a time; no spike depends on it.
        memory: Bytes of recent spikes (three quarters) and sounds that are kept.

    Attributes:
        runs: How often the nerve was run.

    Raises:
        ConfigError: if a number is out of range.
        SignalError: if there is no sound, or one is sampled too slowly for the highest place.
    """

    @quantities
    def __init__(
        self,
        sounds: Mapping[str, Sound | Callable[[], Sound]],
        first: FirstLook,
        *,
        highest_hz: float,
        seed: int,
        threads: int,
        memory: int,
    ) -> None:
        if not sounds:
            raise SignalError("a sensor must have a sound to listen to, found none")
        if threads < 1 or memory < 0:
            raise ConfigError(
                "an ear needs 1 thread or more and memory of 0 bytes or more, found "
                f"{threads} and {memory}"
            )
        self.sounds, self.first, self.highest_hz = dict(sounds), first, highest_hz
        self.seed, self.threads, self.runs = seed, threads, 0
        self.whole = zoom_of(first.request, first)
        self._heard = Recent[Heard](memory - memory // 4)
        self._pressures = Recent[NDArray[np.float64]](memory // 4)
        for name, sound in self.sounds.items():
            if isinstance(sound, Sound):
                self._pressure(name)

    def hear(self, wishes: Sequence[Wish]) -> list[Heard]:
        """What the nerve answers to each; equal wishes are heard once."""
        keys = [(name, *zoom.nerve) for name, zoom in wishes]
        known, missing = {}, {}
        for key, wish in zip(keys, wishes, strict=True):
            kept = self._heard.get(key)
            if kept is None:
                missing[key] = wish
            else:
                known[key] = kept
        sounds = [self._pressure(name) for name, _ in missing.values()]
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            fresh = pool.map(self._run, missing.values(), sounds)
            for key, heard in zip(missing, fresh, strict=True):
                known[key] = heard
                self._heard.put(key, heard, heard.n_bytes)
                self.runs += 1
        return [known[key] for key in keys]

    def _run(self, wish: Wish, pressure: NDArray[np.float64]) -> Heard:
        name, zoom = wish
        return hear_end(
            pressure, zoom, spontaneous=self.first.nerve.spontaneous,
            seed=nerve_seed(self.seed, name, zoom, self.whole),
        )  # fmt: skip

    def _pressure(self, name: str) -> NDArray[np.float64]:
        kept = self._pressures.get(name)
        if kept is None:
            sound = self.sounds[name]
            whole = sound if isinstance(sound, Sound) else sound()
            kept = pressure_pa(whole, self.first, self.highest_hz)
            self._pressures.put(name, kept, kept.nbytes)
        return kept
