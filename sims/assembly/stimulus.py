"""The stimulus of an experiment: check the files it reads, run its encoders."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from typing import Any

from encoders.encoding import Encoding
from neuro.errors import EmberError
from sims.config import Loaded
from sims.config.experiment import RunConfig
from sims.config.loading import content_hash
from sims.config.located import located
from sims.progress import Progress

__all__ = ["check_files", "encode", "remember_encodings", "stream_seed"]

_memory: OrderedDict[str, Encoding] = OrderedDict()
_most_remembered = 0


def stream_seed(seed: int, *stream: str) -> int:
    """The seed of one part of a run.

    Two ears that run the same encoder must not share their noise, so each stimulus has a seed
    of its own that follows from the run's and the stimulus's name.
    """
    digest = hashlib.blake2b(repr((seed, *stream)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def check_files(loaded: Loaded) -> None:
    """Refuse to run again on a sound, path or network that has changed or is gone.

    Raises:
        ConfigError: naming the file and the key.
    """
    config: RunConfig = loaded.config
    readers: list[tuple[str, str, Any]] = [
        *(("stimulus", *item) for item in config.stimulus.items()),
        *(("circuits", *item) for item in config.circuits.items()),
    ]
    for section, name, settings in readers:
        for key in getattr(settings, "files", ()):
            file = getattr(settings, key)
            wanted = config.files.get(str(file)) if file is not None else None
            if wanted is None:
                continue
            try:
                found = content_hash(str(file))
            except OSError as error:
                raise loaded.refusal(
                    (section, name, key),
                    f"cannot read the file `{file}`: {error.strerror or error}",
                ) from None
            if found != wanted:
                raise loaded.refusal(
                    (section, name, key),
                    f"the file `{file}` is not the one this run was made from (content {wanted}, "
                    f"found {found}); name another with {section}.{name}.{key}=PATH",
                )


def encode(loaded: Loaded, progress: Progress) -> tuple[dict[str, Encoding], float]:
    """Run every encoder; what they gave, and the seconds it took.

    Raises:
        EmberError: what the encoder refused, with the stimulus's place in the config.
    """
    config: RunConfig = loaded.config
    started = time.perf_counter()
    encodings: dict[str, Encoding] = {}
    for name, settings in config.stimulus.items():
        progress(f"{name}: {settings.registered_as.replace('_', ' ')}")
        supplied = settings.supplied(
            duration_ms=float(config.duration),
            dt_ms=float(config.dt),
            seed=stream_seed(config.seed, "stimulus", name),
        )
        key = _identity(settings, supplied, config.files)
        if key in _memory:
            _memory.move_to_end(key)
            encodings[name] = _memory[key]
            continue
        try:
            encodings[name] = type(settings).function(**settings.given(), **supplied)
        except EmberError as error:
            raise located(error, loaded, ("stimulus", name)) from None
        _memory[key] = encodings[name]
        while len(_memory) > _most_remembered:
            _memory.popitem(last=False)
    return encodings, time.perf_counter() - started


def remember_encodings(most: int) -> None:
    """Let this process keep its last `most` encodings; none unless told so.

    The points of a sweep often share their stimulus, and encoding it can take longer than
    simulating what it drives.
    """
    global _most_remembered
    _most_remembered = most


def _identity(settings: Any, supplied: dict[str, Any], files: dict[str, str]) -> str:
    """Everything an encoding follows from; the content of its files by their hash."""
    read = {key: files.get(str(getattr(settings, key))) for key in settings.files}
    told = [settings.registered_as, settings.model_dump(mode="json"), supplied, read]
    return json.dumps(told, sort_keys=True, default=repr)
