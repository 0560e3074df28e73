"""The numbers a sweep keeps of each run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neuro.bins import within
from neuro.errors import ConfigError, nearest
from neuro.recording import Course, Recording
from neuro.spikes import Spikes
from sims.config.sweep import WindowMeasure

__all__ = ["Number", "check_windows", "measure"]

Number = float | int | None
"""What a measure may be; None where it is undefined."""

T = TypeVar("T")


def measure(recording: Recording, windows: Iterable[WindowMeasure] = ()) -> dict[str, Number]:
    """The measures of a run, in the order of the table's columns.

    `rate_hz.<population>` (mean over cells and the whole run), `spikes.<population>` (a count),
    `modulator.<name>.mean` and `.peak` (nM), `factor.<target>.<parameter>.mean` and `.extreme`
    (the value farthest from 1), then one column for each of `windows`.

    Raises:
        ConfigError: if a window names what was not recorded, two columns have one name, or a
            window starts after the end of the run.
    """
    found: dict[str, Number] = {}
    for name, spikes in recording.spikes.items():
        found[f"rate_hz.{name}"] = spikes.rate_hz
    for name, spikes in recording.spikes.items():
        found[f"spikes.{name}"] = len(spikes)
    for name, course in recording.modulators.items():
        found[f"modulator.{name}.mean"] = _mean(course.values)
        found[f"modulator.{name}.peak"] = _extreme(course.values, 0.0)
    for name, course in recording.factors.items():
        found[f"factor.{name}.mean"] = _mean(course.values)
        found[f"factor.{name}.extreme"] = _extreme(course.values, 1.0)
    for window in windows:
        if window.column in found:
            raise ConfigError(
                f"sweep.measures: each column needs a name of its own, found `{window.column}` "
                "twice; set its `name`"
            )
        found[window.column] = _windowed(recording, window)
    return {name: _finite(value) for name, value in found.items()}


def check_windows(
    windows: Iterable[WindowMeasure],
    *,
    duration_ms: float,
    populations: Collection[str],
    modulators: Collection[str],
    factors: Collection[str],
) -> None:
    """Refuse, before anything runs, windows on what will not be recorded, or not so long.

    Raises:
        ConfigError: naming the nearest name that will be.
    """
    known = {"modulator": modulators, "factor": factors}
    for window in windows:
        _check_known(window, known.get(window.kind, populations))
        _ends(window, duration_ms)


def _windowed(recording: Recording, window: WindowMeasure) -> Number:
    start, stop = _ends(window, recording.duration_ms)
    if window.kind in ("modulator", "factor"):
        courses = recording.modulators if window.kind == "modulator" else recording.factors
        return _mean(_between(_known(courses, window), start, stop))
    spikes: Spikes = _known(recording.spikes, window)
    times = spikes.times_ms[within(spikes.times_ms, start, stop)]
    if window.kind == "rate":
        return times.size / (max(spikes.n_units, 1) * (stop - start) / 1000.0)
    if window.kind == "spikes":
        return int(times.size)
    return max(float(times[0]) - start, 0.0) if times.size else None


def _ends(window: WindowMeasure, duration_ms: float) -> tuple[float, float]:
    start = float(window.start)
    stop = duration_ms if window.stop is None else float(window.stop)
    if not start < stop <= duration_ms:
        raise ConfigError(
            f"sweep.measures: `{window.column}` must lie within the run of "
            f"{duration_ms:g} ms, found {start:g}..{stop:g} ms"
        )
    return start, stop


def _known(items: Mapping[str, T], window: WindowMeasure) -> T:
    _check_known(window, items)
    return items[window.of]


def _check_known(window: WindowMeasure, known: Collection[str]) -> None:
    if window.of not in known:
        kind = window.kind if window.kind in ("modulator", "factor") else "population"
        raise ConfigError(
            f"sweep.measures: {kind} must be one of {', '.join(known) or '(none)'}, "
            f"found `{window.of}`{nearest(window.of, known)}"
        )


def _between(course: Course, start_ms: float, stop_ms: float) -> NDArray[np.float64]:
    times = course.times_ms
    return course.values[within(times, start_ms, stop_ms)]


def _mean(values: NDArray[np.float64]) -> Number:
    return float(np.mean(values)) if values.size else None


def _extreme(values: NDArray[np.float64], rest: float) -> Number:
    return float(values[np.argmax(np.abs(values - rest))]) if values.size else None


def _finite(value: Number) -> Number:
    return value if value is None or math.isfinite(value) else None
