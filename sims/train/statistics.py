"""Accuracies with their uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["accuracy", "confusion", "majority", "proportion", "wilson_interval"]

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
