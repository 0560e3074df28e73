"""From labelled sounds to a spike data set, once: built item by item, kept under its hash.

Every finished item is a file of its own in a folder beside the data set, so that a build that
was killed goes on where it was; when all are there they become the one HDF5 file and the folder
goes. The name of the file is a hash of all that decides its content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from encoders.cochlea.gammatone import erb_spaced_hz
from encoders.cochlea.nerve import (
    WORKING_RATE_HZ,
    Nerve,
    auditory_nerve_spikes,
    fibre_classes,
)
from encoders.sound import Sound, at_level, resample
from neuro.errors import ConfigError, StoreError
from neuro.files.lock import locked
from neuro.files.regular import open_regular
from neuro.files.seal import SealState, add_seal, seal_state
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import quantities
from neuro.wiring import generator
from sims.config.train import DigitsData, NerveSpec, VoicesData
from sims.dataset._fits import checked_units
from sims.dataset.labelled import LabelledSound, Material
from sims.dataset.spike_dataset import (
    FORMAT,
    SpikeDataset,
    read_spike_dataset,
    write_spike_dataset,
)
from sims.store.atomic import atomic_path
from sims.store.software import hearing, software_id

__all__ = ["Stopped", "dataset_file", "hear", "identity", "material", "spike_dataset"]

_AT_ONCE = 16  # items between two looks at whether to stop


class Stopped(Exception):  # not an error: the user asked
    """The user asked to stop; the text says how far it came. What is finished is kept."""


def material(data: VoicesData | DigitsData, *, seed: int) -> Material:
    """The labelled sounds that a config's `data` asks for.

    Raises:
        ConfigError: if a program or recording that they need is missing.
    """
    if isinstance(data, VoicesData):
        from sims.dataset.voices import voices

        return voices(data, seed=seed)
    from sims.dataset.digits import digits

    return digits(data)


def identity(data: VoicesData | DigitsData, sounds: Material, *, seed: int) -> dict[str, Any]:
    """All that decides the spikes, JSON-ready: config, seed, outside programs, the software."""
    return {
        "format": FORMAT,
        "data": data.model_dump(mode="json"),
        "seed": seed,
        "about": dict(sounds.about),
        "code": software_id(hearing()),
    }


def dataset_file(folder: Path, about: dict[str, Any]) -> Path:
    """Where the data set of that identity lies in a cache folder.

    Where recordings lie does not decide it, but what is in them, which `about` has too.
    """
    data = {key: value for key, value in about["data"].items() if key != "recordings"}
    text = json.dumps({**about, "data": data}, sort_keys=True).encode()
    return folder / f"{about['data']['source']}-{hashlib.sha256(text).hexdigest()[:16]}.h5"


def spike_dataset(
    data: VoicesData | DigitsData,
    *,
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
    threads: int = 2,
) -> tuple[SpikeDataset, Path]:
    """The spikes of every sound: read from `folder`, or built there.

    Args:
        progress: Called with how many sounds are heard, of how many.
        stop: Asked now and then whether to stop.
        threads: Sounds heard at a time; the spikes do not depend on it.

    Raises:
        Stopped: if `stop` said so; what was heard is kept for the next call.
        ConfigError, SignalError: if a sound cannot be made or heard.
        StoreError: if the folder cannot be written.
    """
    sounds = material(data, seed=seed)
    about = identity(data, sounds, seed=seed)
    file = dataset_file(folder, about)
    if not file.is_file():
        checked_units(data.nerve.n_channels * data.nerve.fibres_per_channel)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write `{folder}`: {error.strerror or error}") from None
        with locked(file.with_suffix(".lock"), str, wait=lambda: _stop_waiting(stop)):
            if not file.is_file():  # else another process was first
                _build(data, sounds, about, file, progress, stop, threads)
    progress(len(sounds.sounds), len(sounds.sounds))
    # Read back in any case: seconds in the file are not bit for bit the milliseconds heard. It may
    # have been built from the same recordings elsewhere: `about` says where they lie now.
    return replace(read_spike_dataset(file), about=about), file


def _stop_waiting(stop: Callable[[], bool]) -> None:
    if stop():
        raise Stopped("another process builds the data set, and keeps what is heard")


@quantities
def hear(
    sound: Sound, nerve: NerveSpec, *, duration_ms: float, level_db: float, seed: int
) -> Nerve:
    """The nerve's answer to a sound that is cut, or followed by silence, to fill the window.

    Raises:
        ConfigError: if the sound is sampled too slowly for the highest channel.
    """
    low_hz, high_hz = 1000.0 * float(nerve.low), 1000.0 * float(nerve.high)
    if high_hz >= sound.rate_hz / 2:
        raise ConfigError(
            f"`data.nerve.high` must lie below half the sampling rate of {sound.name}, "
            f"{sound.rate_hz / 2:g} Hz, found {high_hz:g} Hz"
        )
    pressure = at_level(resample(sound, WORKING_RATE_HZ), level_db).values
    window = np.zeros(round(duration_ms * WORKING_RATE_HZ / 1000.0))
    n = min(window.size, pressure.size)
    window[:n] = pressure[:n]
    return auditory_nerve_spikes(
        Signal(window, 1000.0 / WORKING_RATE_HZ, "Pa"),
        erb_spaced_hz(low_hz, high_hz, nerve.n_channels),
        seed=seed,
        classes=fibre_classes(nerve.fibres_per_channel, nerve.spontaneous),
    )


def _build(
    data: VoicesData | DigitsData,
    sounds: Material,
    about: dict[str, Any],
    file: Path,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
    threads: int,
) -> None:
    parts = file.with_suffix(".parts")
    spikes = _hear_all(data, sounds, parts, about["seed"], progress, stop, threads)
    nerve = data.nerve
    cfs_hz = erb_spaced_hz(1000.0 * float(nerve.low), 1000.0 * float(nerve.high), nerve.n_channels)
    built = SpikeDataset(
        spikes=spikes,
        labels=np.array([sound.label for sound in sounds.sounds], dtype=np.int64),
        classes=sounds.classes,
        speakers=tuple(sound.speaker for sound in sounds.sounds),
        splits=tuple(sound.split for sound in sounds.sounds),
        keys=tuple(sound.key for sound in sounds.sounds),
        channels=np.repeat(np.arange(nerve.n_channels), nerve.fibres_per_channel),
        cf_hz=np.repeat(cfs_hz, nerve.fibres_per_channel),
        about=about,
    )
    write_spike_dataset(file, built)
    shutil.rmtree(parts, ignore_errors=True)


def _hear_all(
    data: VoicesData | DigitsData,
    sounds: Material,
    parts: Path,
    seed: int,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
    threads: int,
) -> list[Spikes]:
    parts.mkdir(exist_ok=True)

    def heard(sound: LabelledSound) -> Nerve:
        answer = hear(
            sound.make(), data.nerve,
            duration_ms=float(data.duration), level_db=float(data.level),
            seed=int(generator(seed, "nerve", sound.key).integers(2**62)),
        )  # fmt: skip
        _keep(_part_file(parts, sound), answer.spikes)
        return answer

    missing = [sound for sound in sounds.sounds if not _part_file(parts, sound).is_file()]
    of = len(sounds.sounds)
    progress(of - len(missing), of)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for first in range(0, len(missing), _AT_ONCE):
            if stop():
                raise Stopped(f"{of - len(missing) + first} of {of} sounds are heard and kept")
            for done, _ in enumerate(pool.map(heard, missing[first : first + _AT_ONCE]), start=1):
                progress(of - len(missing) + first + done, of)
    return [_kept(_part_file(parts, sound)) for sound in sounds.sounds]


def _part_file(parts: Path, sound: LabelledSound) -> Path:
    return parts / f"{hashlib.sha256(sound.key.encode()).hexdigest()[:24]}.npz"


def _keep(file: Path, spikes: Spikes) -> None:
    with atomic_path(file, force=True) as temporary:
        np.savez(
            temporary, times_ms=spikes.times_ms, units=spikes.units,
            window=[spikes.n_units, spikes.t_start_ms, spikes.t_stop_ms],
        )  # fmt: skip
        add_seal(temporary)


def _kept(file: Path) -> Spikes:
    try:
        with open_regular(file) as opened:
            if seal_state(opened.fileno()) is not SealState.WHOLE:
                raise ValueError("its checksum does not fit its content")
            with np.load(opened, allow_pickle=False) as part:
                n_units, t_start_ms, t_stop_ms = part["window"]
                return Spikes(
                    part["times_ms"], part["units"],
                    n_units=int(n_units), t_start_ms=float(t_start_ms), t_stop_ms=float(t_stop_ms),
                )  # fmt: skip
    except Exception as error:  # zip and npy fail in a dozen ways
        raise StoreError(
            f"cannot read `{file}`: it is damaged ({error}); delete it to build it anew"
        ) from None
