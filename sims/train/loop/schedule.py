"""The learning rate over a training: a function of the step alone, so there is nothing to save."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

__all__ = ["Shape", "rate_at"]

Shape: TypeAlias = Literal["constant", "cosine"]


def rate_at(
    step: int,
    *,
    peak: float,
    steps: int,
    warm_up: int,
    shape: Shape,
    final: float = 0.0,
    fall: float = 1.0,
) -> float:
    """The learning rate of a step, counted from 0.

    It rises linearly over `warm_up` steps, the first of which has `peak / warm_up`. After that it
    stays (`constant`, as published for TRM), or falls along half a cosine (Loshchilov & Hutter
    2017) to `final * peak` at the last step. It falls over the last `fall` of the steps after the
    warm-up, and keeps its peak before (Hägele et al. 2024).

    >>> [rate_at(k, peak=8.0, steps=10, warm_up=4, shape="constant") for k in (0, 3, 9)]
    [2.0, 8.0, 8.0]
    >>> [round(rate_at(k, peak=8.0, steps=10, warm_up=0, shape="cosine"), 3) for k in (0, 9)]
    [8.0, 0.0]
    >>> [rate_at(k, peak=8.0, steps=9, warm_up=0, shape="cosine", fall=0.5) for k in (0, 4, 6, 8)]
    [8.0, 8.0, 4.0, 0.0]
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    if shape == "constant":
        return peak
    # The first step that falls still has the peak, and the last one of all the final rate.
    of = max(1.0, fall * (steps - 1 - warm_up))
    done = 1 - min(1.0, max(0, steps - 1 - step) / of)
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * done)) / 2)
