"""The sensor over the sounds of a spike data set: what the set holds is its first look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from neuro.errors import ConfigError
from neuro.units import quantities
from sims.config.train import DataSpec, DigitsData, VoicesData
from sims.dataset.build import identity, material
from sims.dataset.spike_dataset import SpikeDataset
from sims.sensing.live import LiveSensor

__all__ = ["live_sensor"]


@quantities
def live_sensor(
    data: SpikeDataset,
    items: Sequence[int] | None = None,
    *,
    step_ms: float,
    width: int,
    **settings: Any,
) -> LiveSensor:
    """A sensor that hears the sounds of a data set again, with the nerve that heard them first.

    Its first look gives the tokens that `StoredSensor` gives of the counts of the data set's
    spikes in steps of `step_ms`.

    Args:
        items: Which sounds, in this order; None takes all.
        step_ms, width: Time and numbers of a token of the first look.
        settings: Further settings of `LiveSensor`.

    Raises:
        ConfigError: if the data set does not say which sounds it is of, or they or the ear are
            no longer the same: another version of Ember, or of an outside program.
        SignalError: if there is no such item.
    """
    spec, seed = _source(data)
    sounds = material(spec, seed=seed)
    if identity(spec, sounds, seed=seed) != data.about:
        raise ConfigError(
            "a data set must be heard again by the ear that heard it first, found it built by "
            "another version of Ember or of a program that makes its sounds; build it anew"
        )
    made = {sound.key: sound.make for sound in sounds.sounds}
    sensor = LiveSensor(
        made, spec.nerve,
        duration_ms=float(spec.duration), level_db=float(spec.level), step_ms=step_ms, width=width,
        seed=seed, **settings,
    )  # fmt: skip
    # In the order of the data set, which need not be that of the source.
    ordered = sensor.batch(data.keys)
    return ordered if items is None else ordered.batch([int(item) for item in items])


def _source(data: SpikeDataset) -> tuple[VoicesData | DigitsData, int]:
    try:
        spec = TypeAdapter[VoicesData | DigitsData](DataSpec).validate_python(data.about["data"])
        return spec, int(data.about["seed"])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            "a data set that is heard again must say which sounds it is of, as one built by "
            f"`ember train` does, found one that does not ({reason})"
        ) from None
