"""Noxious heat: a temperature pulse becomes the spikes of Aδ and C fibres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders._spiking import draw_spikes, unit_keys
from encoders.encoding import Encoding, SpikeOutput, encoder
from neuro.errors import SignalError
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.timing import off_grid
from neuro.units import Length, Temperature, Time, admit, celsius, m, ms, quantities
from neuro.wiring import generator

__all__ = ["A_DELTA", "C", "Nociceptor", "heat_fibres", "nociceptor_rate_hz", "temperature_pulses"]

INTERVAL = ms(2000)
FRAMES_MS = (1.0, 0.5, 0.2, 0.1)  # the coarsest on which a pulse's corners fall is taken
# What full inflammation does: threshold 5 °C lower, gain doubled. Sensitised nociceptors shift
# by 2 to 6 °C and gain a factor of 1.5 to 3; the values within are an engineering choice.
INFLAMED_SHIFT_C, INFLAMED_GAIN = -5.0, 2.0


@dataclass(frozen=True)
class Nociceptor:
    """One class of heat-sensitive afferents; a fibre's threshold and velocity vary about it.

    rate = gain · max(0, T − threshold − a) / (1 + f)
    τ_a da/dt = adaptation · max(0, T − threshold) − a,  df/dt = fatigue · rate − f/τ_f

    Adaptation follows a held temperature within seconds; fatigue grows with the spikes fired
    and lasts for minutes. Both are engineering choices, in the range of the C fibres of
    LaMotte & Campbell 1978 (J Neurophysiol 41:509) and Tillman et al. 1995 (J Physiol 485:753).
    """

    name: str
    threshold_c: float
    threshold_sd_c: float
    gain_hz_per_c: float
    velocity_m_per_s: float  # median of a lognormal
    velocity_range: tuple[float, float]  # outside of which none are drawn
    velocity_log_sd: float
    absolute_ms: float
    relative_ms: float
    adaptation: float = 0.5
    tau_adaptation_ms: float = 2000.0
    fatigue: float = 0.01
    tau_fatigue_ms: float = 100_000.0

    def __post_init__(self) -> None:
        admit(self)


# C: polymodal, threshold 43 °C (40–47), 0.8 m/s, up to about 20 Hz at 50 °C.
C = Nociceptor(
    "c", threshold_c=43.0, threshold_sd_c=1.0, gain_hz_per_c=2.5,
    velocity_m_per_s=0.8, velocity_range=(0.5, 2.0), velocity_log_sd=0.25,
    absolute_ms=10.0, relative_ms=20.0,
)  # fmt: skip
# Aδ: threshold 2.5–3 °C above C's, 13 m/s, 30–60 Hz at 50 °C.
A_DELTA = Nociceptor(
    "a_delta", threshold_c=45.75, threshold_sd_c=1.0, gain_hz_per_c=12.0,
    velocity_m_per_s=13.0, velocity_range=(5.0, 30.0), velocity_log_sd=0.4,
    absolute_ms=3.0, relative_ms=5.0,
)  # fmt: skip


@quantities
def temperature_pulses(
    duration_ms: float,
    *,
    baseline_c: float,
    peak_c: float,
    onset_ms: float,
    rise_ms: float,
    hold_ms: float,
    pulses: int = 1,
    interval_ms: float = 0.0,
) -> Signal:
    """Skin temperature in °C: `pulses` equal trapezoids.

    It rises and falls in straight lines within `rise_ms`, and begins anew every `interval_ms`.
    Frames last 1 ms, or 0.5, 0.2 or 0.1 ms where a corner of a pulse would fall between them.

    Raises:
        SignalError: if a corner falls between frames of 0.1 ms.
    """
    corners_ms = {"onset": onset_ms, "rise": rise_ms, "hold": hold_ms}
    if pulses > 1:
        corners_ms["interval"] = interval_ms
    frame_ms = _frame_ms(corners_ms)
    times = np.arange(int(np.ceil(round(duration_ms / frame_ms, 6)))) * frame_ms
    height = np.zeros(times.size)
    for pulse in range(pulses):
        begin = onset_ms + pulse * interval_ms
        # Sums that are whole in frames, so that a corner is the very number of its frame.
        corners = np.round(np.cumsum([begin, rise_ms, hold_ms, rise_ms]) / frame_ms) * frame_ms
        if rise_ms > 0:
            shape = np.interp(times, corners, [0.0, 1.0, 1.0, 0.0], left=0.0, right=0.0)
        else:
            shape = ((times >= corners[0]) & (times < corners[2])).astype(np.float64)
        height = np.maximum(height, shape)
    return Signal(baseline_c + (peak_c - baseline_c) * height, frame_ms, "degC")


def _frame_ms(corners_ms: dict[str, float]) -> float:
    finest_ms = FRAMES_MS[-1]
    for name, time_ms in corners_ms.items():
        if not np.isfinite(time_ms) or off_grid(time_ms, finest_ms):
            raise SignalError(
                f"heat needs {name} at a whole number of {finest_ms:g} ms, found "
                f"{time_ms:.15g} ms; round it"
            )
    times_ms = corners_ms.values()
    return next(frame for frame in FRAMES_MS if not any(off_grid(t, frame) for t in times_ms))


@quantities
def nociceptor_rate_hz(
    temperature: Signal, kind: Nociceptor, thresholds_c: NDArray[np.float64], gain: float = 1.0
) -> NDArray[np.float64]:
    """`(n_frames, n_fibres)` rate at the nerve ending, before refractoriness.

    Args:
        temperature: `(n_frames,)` in °C.
        kind: Gain, adaptation and fatigue.
        thresholds_c: `(n_fibres,)`.
        gain: Factor on the kind's gain.
    """
    dt_ms = temperature.dt_ms
    adapt = 1.0 - np.exp(-dt_ms / kind.tau_adaptation_ms)
    forget = np.exp(-dt_ms / kind.tau_fatigue_ms)
    adaptation, tiredness = np.zeros(thresholds_c.size), np.zeros(thresholds_c.size)
    out = np.empty((temperature.values.size, thresholds_c.size))
    for k, now_c in enumerate(temperature.values):
        above = np.maximum(0.0, now_c - thresholds_c)
        drive = np.maximum(0.0, above - adaptation)
        out[k] = gain * kind.gain_hz_per_c * drive / (1.0 + tiredness)
        adaptation += adapt * (kind.adaptation * above - adaptation)
        tiredness = tiredness * forget + kind.fatigue * out[k] * dt_ms / 1000.0
    return out


@encoder
def heat_fibres(
    *,
    duration_ms: float,
    seed: int,
    baseline: Temperature = celsius(34),
    peak: Temperature = celsius(49),
    onset: Time = ms(200),
    rise: Time = ms(100),
    hold: Time = ms(500),
    pulses: int = 1,
    interval: Time = INTERVAL,
    distance: Length = m(1.0),
    n_a_delta: int = 20,
    n_c: int = 80,
    inflammation: float = 0.0,
) -> Encoding:
    """Heat pulses on the skin, as Aδ and C fibres report them to the spinal cord.

    Each fibre's spikes arrive `distance` over its own conduction velocity later, so over 1 m
    Aδ fibres report after some 77 ms and C fibres after some 1.25 s: first and second pain.
    Those that would arrive after the run's end are not heard of. The nerve ending is taken to
    have the skin's temperature: conduction of heat into the skin is left out.

    Args:
        duration_ms, seed: The run's.
        baseline, peak: Skin temperature before and during a pulse.
        onset, rise, hold: When the first pulse begins, how long it takes to reach the peak (and
            later to fall), and how long it stays.
        pulses, interval: How many, and the time from one beginning to the next; one has none.
        distance: From the skin to the spinal cord.
        n_a_delta, n_c: Fibres of each kind (20 and 80: the dorsal-horn models' input ratio).
        inflammation: 0 (healthy) to 1: thresholds fall by up to 5 °C, gains up to double.

    Returns:
        Spikes `a_delta` and `c` with `threshold_c`, `velocity_m_per_s` and `delay_ms`; signal
        `temperature` (°C), in frames of 1 ms or less (see `temperature_pulses`).

    Raises:
        SignalError: if a setting is out of range or no whole number of 0.1 ms, or a pulse would
            begin after the run.
    """
    last_ms = round(float(onset) + (pulses - 1) * float(interval), 6)
    _check(
        (0 < duration_ms < np.inf, f"a run must last longer than 0 ms, found {duration_ms:g} ms"),
        (
            0 <= onset < ms(duration_ms),
            f"heat must begin within the run (0 to {duration_ms:g} ms), found onset {onset}; "
            f"set an earlier `onset` or a longer `duration`",
        ),
        (
            celsius(-20) <= baseline <= peak <= celsius(70),
            f"heat needs -20 degC <= baseline <= peak <= 70 degC, found {baseline} and {peak}",
        ),
        (
            rise >= 0 and hold >= 0 and rise + hold > 0,
            f"a heat pulse must last, found rise {rise} and hold {hold}",
        ),
        (pulses >= 1, f"heat needs at least one pulse, found {pulses}"),
        (
            pulses == 1 or interval >= 2 * rise + hold,
            f"heat pulses must not overlap: set an interval of at least "
            f"{2 * rise + hold}, found {interval}",
        ),
        (
            pulses > 1 or interval == INTERVAL,
            f"heat needs two or more pulses for an interval, found pulses {pulses} and interval "
            f"{interval}; leave `interval` out or set more `pulses`",
        ),
        (
            pulses == 1 or last_ms < duration_ms,
            f"heat must begin its last pulse within the run (0 to {duration_ms:g} ms), found "
            f"pulse {pulses} at {last_ms:.15g} ms; set fewer `pulses`, a shorter `interval` or a "
            f"longer `duration`",
        ),
        (distance >= 0, f"the distance must not be negative, found {distance}"),
        (n_a_delta >= 1 and n_c >= 1, f"found {n_a_delta} Aδ and {n_c} C fibres, need 1 of each"),
        (0 <= inflammation <= 1, f"inflammation must lie in 0..1, found {inflammation:g}"),
    )
    temperature = temperature_pulses(
        duration_ms, baseline_c=float(baseline), peak_c=float(peak), onset_ms=float(onset),
        rise_ms=float(rise), hold_ms=float(hold), pulses=pulses, interval_ms=float(interval),
    )  # fmt: skip
    spikes = {
        kind.name: _fibres(kind, n, temperature, duration_ms, float(distance), inflammation, seed)
        for kind, n in ((A_DELTA, n_a_delta), (C, n_c))
    }
    ends_ms = float(onset) + (pulses - 1) * float(interval) + 2 * float(rise) + float(hold)
    return Encoding(spikes=spikes, signals={"temperature": temperature}, duration_ms=ends_ms)


def _fibres(
    kind: Nociceptor, n: int, temperature: Signal, duration_ms: float, distance_m: float,
    inflammation: float, seed: int,
) -> SpikeOutput:  # fmt: skip
    thresholds_c = kind.threshold_c + kind.threshold_sd_c * _normal_within(
        n, -2.0, 2.0, seed, kind.name, "threshold"
    )
    low, high = np.log(np.array(kind.velocity_range) / kind.velocity_m_per_s)
    velocity = kind.velocity_m_per_s * np.exp(
        kind.velocity_log_sd
        * _normal_within(
            n, low / kind.velocity_log_sd, high / kind.velocity_log_sd, seed, kind.name, "velocity"
        )
    )
    thresholds_c = thresholds_c + inflammation * INFLAMED_SHIFT_C
    gain = 1.0 + inflammation * (INFLAMED_GAIN - 1.0)
    delay_ms = 1000.0 * distance_m / velocity
    rates = nociceptor_rate_hz(temperature, kind, thresholds_c, gain)
    times, units = [], []
    for fibre, key in enumerate(unit_keys(seed, f"{kind.name} spikes", n)):
        fired = delay_ms[fibre] + draw_spikes(
            rates[:, fibre], temperature.dt_ms, key,
            absolute_ms=kind.absolute_ms, relative_ms=kind.relative_ms,
        )  # fmt: skip
        fired = fired[fired < duration_ms]
        times.append(fired)
        units.append(np.full(fired.size, fibre))
    return SpikeOutput(
        Spikes(np.concatenate(times), np.concatenate(units), n_units=n, t_stop_ms=duration_ms),
        {"threshold_c": thresholds_c, "velocity_m_per_s": velocity, "delay_ms": delay_ms},
    )


def _normal_within(n: int, low: float, high: float, seed: int, *stream: str) -> NDArray[np.float64]:
    """`n` standard normal numbers; those outside are drawn again."""
    rng = generator(seed, *stream)
    drawn = rng.standard_normal(n)
    while (outside := (drawn < low) | (drawn > high)).any():
        drawn[outside] = rng.standard_normal(int(outside.sum()))
    return drawn


def _check(*rules: tuple[bool, str]) -> None:
    for holds, message in rules:
        if not holds:
            raise SignalError(message)
