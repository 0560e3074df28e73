"""What the trainings of a study come to: means with intervals over seeds, and over voices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sims.train.statistics import mean_interval

__all__ = ["summary"]

Trials = Sequence[dict[str, Any]]


def summary(trials: Trials) -> dict[str, Any]:
    """Of the trainings of one arm, one a seed.

    Returns:
        `sets`: for each set the mean accuracy over seeds (`seeds`, on these sounds) and over
        voices (`voices`, each voice's accuracy being its mean over seeds), with two intervals:
        `interval`, the confidence interval of that mean, and `prediction`, that of one more seed
        or voice. `scrambled`: over seeds, for each width.
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
    """Mean and intervals of what lies within 0..1, as then do they; 0 to 1 where none is known."""
    found = mean_interval(values, low=0.0, high=1.0)
    return found | {name: found[name] or [0.0, 1.0] for name in ("interval", "prediction")}


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
