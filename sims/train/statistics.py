"""Accuracies with their uncertainty.

Two intervals are printed, each by its name. The *confidence interval of the mean* says
where the mean over all seeds may lie; the *prediction interval* says where the value of one more
seed may lie, and is √(n + 1) times as wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuro.errors import ConfigError

__all__ = [
    "accuracy",
    "confusion",
    "majority",
    "mean_interval",
    "proportion",
    "span",
    "wilson_interval",
]

_Z95 = 1.959963984540054  # 97.5 % point of the unit normal


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927), which stays inside 0..1.

    It takes items as independent; items of one speaker are not quite, so with few speakers
    the truth is wider.

    >>> [round(bound, 4) for bound in wilson_interval(8, 10)]
    [0.4902, 0.9433]
    """
    if of == 0:
        return 0.0, 1.0
    share, z2 = right / of, _Z95**2
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(
    values: Sequence[float], *, low: float = -math.inf, high: float = math.inf
) -> dict[str, Any]:
    """`{mean, interval, prediction, n}` of independent values, by Student's t, 95 % each.

    `interval` is the confidence interval of the mean; `prediction` is that of one more value. Both
    are kept within `low` and `high`. They are None for one value, or where all are equal, as the
    spread is then unknown.

    >>> mean_interval([0.8, 0.9, 1.0])
    {'mean': 0.9, 'interval': [0.6516, 1.1484], 'prediction': [0.4032, 1.3968], 'n': 3}

    Raises:
        ConfigError: if there is no value.
    """
    from scipy.stats import t

    if not values:
        raise ConfigError("a mean needs one value or more, found none")
    n, mean = len(values), float(np.mean(values))
    found: dict[str, Any] = {"mean": round(mean, 4), "interval": None, "prediction": None, "n": n}
    if len(set(values)) > 1:
        half = float(t.ppf(0.975, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
        for name, wide in (("interval", half), ("prediction", half * math.sqrt(n + 1))):
            ends = (mean - wide, mean + wide)
            found[name] = [round(min(max(end, low), high), 4) for end in ends]
    return found


def span(ends: Sequence[float] | None) -> str:
    """An interval of shares, as it is printed.

    >>> span([0.25, 1.0]), span(None)
    ('25.0% to 100.0%', 'unknown')
    """
    return "unknown" if ends is None else f"{ends[0]:.1%} to {ends[1]:.1%}"


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """`{right, of, accuracy, interval: [low, high]}`."""
    right = int(np.sum(np.asarray(predicted) == np.asarray(labels)))
    return proportion(right, int(np.size(labels)))


def proportion(right: int, of: int) -> dict[str, Any]:
    """`{right, of, accuracy, interval: [low, high]}`, from counts."""
    low, high = wilson_interval(right, of)
    return {
        "right": right, "of": of, "accuracy": right / of if of else 0.0, "interval": [low, high]
    }  # fmt: skip


def confusion(predicted: ArrayLike, labels: ArrayLike, n_classes: int) -> list[list[int]]:
    """Row: the true class; column: the answer."""
    table = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(table, (np.asarray(labels), np.asarray(predicted)), 1)
    return [[int(value) for value in row] for row in table]


def majority(train_labels: ArrayLike, labels: ArrayLike, n_classes: int) -> dict[str, Any]:
    """Accuracy of always answering the commonest class of the training items."""
    common = int(np.bincount(np.asarray(train_labels), minlength=n_classes).argmax())
    return accuracy(np.full(np.size(labels), common), labels)
