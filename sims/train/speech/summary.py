"""What the trainings of a study come to: means with intervals over seeds, and over voices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuro.errors import ConfigError

__all__ = ["mean_interval", "summary"]

Trials = Sequence[dict[str, Any]]


def mean_interval(values: Sequence[float]) -> dict[str, Any]:
    """`{mean, interval, n}`: 95 % by Student's t; the interval of one value says nothing, 0 to 1.

    >>> mean_interval([0.8, 0.9, 1.0])
    {'mean': 0.9, 'interval': [0.6516, 1.1484], 'n': 3}

    Raises:
        ConfigError: if there is no value.
    """
    from scipy.stats import t

    if not values:
        raise ConfigError("a mean needs one value or more, found none")
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return {"mean": round(mean, 4), "interval": [0.0, 1.0], "n": 1}
    half = float(t.ppf(0.975, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return {
        "mean": round(mean, 4), "interval": [round(mean - half, 4), round(mean + half, 4)], "n": n
    }  # fmt: skip


def summary(trials: Trials) -> dict[str, Any]:
    """Of the trainings of one arm, one a seed.

    Returns:
        `sets`: for each set its accuracy over seeds (`seeds`: what another training on these
        sounds would reach) and over voices (`voices`: what other voices of this kind would meet,
        each voice's accuracy being its mean over seeds). `scrambled`: over seeds, for each width.
    """
    found: dict[str, Any] = {
        "sets": {name: _over_both(trials, name) for name in trials[0]["sets"]},
        "rate_hz": round(float(np.mean([t["curve"][-1]["rate_hz"] for t in trials])), 2),
        "wall_s": mean_interval([t["wall_s"] for t in trials])["mean"],
        "cpu_s": mean_interval([t["cpu_s"] for t in trials])["mean"],
    }
    if "scrambled" in trials[0]:
        found["scrambled"] = [
            {"window_ms": entries[0]["window_ms"]}
            | _shares([entry["accuracy"] for entry in entries])
            for entries in zip(*(t["scrambled"] for t in trials), strict=True)
        ]
    return found


def _shares(values: Sequence[float]) -> dict[str, Any]:
    """Mean and interval of what lies within 0..1, as then does the interval."""
    found = mean_interval(values)
    return found | {"interval": [min(max(end, 0.0), 1.0) for end in found["interval"]]}


def _over_both(trials: Trials, name: str) -> dict[str, Any]:
    scores = [trial["sets"][name] for trial in trials]
    voices = list(scores[0]["voices"])
    return {
        "seeds": _shares([score["accuracy"] for score in scores]),
        "voices": _shares(
            [float(np.mean([score["voices"][voice] for score in scores])) for voice in voices]
        ),
        "items": scores[0]["of"],
    }
