"""The auditory nerve: a sound becomes the spikes of its fibres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from encoders._spiking import draw_spikes, unit_keys
from encoders.cochlea.gammatone import compress, erb_hz, erb_spaced_hz, gammatone
from encoders.cochlea.hair_cell import BUNDLE_NM_PER_PA, HAIR_CELL
from encoders.cochlea.synapse import SYNAPSES, Calcium, Synapse
from encoders.encoding import Encoding, SpikeOutput, encoder
from encoders.sound import Channel, Sound, at_level, load_sound, resample
from encoders.voice import embedded_sound
from neuro.errors import SignalError
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import Frequency, Hz, Level, Time, admit, dB, ms, quantities

__all__ = [
    "MIXED", "WORKING_RATE_HZ", "Nerve", "auditory_nerve", "auditory_nerve_spikes", "fibre_classes",
]  # fmt: skip

HIGH = Hz(3500)
WORKING_RATE_HZ = 40_000.0  # 25 µs a step, half the fastest time constant (calcium, 30 µs)
FRAME_MS = 1.0  # of the neurogram
NEURAL_DELAY_MS = 1.0  # hair cell to nerve trunk; Ruggero & Rich 1987, J Neurophysiol 58:379
SETTLE_MS = 20.0  # silence heard beforehand, so that refractoriness is in its stationary state
REFRACTORY_MS = 0.75  # absolute, and as much relative; MAP 1.14

# Shares of fibres by spontaneous rate in the cat (Liberman 1978, J Acoust Soc Am 63:442).
MIXED = {"high": 0.61, "medium": 0.23, "low": 0.16}

Spontaneous = Literal["mixed", "high", "medium", "low"]
Embedded = Literal["startle", "calm", "distressed", "silence"]


@dataclass(frozen=True, eq=False)
class Nerve:
    """What a nerve answers to a sound.

    Attributes:
        spikes: Of all fibres; those of one channel are neighbours.
        cf_hz: `(n_fibres,)` characteristic frequency of each.
        spontaneous_hz: `(n_fibres,)` release in silence, before refractoriness.
        neurogram: `(n_frames, n_channels)` mean expected release per fibre of the channel, in
            Hz before refractoriness, in frames of 1 ms.
    """

    spikes: Spikes
    cf_hz: NDArray[np.float64]
    spontaneous_hz: NDArray[np.float64]
    neurogram: Signal

    def __post_init__(self) -> None:
        admit(self)


@quantities
def fibre_classes(fibres_per_channel: int, spontaneous: Spontaneous = "mixed") -> list[Synapse]:
    """The synapse of each fibre of a channel; `mixed` follows the shares found in the cat.

    >>> [synapse.name for synapse in fibre_classes(4)]
    ['high', 'high', 'medium', 'low']
    """
    if spontaneous not in ("mixed", *SYNAPSES):
        raise SignalError(
            f"a fibre's spontaneous rate must be mixed, high, medium or low, found `{spontaneous}`"
        )
    if spontaneous != "mixed":
        return [SYNAPSES[spontaneous]] * fibres_per_channel
    quantiles = (np.arange(fibres_per_channel) + 0.5) / fibres_per_channel
    which = np.searchsorted(np.cumsum(list(MIXED.values()))[:-1], quantiles)
    return [SYNAPSES[list(MIXED)[k]] for k in which]


@quantities
def auditory_nerve_spikes(
    sound: Signal, cfs_hz: NDArray[np.float64], *, seed: int, classes: list[Synapse]
) -> Nerve:
    """Spikes of an auditory nerve that hears `sound` from beginning to end.

    gammatone → compression → hair cell → calcium → vesicle pools → refractory spikes

    Outer and middle ear are left out: every channel is equally sensitive. Spikes come 1 ms
    (synapse and axon) after the release that causes them.

    Args:
        sound: `(n,)` in Pa; resampled to 40 kHz if its rate is another.
        cfs_hz: `(n_channels,)` characteristic frequencies.
        seed: Of the spikes; a fibre's stream depends on the seed and its number alone.
        classes: The synapse of each fibre of a channel.

    Raises:
        SignalError: if the sound is not one channel, or no channel or fibre is asked for, or a
            channel lies above half of 40 kHz.
    """
    cfs = np.array(cfs_hz, dtype=np.float64, ndmin=1)
    if sound.values.ndim != 1:
        raise SignalError(f"an ear hears one channel of sound, found {sound.values.shape}")
    if not (cfs.size and classes):
        raise SignalError(
            f"a nerve needs at least one channel and one fibre a channel, "
            f"found {cfs.size} and {len(classes)}"
        )
    dt_ms = 1000.0 / WORKING_RATE_HZ
    pressure = _at_working_rate(sound)
    duration_ms = pressure.size * dt_ms
    settle, frame = (round(span / dt_ms) for span in (SETTLE_MS, FRAME_MS))
    delay = round(NEURAL_DELAY_MS / dt_ms)
    heard = np.concatenate([np.zeros(settle + delay), pressure])[: settle + pressure.size]

    starts = np.arange(0, pressure.size, frame)
    lengths = np.diff(np.append(starts, pressure.size))
    neurogram = np.empty((starts.size, cfs.size))
    keys = unit_keys(seed, "auditory nerve", cfs.size * len(classes)).reshape(cfs.size, -1)
    times, units, calcium = [], [], Calcium()
    for channel, cf in enumerate(cfs):
        bundle_nm = BUNDLE_NM_PER_PA * compress(gammatone(heard, WORKING_RATE_HZ, float(cf)))
        current = calcium.current_pa(HAIR_CELL.potential_mv(bundle_nm, dt_ms), dt_ms)
        release = {kind: kind.release_hz(current, dt_ms) for kind in dict.fromkeys(classes)}
        shares = [classes.count(kind) for kind in release]
        mean = np.average(list(release.values()), axis=0, weights=shares)
        neurogram[:, channel] = np.add.reduceat(mean[settle:], starts) / lengths
        for fibre, synapse in enumerate(classes):
            fired = draw_spikes(
                release[synapse], dt_ms, keys[channel, fibre],
                absolute_ms=REFRACTORY_MS, relative_ms=REFRACTORY_MS,
            )  # fmt: skip
            fired -= SETTLE_MS
            fired = fired[(fired >= 0) & (fired < duration_ms)]
            times.append(fired)
            units.append(np.full(fired.size, channel * len(classes) + fibre))
    return Nerve(
        spikes=Spikes(
            np.concatenate(times),
            np.concatenate(units),
            n_units=cfs.size * len(classes),
            t_stop_ms=duration_ms,
        ),
        cf_hz=np.repeat(cfs, len(classes)),
        spontaneous_hz=np.tile([synapse.resting_hz() for synapse in classes], cfs.size),
        neurogram=Signal(neurogram, FRAME_MS, "Hz"),
    )


@encoder
def auditory_nerve(
    *,
    duration_ms: float,
    seed: int,
    file: str | None = None,
    embedded: Embedded | None = None,
    speaker: int = 0,
    channel: Channel = "mix",
    level: Level = dB(70),
    start: Time = ms(0),
    n_channels: int = 40,
    fibres_per_channel: int = 4,
    low: Frequency = Hz(125),
    high: Frequency = HIGH,
    spontaneous: Spontaneous = "mixed",
) -> Encoding:
    """Auditory nerve fibres that hear a recording or an embedded voice.

    The nerve is there for the whole run: before `start` and after the sound it hears silence
    and fires spontaneously. A sound longer than the run is heard up to the run's end;
    `duration_ms` of the result, the time at which the whole sound would end, then exceeds the
    run's.

    Args:
        duration_ms, seed: The run's.
        file: A WAV, FLAC or OGG recording.
        embedded: Instead of a file, a sound made here: `startle` (a murmur, then a sudden loud
            cry; the default), `calm` or `distressed` (a voice of 1 s), or `silence`.
        speaker: Which of the endless speakers utters the embedded sound; none with a file or in
            `silence`.
        channel: `mix`, `left` or `right` of a recording; an embedded sound has one.
        level: RMS of the whole sound, in dB SPL; without meaning in `silence`, the control of any
            experiment with a sound.
        start: When the sound begins; `silence` has no beginning.
        n_channels, low, high: Places along the cochlea, evenly spaced in ERBs; one alone is at
            `low`. The default `high` suits recordings sampled at 8 kHz, as telephones give.
        fibres_per_channel, spontaneous: Fibres at each place, and their class by spontaneous
            rate: all `high`, `medium` or `low`, or `mixed` as in the cat.

    Returns:
        Spikes `nerve` with `cf_hz` and `spontaneous_hz`; signals `waveform` (Pa, 40 kHz) and
        `neurogram` (Hz, a column a channel, 1 ms).

    Raises:
        SignalError: if the sound is unusable (see `encoders.sound.Sound`), is sampled too
            slowly for the highest channel, or begins after the run's end; or if it has no such
            channel or speaker.
    """
    _check_settings(duration_ms, float(start), n_channels, fibres_per_channel)
    last = "high"
    if n_channels == 1:
        _check_one_channel(low, high)
        high, last = low, "low"
    low_hz, high_hz = 1000.0 * float(low), 1000.0 * float(high)
    cfs_hz = erb_spaced_hz(low_hz, high_hz, n_channels)
    _check_band(WORKING_RATE_HZ, high_hz, "the ear", last)
    per_ms = WORKING_RATE_HZ / 1000.0
    pressure = np.zeros(int(np.ceil(round(duration_ms * per_ms, 6))))
    ends_ms = duration_ms
    sound = _choose_sound(file, embedded, speaker, channel, start)
    if sound is not None:
        _check_band(sound.rate_hz, high_hz, sound.name, last)
        wave = at_level(resample(sound, WORKING_RATE_HZ), float(level)).values
        first = round(float(start) * per_ms)
        heard = wave[: pressure.size - first]
        pressure[first : first + heard.size] = heard
        ends_ms = float(start) + sound.duration_ms
    waveform = Signal(pressure, 1.0 / per_ms, "Pa")
    nerve = auditory_nerve_spikes(
        waveform, cfs_hz, seed=seed, classes=fibre_classes(fibres_per_channel, spontaneous)
    )
    coordinates = {"cf_hz": nerve.cf_hz, "spontaneous_hz": nerve.spontaneous_hz}
    return Encoding(
        spikes={"nerve": SpikeOutput(nerve.spikes.between(0.0, duration_ms), coordinates)},
        signals={"waveform": waveform, "neurogram": nerve.neurogram},
        duration_ms=ends_ms,
    )


def _choose_sound(
    file: str | None, embedded: Embedded | None, speaker: int, channel: Channel, start: Time
) -> Sound | None:
    if file is None:
        name = embedded or "startle"
        if channel != "mix":
            raise SignalError(
                f"an embedded sound has one channel, found channel {channel} of `{name}`; leave "
                f"`channel` out or give a file"
            )
        if name != "silence":
            return embedded_sound(name, speaker)
        if speaker != 0:
            raise SignalError(
                f"speakers utter sounds, found speaker {speaker} of `silence`; leave `speaker` out"
            )
        if start != 0:
            raise SignalError(f"silence has no beginning, found start {start}; leave `start` out")
        return None
    if embedded is not None:
        raise SignalError(
            f"a sound must come from a file or be embedded, found file `{file}` and "
            f"embedded `{embedded}`; give one of them"
        )
    if speaker != 0:
        raise SignalError(
            f"speakers utter embedded sounds, found speaker {speaker} with the file `{file}`; "
            f"leave `speaker` or `file` out"
        )
    return load_sound(file, channel)


def _check_settings(duration_ms: float, start_ms: float, n_channels: int, n_fibres: int) -> None:
    if not 0 < duration_ms < np.inf:
        raise SignalError(f"a run must last longer than 0 ms, found {duration_ms:g} ms")
    if not 0 <= start_ms < duration_ms:
        raise SignalError(
            f"a sound must start within the run (0 to {duration_ms:g} ms), found start "
            f"{start_ms:g} ms; set an earlier `start` or a longer `duration`"
        )
    if n_channels < 1 or n_fibres < 1:
        raise SignalError(
            f"a nerve needs at least one channel and one fibre a channel, "
            f"found n_channels {n_channels} and fibres_per_channel {n_fibres}"
        )


def _check_one_channel(low: Frequency, high: Frequency) -> None:
    if high not in (HIGH, low):
        raise SignalError(
            f"a nerve needs n_channels of at least 2 for `high`: its one channel is at `low`, "
            f"{low}, found high {high}; leave `high` out or set more channels"
        )


def _check_band(rate_hz: float, high_hz: float, name: str, setting: str) -> None:
    half_erb = float(erb_hz(high_hz)) / 2
    if high_hz + half_erb <= rate_hz / 2:
        return
    # cf + ERB(cf)/2 = rate/2, solved for cf, rounded down to 10 Hz
    fits_hz = 10 * int((rate_hz / 2 - 12.35) / (1 + 12.35 * 4.37e-3) / 10)
    raise SignalError(
        f"{name} is sampled at {rate_hz:g} Hz and carries nothing above {rate_hz / 2:g} Hz, but "
        f"the highest channel, at {high_hz:g} Hz, reaches {high_hz + half_erb:.0f} Hz; set "
        f"`{setting}` to {fits_hz} Hz or less"
    )


def _at_working_rate(sound: Signal) -> NDArray[np.float64]:
    from scipy.signal import resample_poly

    rate_hz = 1000.0 / sound.dt_ms
    if abs(rate_hz / WORKING_RATE_HZ - 1) < 1e-9:
        return sound.values
    up, down = round(WORKING_RATE_HZ), round(rate_hz)
    return np.asarray(resample_poly(sound.values, up, down))
